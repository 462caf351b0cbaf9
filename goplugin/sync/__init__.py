"""The blocking runtime: the same protocol as `goplugin` itself, for programs that do not use asyncio.

The names that `goplugin` has are the same here, one for one; what both runtimes share (configurations, errors, plugin
sets) is `goplugin`'s own. They are loaded on first use, because a plugin must not pay for the host's half before its
first reply.
"""
from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..client_config import ClientConfig
    from ..serving import ServeConfig
    from .broker import Broker
    from .channel import Channel, channel_to
    from .client import Client, cleanup_clients
    from .serving import serve, serve_test
    from .stubs import stub

__all__ = [
    "Broker",
    "Channel",
    "Client",
    "ClientConfig",
    "ServeConfig",
    "channel_to",
    "cleanup_clients",
    "serve",
    "serve_test",
    "stub",
]

_HOMES = {
    "Broker": ".broker",
    "Channel": ".channel",
    "Client": ".client",
    "ClientConfig": "..client_config",
    "ServeConfig": "..serving",
    "channel_to": ".channel",
    "cleanup_clients": ".client",
    "serve": ".serving",
    "serve_test": ".serving",
    "stub": ".stubs",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name], __name__), name)
    globals()[name] = value
    return value
