"""GRPCBroker in plain mode: every connection has a socket of its own."""
from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..core import broker as core
from ..core.broker import AddressKnown
from ..core.errors import PluginLostError
from .broker import END_SECONDS, Broker, Served
from .server import Server

if TYPE_CHECKING:
    from ..plugin import Servicer
    from ..reach import Reach
    from ..transport import Listener
    from .channel import Channel

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
            with self._changed:
                self._plain.send_conn_info(service_id, network, address)
                self._changed.notify_all()

        return self._reach.listen(announce)

    def accept_and_serve(self, service_id: int, servicers: Iterable[Servicer]) -> Served:
        served = _PlainServed(self, service_id, Server(servicers, tls=self._reach.server_tls))
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
        return channel_to(*self._reach.from_peer(outcome.network, outcome.address), tls=self._reach.client_tls)


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
