"""go-plugin for Python: write plugins for Go hosts, and host Go plugins.

The names below are the whole public API of the asyncio runtime. They are loaded on first use, because a plugin must
not pay for the host's half before its first reply.
"""
from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .client import Client, ClientConfig
    from .core.errors import (
        BrokerTimeout,
        ChecksumError,
        ConfigError,
        CoreVersionError,
        HandshakeError,
        IncompatibleVersionError,
        LaunchError,
        LocalProtocolError,
        MagicCookieError,
        PluginError,
        PluginLostError,
        RemoteError,
        RemoteProtocolError,
        UnsupportedProtocolError,
    )
    from .core.handshake import HandshakeConfig
    from .core.status import Code
    from .plugin import GRPCClient, GRPCPlugin, GRPCServer, PluginSet
    from .server import ServeConfig, serve

__version__ = "0.1.0"

__all__ = [
    "Client",
    "ClientConfig",
    "GRPCClient",
    "GRPCPlugin",
    "GRPCServer",
    "HandshakeConfig",
    "PluginSet",
    "ServeConfig",
    "serve",
    "Code",
    "PluginError",
    "ConfigError",
    "LaunchError",
    "HandshakeError",
    "MagicCookieError",
    "CoreVersionError",
    "IncompatibleVersionError",
    "UnsupportedProtocolError",
    "ChecksumError",
    "LocalProtocolError",
    "RemoteProtocolError",
    "BrokerTimeout",
    "RemoteError",
    "PluginLostError",
]

_HOMES = {
    "Client": "client",
    "ClientConfig": "client",
    "GRPCClient": "plugin",
    "GRPCPlugin": "plugin",
    "GRPCServer": "plugin",
    "HandshakeConfig": "core.handshake",
    "PluginSet": "plugin",
    "ServeConfig": "server",
    "serve": "server",
    "Code": "core.status",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = importlib.import_module(f".{_HOMES.get(name, 'core.errors')}", __name__)
    value = getattr(home, name)
    globals()[name] = value
    return value
