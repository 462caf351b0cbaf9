"""The client's end: grpclib's Channel over our connections.

A connection takes calls until it is lost or either side wants to go. The channel makes a new one for the next call
then; calls on the old one go on for as long as its server lets them.
"""
from __future__ import annotations

import asyncio
from collections import deque
from ssl import SSLError
from typing import TYPE_CHECKING, Any, TypeVar

from grpclib.exceptions import StreamTerminatedError
from grpclib.metadata import Deadline
from multidict import MultiDict

from ..core.errors import LocalProtocolError
from ..core.http2 import (
    ClientConnection,
    ConnectionEnded,
    Event,
    GoingAway,
    Metadata,
    PingAcknowledged,
    ResponseEnded,
    SettingsChanged,
    StreamReset,
    UnaryResponse,
)
from ..core.http2.frames import MAX_STREAM_ID
from .client_stream import ClientStream
from .grpclib_parts import ChannelBase
from .translation import MetadataLike, check_codec, limits_of, refused
from .transport import Link

if TYPE_CHECKING:
    import ssl as tls

    from grpclib.config import Configuration
    from grpclib.const import Cardinality
    from grpclib.encoding.base import CodecBase, StatusDetailsCodecBase

__all__ = ["Channel", "ClientLink"]

SendT = TypeVar("SendT")
RecvT = TypeVar("RecvT")



class ClientLink(Link[ClientConnection]):
    """One connection to a server; `others` are those of the same channel, which has to close them all.

    `open`: calls may begin here, at least when there is room.
    """

    _starts_tasks = False

    def __init__(self, machine: ClientConnection, others: set[ClientLink]) -> None:
        super().__init__(machine)
        self._streams: dict[int, ClientStream[Any, Any]] = {}
        self._queue: deque[asyncio.Future[None]] = deque()
        self._others = others
        self.open = False

    @property
    def ready(self) -> bool:
        """Whether a call may begin now."""
        return self.machine.can_call and not self.full

    async def room(self) -> None:
        """Wait until a call may perhaps begin, here or on another connection."""
        if self.full:
            await self.writable()
            return
        future = self.loop.create_future()
        self._queue.append(future)
        try:
            await future
        except asyncio.CancelledError:
            if not future.cancelled():
                self._admit(1)      # the place was ours, and goes to the next
            raise

    def send_request(self, stream: ClientStream[Any, Any], path: str, metadata: Metadata, timeout: float | None) -> int:
        """Begin a call; returns its id. Raises ValueError or TypeError for metadata that cannot be sent."""
        try:
            stream_id = self.machine.send_request(path, metadata, timeout)
        except LocalProtocolError as error:
            self._admit(1)      # whoever waits for room may have the place
            raise refused(metadata, error) from error
        return self._register(stream_id, stream)

    def send_unary_request(
        self, stream: ClientStream[Any, Any], path: str, message: bytes, metadata: Metadata, timeout: float | None
    ) -> int:
        """Begin a call whose request is one message, and whose answer comes as one event. Raises as `send_request`."""
        try:
            stream_id = self.machine.send_unary_request(path, message, metadata, timeout)
        except LocalProtocolError as error:
            self._admit(1)      # whoever waits for room may have the place
            raise refused(metadata, error) from error
        return self._register(stream_id, stream)

    def drop(self, stream_id: int) -> None:
        """Nobody waits for this call any more; a server that still works on it is told."""
        if self._streams.pop(stream_id, None) is not None:
            self.machine.send_reset(stream_id)
            self.flush()
            self._one_less()

    def close(self) -> None:
        """End the connection; calls under way end with StreamTerminatedError. Idempotent."""
        streams = list(self._streams.values())
        self._streams.clear()
        for stream in streams:
            stream.fail(StreamTerminatedError("Connection closed"))
        if self.open:
            self.machine.send_goaway()
        self._leave()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.open = True
        self._others.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        # What TLS 1.3 has to say of us comes after the handshake. Other words than the system's are a session's.
        if isinstance(exc, SSLError) or (isinstance(exc, OSError) and exc.errno is None):
            for stream in self._streams.values():
                refusal = StreamTerminatedError("Connection lost")
                refusal.__cause__ = exc
                stream.fail(refusal)
        super().connection_lost(exc)
        self._others.discard(self)
        self._leave()

    def _register(self, stream_id: int, stream: ClientStream[Any, Any]) -> int:
        self._streams[stream_id] = stream
        if stream_id >= MAX_STREAM_ID:
            self._leave()       # there are no more numbers on this connection, if after weeks
        return stream_id

    def _receive(self, event: Event) -> None:
        if isinstance(event, (UnaryResponse, ResponseEnded, StreamReset)):
            stream = self._streams.pop(event.stream_id, None)
            if stream is not None:
                stream.receive(event, self.woken)
            if self._queue or not self.open:
                self._one_less()
        elif isinstance(event, SettingsChanged):
            self._admit(len(self._queue))
        elif isinstance(event, (GoingAway, ConnectionEnded)):
            self._leave()
        elif not isinstance(event, PingAcknowledged):
            stream = self._streams.get(event.stream_id)
            if stream is not None:
                stream.receive(event, self.woken)

    def _one_less(self) -> None:
        if self._queue:
            self._admit(1)
        if not self.open:
            self._leave()

    def _leave(self) -> None:
        """No calls begin here any more; behind the last one the connection ends."""
        self.open = False
        self._admit(len(self._queue))
        if not self._streams:
            self.hang_up()

    def _admit(self, count: int) -> None:
        """Let the first of those who wait for room look again."""
        while count and self._queue:
            future = self._queue.popleft()
            if not future.done():
                future.set_result(None)
                count -= 1


class Channel(ChannelBase[ClientLink]):
    """A connection to a server, for generated stubs; made when the first call needs it, and again when it was lost.

    Takes what grpclib's Channel takes, without the deprecated `loop`. Raises ConfigError for a codec other than of
    protobuf, whose content type has a name of its own.
    """

    def __init__(
        self,
        host: str | None = None,
        port: int | None = None,
        *,
        path: str | None = None,
        codec: CodecBase | None = None,
        status_details_codec: StatusDetailsCodecBase | None = None,
        ssl: bool | tls.SSLContext | tls.DefaultVerifyPaths | None = None,
        config: Configuration | None = None,
    ) -> None:
        super().__init__(
            host, port, path=path, codec=codec, status_details_codec=status_details_codec, ssl=ssl, config=config
        )
        check_codec(self.codec)
        self._limits = limits_of(config)
        self._links: set[ClientLink] = set()

    def new_link(self) -> ClientLink:
        machine = ClientConnection(authority=self.authority, scheme=self.scheme, limits=self._limits)
        return ClientLink(machine, self._links)

    def request(
        self,
        name: str,
        cardinality: Cardinality,
        request_type: type[SendT],
        reply_type: type[RecvT],
        *,
        timeout: float | None = None,
        deadline: Deadline | None = None,
        metadata: MetadataLike | None = None,
    ) -> ClientStream[SendT, RecvT]:
        """A call of the method at this path; nothing is sent yet. Of `timeout` and `deadline` the earlier counts."""
        if timeout is not None:
            own = Deadline.from_timeout(timeout)
            deadline = own if deadline is None else min(own, deadline)
        pairs = MultiDict(metadata) if metadata else None       # a copy: the caller may go on with the original
        return ClientStream(self, name, pairs, cardinality, request_type, reply_type, deadline)

    def close(self) -> None:
        """Close the connection; calls under way end with StreamTerminatedError. A later call makes a new one."""
        self.forget_link()
        for link in list(self._links):
            link.close()
