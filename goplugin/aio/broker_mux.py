"""GRPCBroker in multiplexed mode: every connection is a stream of one yamux session.

    session = await connect_session(network, address)           a host
    broker = MultiplexedBroker(); broker.start(session)
    async with broker.main_channel() as channel: broker.open(channel)

    session = await accept_session(listener)                    a plugin, whose server has BrokerService(broker)
    await broker.start(session, server)

With TLS every stream has a TLS session of its own.
Source: go-plugin grpc_broker.go, and internal/grpcmux of upstream.
"""
from __future__ import annotations

import asyncio
import logging
from asyncio.sslproto import SSLProtocol
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any

from ..core import broker as core
from ..core.broker import CONNECT_SECONDS, DialFailed, StreamGranted
from ..core.errors import BrokerTimeout, PluginLostError
from ..mux import Session
from ..tls import HANDSHAKE_SECONDS, NAME, explain, handshake_seconds
from .broker import END_SECONDS, Broker, Served
from .channel import Channel, ClientLink
from .plugin_channel import channel_options
from .plugin_server import PluginServer

if TYPE_CHECKING:
    import ssl

    from grpclib import client

    from ..core.broker import BrokerEvent
    from ..plugin import Servicer
    from ..transport import Listener

__all__ = ["MultiplexedBroker", "accept_session", "connect_session"]


log = logging.getLogger("goplugin.server")


async def connect_session(network: str, address: str) -> Session:
    """A host's session with the plugin at the address of its handshake line. The caller closes it.

    Raises PluginLostError if nobody listens there.
    """
    loop = asyncio.get_running_loop()
    try:
        if network == "unix":
            _, session = await loop.create_unix_connection(lambda: Session(client=True), address)
        else:
            host, _, port = address.rpartition(":")
            _, session = await loop.create_connection(lambda: Session(client=True), host.strip("[]"), int(port))
    except OSError as error:
        raise PluginLostError(f"connection error: dial {network} {address}: {error.strerror or error}") from error
    return session


async def accept_session(listener: Listener) -> Session:
    """A plugin's session with its host, for which it waits. The caller closes it.

    There is one connection, and so `listener` is closed then. Raises BrokerTimeout if none comes within five seconds.
    """
    loop = asyncio.get_running_loop()
    with listener:
        listener.socket.setblocking(False)
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                connection, _ = await loop.sock_accept(listener.socket)
        except TimeoutError:
            raise BrokerTimeout(core.NO_SESSION) from None
    _, session = await loop.connect_accepted_socket(lambda: Session(client=False), connection)
    return session


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
        self._granted: dict[int, asyncio.Transport] = {}    # of the dials that somebody waits for
        self._servers: dict[int, PluginServer] = {}         # by the id that they are accepted as

    def accept_and_serve(self, service_id: int, servicers: Iterable[Servicer]) -> Served:
        """As the base class says; for any number of dials. Raises LocalProtocolError if the id is accepted already."""
        server = PluginServer(servicers)
        self._multiplexed.accept(service_id)
        self._servers[service_id] = server
        served = _MultiplexedServed(self, service_id, server)
        self._served.add(served)
        self._advance()
        return served

    async def dial(self, service_id: int) -> client.Channel:
        """As the base class says; the channel dials again when its connection is lost."""

        async def again() -> asyncio.Transport:
            try:
                return await self._dial(service_id)
            except BrokerTimeout as error:
                raise PluginLostError(f"connection error: {error}") from error

        first = await self._dial(service_id)
        channel = _StreamChannel(again, self._client_tls)
        try:
            await channel.connect(first)
        except OSError as error:
            raise PluginLostError(f"connection error: dial id {service_id}: {error}") from error
        return channel

    # --- for clients and servers ---

    def start(self, session: Session, main: PluginServer | None = None) -> asyncio.Task[None]:
        """Take the streams that the peer opens; the task ends when the session is over. Once.

        Those that no knock has announced are for the `main` server of a plugin.
        """
        self._session = session
        return asyncio.create_task(self._accept(session, main))

    def main_channel(self, timeout: float | None = None) -> client.Channel:
        """The host's side: a channel to the plugin's main server, which connects at its first call.

        The plugin has `timeout` seconds for a TLS handshake then, or those of `channel_to`.
        """

        async def stream() -> asyncio.Transport:
            return self._open()

        return _StreamChannel(stream, self._client_tls, timeout)

    def end(self, served: Served) -> None:
        """It takes no more streams."""
        self._multiplexed.stop_accepting(served.service_id)
        self._servers.pop(served.service_id, None)

    # --- inside ---

    async def _accept(self, session: Session, main: PluginServer | None) -> None:
        def protocol() -> asyncio.BaseProtocol:
            """Of the stream that has just been taken."""
            service_id = self._multiplexed.receive_stream(asyncio.get_running_loop().time())
            self._advance()     # the next knock may be acknowledged
            server = main if service_id is None else self._servers.get(service_id)
            if server is None:
                return _Refusal()
            if self._server_tls is None:
                return server.new_link()
            shaken = asyncio.get_running_loop().create_future()
            shaken.add_done_callback(_report)
            return _over_tls(server.new_link(), self._server_tls, shaken, server_side=True)

        while True:
            try:
                await session.accept(protocol)
            except ConnectionError:
                return

    async def _dial(self, service_id: int) -> asyncio.Transport:
        event = await self._ask(service_id)
        return self._granted.pop(event.dial)

    def _open(self) -> asyncio.Transport:
        """A stream on which nothing is read yet. Raises ConnectionError."""
        assert self._session is not None
        transport, _ = self._session.open(asyncio.Protocol)
        transport.pause_reading()
        return transport

    def _take(self, event: BrokerEvent) -> None:
        if isinstance(event, StreamGranted):
            event = self._open_granted(event)
        super()._take(event)

    def _open_granted(self, event: StreamGranted) -> StreamGranted | DialFailed:
        """Open the stream that the peer takes for this dial's."""
        try:
            transport = self._open()
        except ConnectionError as error:
            return DialFailed(event.dial, PluginLostError(f"error dialling new client stream: {error}"))
        future = self._dials.get(event.dial)
        if future is not None and not future.done():
            self._granted[event.dial] = transport
        else:
            transport.close()
        return event

    def _give_up(self, dial: int) -> None:
        super()._give_up(dial)
        transport = self._granted.pop(dial, None)
        if transport is not None:
            transport.close()


