"""This project's asyncio transport by itself: goplugin.aio under code written for grpclib."""
from __future__ import annotations

import asyncio
from collections.abc import Sequence

from goplugin.aio import Channel, Server

from ..hosts import Host
from ._grpclib_api import host_with, serve_with

__all__ = ["host", "serve"]


def serve() -> None:
    asyncio.run(serve_with(Server))


def host(command: Sequence[str]) -> Host:
    return host_with(lambda path: Channel(path=path), command)
