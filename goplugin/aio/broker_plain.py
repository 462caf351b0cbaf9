"""GRPCBroker in plain mode: every connection has a socket of its own."""
from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from ..core import broker as core
from ..core.broker import AddressKnown
from ..transport import Listener, listen
from .broker import END_SECONDS, Broker, Served
from .plugin_channel import channel_to
from .plugin_server import PluginServer

if TYPE_CHECKING:
    import ssl

    from grpclib import client

    from ..core.environ import PluginEnvironment
    from ..plugin import Servicer

__all__ = ["PlainBroker"]

Translation = Callable[[str, str], tuple[str, str]]
"""Of a network and an address."""


class PlainBroker(Broker):
    """`environment` says where to listen, as for the plugin itself.

    `server_tls` is for the connections that are accepted, `client_tls` for those that are dialled.
    `to_peer` and `from_peer` are for a host whose plugin has other names for the same addresses.
    """

    def __init__(
        self,
        environment: PluginEnvironment,
        *,
        server_tls: ssl.SSLContext | None = None,
        client_tls: ssl.SSLContext | None = None,
        to_peer: Translation = lambda network, address: (network, address),
        from_peer: Translation = lambda network, address: (network, address),
    ) -> None:
        self._plain = core.PlainBroker()
        super().__init__(self._plain)
        self._environment = environment
        self._server_tls = server_tls
        self._client_tls = client_tls
        self._to_peer = to_peer
        self._from_peer = from_peer

    def accept(self, service_id: int) -> Listener:
        """A listener that the other side is told of, for one dial that begins within five seconds.

        It is the caller's, and bare: without TLS, whatever the plugin's own connection has.
        Raises PluginLostError if the broker is closed, ConfigError where nothing can listen.
        """
        listener = listen(self._environment)
        try:
            self._plain.send_conn_info(service_id, *self._to_peer(listener.network, listener.address))
        except BaseException:
            listener.close()
            raise
        self._advance()
        return listener

    def accept_and_serve(self, service_id: int, servicers: Iterable[Servicer]) -> Served:
        server = PluginServer(servicers)
        served = _PlainServed(self, service_id, server, self.accept(service_id), self._server_tls)
        self._served.add(served)
        return served

    async def dial(self, service_id: int) -> client.Channel:
        """As the base class says; the channel connects at its first call."""
        outcome = await self._ask(service_id)
        assert isinstance(outcome, AddressKnown)
        return channel_to(*self._from_peer(outcome.network, outcome.address), tls=self._client_tls)


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
