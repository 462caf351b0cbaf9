"""GRPCBroker in plain mode: every connection has a socket of its own."""
from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from ..core import broker as core
from ..core.broker import AddressKnown
from ..core.errors import PluginLostError
from ..transport import Listener, listen
from .broker import END_SECONDS, Broker, Served
from .server import Server

if TYPE_CHECKING:
    import ssl

    from ..core.environ import PluginEnvironment
    from ..plugin import Servicer
    from .channel import Channel

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
            with self._changed:
                self._plain.send_conn_info(service_id, *self._to_peer(listener.network, listener.address))
                self._changed.notify_all()
        except BaseException:
            listener.close()
            raise
        return listener

    def accept_and_serve(self, service_id: int, servicers: Iterable[Servicer]) -> Served:
        served = _PlainServed(self, service_id, Server(servicers, tls=self._server_tls))
        with self._changed:
            self._served.add(served)
        try:
            served.start(self.accept(service_id))
        except BaseException:
            self.forget(served)
            raise
        return served

    def dial(self, service_id: int) -> Channel:
        outcome = self._ask(service_id)
        from .channel import channel_to  # not at the start of a plugin that may never dial

        assert isinstance(outcome, AddressKnown)
        return channel_to(*self._from_peer(outcome.network, outcome.address), tls=self._client_tls)


class _PlainServed(Served):
    def __init__(self, broker: Broker, service_id: int, server: Server) -> None:
        super().__init__(service_id)
        self._broker = broker
        self._server = server
        self._listener: Listener | None = None
        self._lock = threading.Lock()
        self._closed = False

    def start(self, listener: Listener) -> None:
        """Serve on `listener`, which belongs to this now. Raises PluginLostError if the broker was closed meanwhile."""
        with self._lock:
            if self._closed:
                listener.close()
                raise PluginLostError("broker closed")
            self._listener = listener
            self._server.start(listener.socket)

    def close(self) -> None:
        with self._lock:
            if not self._closed and self._listener is not None:
                self._server.stop(END_SECONDS)
                self._listener.close()
            self._closed = True
        self._broker.forget(self)
