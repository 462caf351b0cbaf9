"""go-plugin for Python: write plugins for Go hosts, and host Go plugins.

The names below are the whole public API of the asyncio runtime. They are loaded on first use, because a plugin must
not pay for the host's half before its first reply.
"""
from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .aio.serving import serve_test
    from .client import Client, cleanup_clients
    from .client_config import ClientConfig
    from .context import CallContext
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
    from .core.reattach import ReattachConfig
    from .core.status import Code
    from .discovery import discover
    from .plugin import GRPCClient, GRPCPlugin, GRPCServer, Method, PluginSet, Streams
    from .plugin_server import PluginServer
    from .runner import CommandRunner, Runner
    from .secure import SecureConfig
    from .servemux import serve_mux
    from .server import ServeConfig, serve

__version__ = "0.1.0"

__all__ = [
    "CallContext",
    "Client",
    "ClientConfig",
    "CommandRunner",
    "GRPCClient",
    "GRPCPlugin",
    "GRPCServer",
    "HandshakeConfig",
    "Method",
    "PluginServer",
    "PluginSet",
    "ReattachConfig",
    "Runner",
    "SecureConfig",
    "ServeConfig",
    "Streams",
    "cleanup_clients",
    "discover",
    "serve",
    "serve_mux",
    "serve_test",
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
    "CallContext": "context",
    "Client": "client",
    "ClientConfig": "client_config",
    "CommandRunner": "runner",
    "GRPCClient": "plugin",
    "GRPCPlugin": "plugin",
    "GRPCServer": "plugin",
    "HandshakeConfig": "core.handshake",
    "Method": "plugin",
    "PluginServer": "plugin_server",
    "PluginSet": "plugin",
    "ReattachConfig": "core.reattach",
    "Runner": "runner",
    "SecureConfig": "secure",
    "ServeConfig": "server",
    "Streams": "plugin",
    "cleanup_clients": "client",
    "discover": "discovery",
    "serve": "server",
    "serve_mux": "servemux",
    "serve_test": "aio.serving",
    "Code": "core.status",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = importlib.import_module(f".{_HOMES.get(name, 'core.errors')}", __name__)
    value = getattr(home, name)
    globals()[name] = value
    return value
