"""A yamux session on an asyncio transport: every stream is a transport itself.

Any protocol sits on one: `goplugin.aio`, grpclib's own, and TLS by `loop.start_tls`.

Rule 1: the session answers pings, and takes streams into its backlog, without anybody's help.
Rule 2: while the connection is full nothing is taken from the machine, and what the streams write waits with them.
Rule 3: a stream's octets are the peer's credit again when its protocol has taken them. A protocol that pauses reading
holds up its own peer, and nobody else.
Rule 4: what the protocols write while received data is handed to them leaves as one piece behind it.
"""
from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import TypeVar, cast

from .core import yamux
from .core.errors import RemoteProtocolError
from .core.yamux import DataReceived, Event, SessionEnded, StreamFinished, StreamOpened, StreamReset, StreamWritable
from .mux_transport import StreamTransport

__all__ = ["Session"]

log = logging.getLogger("goplugin.mux")

ProtocolT = TypeVar("ProtocolT", bound=asyncio.BaseProtocol)

_READ_SIZE = 64 * 1024


class Session(asyncio.BufferedProtocol):
    """The protocol of a connection that carries streams; `client` is our role.

        _, session = await loop.create_unix_connection(lambda: Session(client=True), path)
        transport, protocol = session.open(Protocol)

    `machine`: what the streams send with; whoever does calls `flush` behind it.
    `full`: the connection takes nothing now.
    """

    def __init__(self, *, client: bool) -> None:
        self.machine = yamux.Session(client=client)
        self.full = False
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._failure = ""                  # why the session is over
        self._closed: asyncio.Future[None] = self._loop.create_future()
        self._streams: dict[int, StreamTransport] = {}
        self._offered: deque[StreamTransport] = deque()
        self._acceptors: deque[asyncio.Future[None]] = deque()
        self._gathering = False
        self._buffer = memoryview(bytearray(_READ_SIZE))

    # --- for whoever uses the session ---

    def open(self, protocol_factory: Callable[[], ProtocolT]) -> tuple[asyncio.Transport, ProtocolT]:
        """A new stream, on which may be written at once, with its protocol.

        Raises ConnectionError if the session is over, or the peer takes no more streams now.
        """
        self._check()
        if not self.machine.can_open:
            raise ConnectionError("the peer takes no more streams")
        stream = self._add(self.machine.send_open())
        self.flush()
        protocol = protocol_factory()
        stream.connect(protocol)
        return stream, protocol

    async def accept(self, protocol_factory: Callable[[], ProtocolT]) -> tuple[asyncio.Transport, ProtocolT]:
        """The next stream that the peer opens, in their order, with its protocol.

        Raises ConnectionError if the session is over. Cancelled, it has taken no stream.
        """
        while not self._offered:
            self._check()
            future = self._loop.create_future()
            self._acceptors.append(future)
            try:
                await future
            except asyncio.CancelledError:
                if future in self._acceptors:
                    self._acceptors.remove(future)
                else:
                    self._wake_acceptor()       # the stream was ours, and goes to the next
                raise
        stream = self._offered.popleft()
        self.machine.send_accept(stream.stream_id)
        self.flush()
        protocol = protocol_factory()
        stream.connect(protocol)
        return stream, protocol

    def go_away(self) -> None:
        """Take no more streams of the peer's; those there are go on."""
        self.machine.send_go_away()
        self.flush()

    def close(self) -> None:
        """End the session, behind what the connection was given; the streams end with it. Idempotent."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.write(self.machine.data_to_send())
            transport.close()
        self._end("the session is closed", by_us=True)

    def abort(self) -> None:
        """End the session at once. Idempotent."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.abort()
        self._end("the session is closed", by_us=True)

    async def wait_closed(self) -> None:
        """Wait until the connection is gone. Cancelling ends the waiting only."""
        await asyncio.shield(self._closed)

    # --- for the streams ---

    def flush(self) -> None:
        """See to it that what the machine wants to send is written."""
        if self._transport is not None and not (self.full or self._gathering):
            data = self.machine.data_to_send()
            if data:
                self._transport.write(data)

    def forget(self, stream_id: int) -> None:
        """The stream is over."""
        self._streams.pop(stream_id, None)

    def get_extra_info(self, name: str, default: object = None) -> object:
        """Of the connection below."""
        return default if self._transport is None else self._transport.get_extra_info(name, default)

    # --- what the loop calls ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.flush()

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.machine.receive_data(bytes(self._buffer[:nbytes]))
        self._take_events()

    def eof_received(self) -> None:
        """The peer is gone: yamux has no half-closed sessions, and the loop closes the transport now."""
        self.machine.receive_eof()
        self._take_events()

    def pause_writing(self) -> None:
        self.full = True

    def resume_writing(self) -> None:
        self.full = False
        self._gathering = True
        for stream in list(self._streams.values()):
            stream.go_on()
        self._gathering = False
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._end("the peer has closed the connection")
        self._closed.set_result(None)

    # --- inside ---

    def _check(self) -> None:
        if self._failure:
            raise ConnectionResetError(self._failure)

    def _take_events(self) -> None:
        self._gathering = True
        try:
            while (event := self.machine.next_event()) is not None:
                self._receive(event)
        except RemoteProtocolError as error:
            self._give_up(error)
        self._gathering = False
        self.flush()

    def _give_up(self, error: RemoteProtocolError) -> None:
        """Tell everybody, and the peer if it reads."""
        log.debug("session given up: %s", error)
        transport, self._transport = self._transport, None
        if transport is not None:
            if self.full:
                transport.abort()
            else:
                transport.write(self.machine.data_to_send())
                transport.close()
        self._end(f"the peer broke the protocol: {error}")

    def _receive(self, event: Event) -> None:
        if isinstance(event, StreamOpened):
            self._offered.append(self._add(event.stream_id))
            self._wake_acceptor()
        elif isinstance(event, SessionEnded):
            self._end("the peer has closed the connection")
        elif isinstance(event, DataReceived | StreamFinished | StreamWritable | StreamReset):
            stream = self._streams.get(event.stream_id)
            if stream is None:
                return
            if not isinstance(event, StreamReset):
                stream.take(event)
            elif not event.session_over:        # otherwise everybody hears of it, with the reason
                if stream in self._offered:
                    self._offered.remove(stream)
                stream.lose(ConnectionResetError("the peer has reset the stream"))

    def _add(self, stream_id: int) -> StreamTransport:
        stream = self._streams[stream_id] = StreamTransport(self, stream_id)
        return stream

    def _wake_acceptor(self) -> None:
        while self._acceptors:
            future = self._acceptors.popleft()
            if not future.done():
                future.set_result(None)
                return

    def _end(self, reason: str, *, by_us: bool = False) -> None:
        """The session is over: tell whoever waits for a stream, and the streams, behind what has come for them."""
        if self._failure:
            return
        self._failure = reason
        for stream in list(self._streams.values()):
            if by_us:
                stream.end(None)
            else:
                stream.lose(ConnectionResetError(reason))
        self._offered.clear()
        while self._acceptors:
            self._wake_acceptor()
