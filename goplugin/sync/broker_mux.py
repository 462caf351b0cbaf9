"""GRPCBroker in multiplexed mode: every connection is a stream of one yamux session.

    session = connect_session(network, address)                 a host
    broker = MultiplexedBroker(); broker.start(session)
    with broker.main_channel() as channel: broker.open(channel)

    session = accept_session(listener, lambda: True)            a plugin, whose server has BrokerService(broker)
    broker.start(session, server)

With TLS every stream has a TLS session of its own.
Source: go-plugin grpc_broker.go, and internal/grpcmux of upstream.
"""
from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from time import monotonic
from typing import TYPE_CHECKING

from ..core import broker as core
from ..core.broker import CONNECT_SECONDS, DialFailed, StreamGranted
from ..core.errors import BrokerTimeout, PluginLostError
from .broker import END_SECONDS, Broker, Served
from .mux import Session
from .server import Server
from .stream import TICK, SocketStream, connect

if TYPE_CHECKING:
    import ssl

    from ..core.broker import BrokerEvent
    from ..plugin import Servicer
    from ..transport import Listener
    from .channel import Channel
    from .mux_stream import MuxStream

__all__ = ["MultiplexedBroker", "accept_session", "connect_session"]


def connect_session(network: str, address: str) -> Session:
    """A host's session with the plugin at the address of its handshake line. The caller closes it.

    Raises PluginLostError if nobody listens there.
    """
    try:
        return Session(connect(network, address), client=True)
    except OSError as error:
        raise PluginLostError(f"connection error: dial {network} {address}: {error.strerror or error}") from error


def accept_session(listener: Listener, wanted: Callable[[], bool]) -> Session | None:
    """A plugin's session with its host, for which it waits as long as it is `wanted`. The caller closes it.

    There is one connection, and so `listener` is closed then. Raises BrokerTimeout if none comes within five seconds.
    """
    deadline = monotonic() + CONNECT_SECONDS
    with listener:
        listener.socket.settimeout(TICK)
        while wanted():
            try:
                connection, _ = listener.socket.accept()
            except TimeoutError:
                if monotonic() >= deadline:
                    raise BrokerTimeout(core.NO_SESSION) from None
            else:
                return Session(SocketStream(connection), client=False)
    return None


class MultiplexedBroker(Broker):
    """`server_tls` is for the streams that are accepted, `client_tls` for those that are opened."""

    def __init__(
        self, *, server_tls: ssl.SSLContext | None = None, client_tls: ssl.SSLContext | None = None
    ) -> None:
        self._multiplexed = core.MultiplexedBroker()
        super().__init__(self._multiplexed)
        self._server_tls = server_tls
        self._client_tls = client_tls
        self._session: Session | None = None
        self._granted: dict[int, MuxStream] = {}        # of the dials that somebody waits for
        self._servers: dict[int, Server] = {}           # by the id that they are accepted as

    def accept_and_serve(self, service_id: int, servicers: Iterable[Servicer]) -> Served:
        """As the base class says; for any number of dials. Raises LocalProtocolError if the id is accepted already."""
        server = Server(servicers, tls=self._server_tls)
        served = _MultiplexedServed(self, service_id, server)
        with self._changed:
            self._multiplexed.accept(service_id)
            self._servers[service_id] = server
            self._served.add(served)
            self._changed.notify_all()
        return served

    def dial(self, service_id: int) -> Channel:
        event = self._ask(service_id)
        return _channel_over(self._granted.pop(event.dial), f"id {service_id}", self._client_tls)

    # --- for clients and servers ---

    def start(
        self, session: Session, main: Server | None = None, *, on_end: Callable[[], object] | None = None
    ) -> None:
        """Take the streams that the peer opens, on another thread, until the session is over. Once.

        Those that no knock has announced are for the `main` server of a plugin. `on_end` is called on that thread.
        """
        self._session = session
        arguments = (session, main, on_end)
        threading.Thread(target=self._run, args=arguments, name="goplugin-mux-accept", daemon=True).start()

    def main_channel(self, timeout: float | None = None) -> Channel:
        """The host's side: another connection to the plugin's main server; not while a dial is under way.

        The plugin has `timeout` seconds for a TLS handshake, or those of `channel_to`.
        Raises PluginLostError if the session is over, or the plugin is none whom the context trusts.
        """
        assert self._session is not None
        try:
            stream = self._session.open()
        except ConnectionError as error:
            raise PluginLostError(f"connection error: {error}") from error
        return _channel_over(stream, "main", self._client_tls, timeout)

    def end(self, served: Served) -> None:
        """It takes no more streams."""
        with self._changed:
            self._multiplexed.stop_accepting(served.service_id)
            self._servers.pop(served.service_id, None)

    # --- inside ---

    def _run(self, session: Session, main: Server | None, on_end: Callable[[], object] | None) -> None:
        while (stream := _next_stream(session)) is not None:
            with self._changed:
                service_id = self._multiplexed.receive_stream(monotonic())
                server = main if service_id is None else self._servers.get(service_id)
                self._changed.notify_all()      # the next knock may be acknowledged
            if server is None:
                stream.close()
            else:
                server.welcome(stream)
        if on_end is not None:
            on_end()

    def _take(self, event: BrokerEvent) -> None:
        if isinstance(event, StreamGranted):
            event = self._open(event)
        super()._take(event)

    def _open(self, event: StreamGranted) -> StreamGranted | DialFailed:
        """Open the stream that the peer takes for this dial's."""
        assert self._session is not None
        try:
            stream = self._session.open()
        except ConnectionError as error:
            return DialFailed(event.dial, PluginLostError(f"error dialling new client stream: {error}"))
        if event.dial in self._outcomes:
            self._granted[event.dial] = stream
        else:
            stream.close()
        return event

    def _give_up(self, dial: int) -> None:
        super()._give_up(dial)
        stream = self._granted.pop(dial, None)
        if stream is not None:
            stream.close()


class _MultiplexedServed(Served):
    def __init__(self, broker: MultiplexedBroker, service_id: int, server: Server) -> None:
        super().__init__(service_id)
        self._broker = broker
        self._server = server
        self._lock = threading.Lock()
        self._closed = False

    def close(self) -> None:
        with self._lock:
            if not self._closed:
                self._closed = True
                self._broker.end(self)
                self._server.stop(END_SECONDS)
        self._broker.forget(self)


def _next_stream(session: Session) -> MuxStream | None:
    try:
        return session.accept()
    except ConnectionError:
        return None


def _channel_over(
    stream: MuxStream, name: str, tls: ssl.SSLContext | None, timeout: float | None = None
) -> Channel:
    from .channel import channel_over  # not at the start of a plugin that may never dial

    try:
        return channel_over(stream, tls=tls, timeout=timeout)
    except OSError as error:
        raise PluginLostError(f"connection error: dial {name}: {error.strerror or error}") from error