class _MultiplexedServed(Served):
    def __init__(self, broker: MultiplexedBroker, service_id: int, server: PluginServer) -> None:
        super().__init__(service_id)
        self._broker = broker
        self._server = server

    async def _close(self) -> None:
        self._broker.end(self)
        await self._server.end(END_SECONDS)
        self._broker.forget(self)


class _StreamChannel(Channel):
    """A channel whose connections are streams of a session; `stream` gives one on which nothing is read yet."""

    def __init__(
        self,
        stream: Callable[[], Awaitable[asyncio.Transport]],
        tls: ssl.SSLContext | None,
        timeout: float | None = None,
    ) -> None:
        super().__init__(**channel_options(tls))
        self._stream = stream
        self._first: asyncio.Transport | None = None
        self._tls = tls
        self._timeout = handshake_seconds(timeout)

    async def connect(self, first: asyncio.Transport) -> None:
        """Connect now, on this stream. Raises OSError."""
        self._first = first
        await self.__connect__()

    async def make_link(self) -> ClientLink:
        transport, self._first = self._first, None
        if transport is None:
            transport = await self._stream()
        link = self.new_link()
        if self._tls is None:
            _begin(transport, link)
            return link
        shaken = asyncio.get_running_loop().create_future()
        _begin(transport, _over_tls(link, self._tls, shaken, self._timeout))
        try:
            await shaken
        except BaseException:
            transport.close()
            raise
        return link


class _Refusal(asyncio.Protocol):
    """Nobody wants this stream."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


def _begin(transport: asyncio.Transport, protocol: asyncio.BaseProtocol) -> None:
    transport.set_protocol(protocol)
    protocol.connection_made(transport)
    transport.resume_reading()


def _over_tls(
    protocol: asyncio.BaseProtocol,
    context: ssl.SSLContext,
    shaken: asyncio.Future[None],
    timeout: float = HANDSHAKE_SECONDS,
    *,
    server_side: bool = False,
) -> SSLProtocol:
    """What a loop puts between a transport and `protocol`; `shaken` hears when the handshake is over."""
    hostname = None if server_side else NAME
    loop = asyncio.get_running_loop()
    limit: Any = timeout     # typeshed knows whole seconds only
    return SSLProtocol(loop, protocol, context, shaken, server_side, hostname, ssl_handshake_timeout=limit)


def _report(shaken: asyncio.Future[None]) -> None:
    """Nobody else would hear why a client was refused."""
    import ssl

    error = shaken.exception()
    if isinstance(error, OSError):
        text = explain(error) if isinstance(error, ssl.SSLError) else error
        log.warning("connection refused: authentication handshake failed: %s", text)
