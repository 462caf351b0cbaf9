"""The blocking runtime: the same protocol as `goplugin` itself, for programs that do not use asyncio."""
from __future__ import annotations
