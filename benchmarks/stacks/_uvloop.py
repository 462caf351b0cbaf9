# pyright: basic, reportMissingImports=false
"""Makes every event loop of this process one of uvloop's."""
from __future__ import annotations

import asyncio

import uvloop

__all__ = ["install"]


def install() -> None:
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
