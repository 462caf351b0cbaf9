"""A plugin's one connection with a host that multiplexes, in the asyncio runtime.

Source: go-plugin internal/grpcmux, server.
"""
from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..core.errors import BrokerTimeout
from .broker_mux import accept_session

if TYPE_CHECKING:
    from ..transport import Listener
    from .broker_mux import MultiplexedBroker
    from .plugin_server import PluginServer

__all__ = ["HostConnection"]

log = logging.getLogger("goplugin.server")


class HostConnection:
    """Waits in a task for the host to connect to `listener`, and serves the streams that it opens.

    `stop` is called when the connection is over, or none has come in time.
    """

    def __init__(
        self, listener: Listener, server: PluginServer, broker: MultiplexedBroker, stop: Callable[[], object]
    ) -> None:
        self._task = asyncio.create_task(self._serve(listener, server, broker))
        self._task.add_done_callback(lambda task: stop())

    async def close(self) -> None:
        """Wait for nobody, and hang up, behind what was sent."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _serve(self, listener: Listener, server: PluginServer, broker: MultiplexedBroker) -> None:
        try:
            session = await accept_session(listener)
        except BrokerTimeout as error:
            log.error("grpc server: %s", error)  # noqa: TRY400 - it says it all
            return
        try:
            await broker.start(session, server)
        finally:
            session.close()
            await session.wait_closed()
