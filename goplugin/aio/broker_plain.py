"""GRPCBroker in plain mode: every connection has a socket of its own."""
from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..core import broker as core
from ..core.broker import AddressKnown
from .broker import END_SECONDS, Broker, Served
from .plugin_channel import channel_to
from .plugin_server import PluginServer

if TYPE_CHECKING:
    import ssl

    from grpclib import client

    from ..plugin import Servicer
    from ..reach import Reach
    from ..transport import Listener

__all__ = ["PlainBroker"]


class PlainBroker(Broker):
    """`reach` says how the two sides come to each other."""

    def __init__(self, reach: Reach) -> None:
        self._plain = core.PlainBroker()
        super().__init__(self._plain)
        self._reach = reach

    def accept(self, service_id: int) -> Listener:
        """A listener that the other side is told of, for one dial that begins within five seconds.

        It is the caller's, and bare: without TLS, whatever the plugin's own connection has.
        Raises PluginLostError if the broker is closed, ConfigError where nothing can listen.
        """
        def announce(network: str, address: str) -> None:
            self._plain.send_conn_info(service_id, network, address)
            self._advance()

        return self._reach.listen(announce)

    def accept_and_serve(self, service_id: int, servicers: Iterable[Servicer]) -> Served:
        server = PluginServer(servicers)
        served = _PlainServed(self, service_id, server, self.accept(service_id), self._reach.server_tls)
        self._served.add(served)
        return served

    async def dial(self, service_id: int) -> client.Channel:
        """As the base class says; the channel connects at its first call."""
        outcome = await self._ask(service_id)
        assert isinstance(outcome, AddressKnown)
        return channel_to(*self._reach.from_peer(outcome.network, outcome.address), tls=self._reach.client_tls)


class _PlainServed(Served):
    def __init__(
        self, broker: Broker, service_id: int, server: PluginServer, listener: Listener, tls: ssl.SSLContext | None
    ) -> None:
        """`listener` belongs to this now. Who connects before the server has started waits in the listener."""
        super().__init__(service_id)
        self._broker = broker
        self._server = server
        self._listener = listener
        self._started = asyncio.create_task(server.start(sock=listener.socket, ssl=tls))

    async def _close(self) -> None:
        self._listener.withdraw()
        await self._started
        await self._server.end(END_SECONDS)
        self._listener.close()
        self._broker.forget(self)
