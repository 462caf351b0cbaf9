"""Serving a plugin: `serve` is a plugin program's last line."""
from __future__ import annotations

from typing import TYPE_CHECKING

from .plugin import GRPCServer, is_async, is_coroutine
from .serving import ServeConfig, serve_with

if TYPE_CHECKING:
    from .aio.broker import Broker
    from .core.environ import PluginEnvironment
    from .credentials import Credentials
    from .serving import Runtime, Serving
    from .sync.broker import Broker as SyncBroker

__all__ = ["ServeConfig", "serve"]


def serve(config: ServeConfig) -> None:
    """Serve until the host says Shutdown, or is gone; returns then, and the program ends as it likes.

    A plugin whose methods are all plain, and `on_shutdown` with them, is served by the blocking runtime, any other by
    asyncio.
    Run by hand, without the host's magic cookie, it explains itself on stderr and exits with code 1.
    Raises ConfigError for a configuration that cannot be served, and for a place where nothing can listen.
    """
    serve_with(config, _new_server, _runtime_for)


def _new_server(environment: PluginEnvironment, credentials: Credentials) -> GRPCServer:
    def make_broker() -> Broker:
        from .aio.serving import make_broker

        return make_broker(environment, credentials)

    def make_sync_broker() -> SyncBroker:
        from .sync.serving import make_broker

        return make_broker(environment, credentials)

    return GRPCServer(make_broker, make_sync_broker)


def _runtime_for(serving: Serving) -> Runtime:
    """Threads and blocking sockets where they can serve it: they are faster, and a start without asyncio is too."""
    server = serving.server
    methods = (method for servicer in server.servicers for method in servicer.__mapping__().values())
    takes_asyncio = is_coroutine(serving.on_shutdown) or any(map(is_async, methods))
    if server.taken_broker is not None or (server.taken_sync_broker is None and takes_asyncio):
        from .aio.serving import run
    else:
        from .sync.serving import run
    return run
