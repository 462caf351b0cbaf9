"""One call, as a client of grpclib has it in its hands: grpclib.client.Stream over our connection.

A call with one message each way is sent whole, and one event answers it. Any other kind goes message by message, and so
does that one if the application sends the request before the message. Generated stubs make it with four coroutines
(enter, send, receive, exit), so what such a call does not need is not made before somebody asks for it.
Source: grpclib/client.py, Stream; what it says when it is used wrongly is what programs may look for, and is kept.
"""
from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, Any, TypeVar

from grpclib.client import Stream
from grpclib.const import Cardinality
from grpclib.encoding.base import GRPC_CONTENT_TYPE
from grpclib.exceptions import GRPCError, ProtocolError, StreamTerminatedError
from multidict import MultiDict

from ..core.http2 import MessageReceived, ResponseEnded, ResponseStarted, StreamReset, StreamWritable, UnaryResponse
from .translation import MetadataLike, multidict_of, pairs_of, status_of, terminated
from .waiting import Wait, Waits

if TYPE_CHECKING:
    import asyncio
    from types import TracebackType

    from grpclib.metadata import Deadline
    from grpclib.protocol import Peer

    from ..core.http2 import Event, Metadata, Status
    from .channel import Channel, ClientLink

__all__ = ["ClientStream"]

SendT = TypeVar("SendT")
RecvT = TypeVar("RecvT")


class ClientStream(Stream[SendT, RecvT]):
    """A call. `Channel.request` makes it, and `async with` bounds it; nothing is sent before the first coroutine."""

    # What most calls never change stands here, and need not be written for each.
    _link: ClientLink | None = None
    _id = 0
    _whole = False                          # request and answer go in one piece each
    _message_sent = False
    _ended = False                          # the application has said that it was the last message
    _drained = True                         # no message waits for the server's credit
    _cancelled = False
    _head: Metadata | None = None           # of the answer, once it has come
    _status: Status | None = None
    _head_taken = False
    _tail_taken = False
    _timer: asyncio.TimerHandle | None = None
    _made_waits: Waits | None = None
    _head_shown: Any = None                 # metadata, as the application or a listener has had it in its hands
    _tail_shown: Any = None

    def __init__(
        self,
        owner: Channel,
        path: str,
        metadata: MetadataLike | None,
        kind: Cardinality,
        request_type: type[SendT],
        reply_type: type[RecvT],
        until: Deadline | None,
    ) -> None:
        self._owner = owner
        self._path = path
        self._request_metadata = metadata
        self._unary = kind is Cardinality.UNARY_UNARY
        self._request_streams = not self._unary and kind is not Cardinality.UNARY_STREAM
        self._request_type = request_type
        self._reply_type = reply_type
        self._until = until
        self._messages: deque[bytes] = deque()
        self._listeners = owner.listeners

    @property
    def peer(self) -> Peer | None:  # pyright: ignore[reportIncompatibleVariableOverride] - nobody else sets it
        """The server, once the call has begun."""
        return None if self._link is None else self._link.peer

    @property
    def initial_metadata(self) -> Any:  # pyright: ignore[reportIncompatibleVariableOverride]
        """What came before the answer, once that has been received, else None."""
        if self._head_shown is None and self._head_taken:
            self._head_shown = multidict_of(self._head or ())
        return self._head_shown

    @property
    def trailing_metadata(self) -> Any:  # pyright: ignore[reportIncompatibleVariableOverride]
        """What came behind the answer, once that has been received, else None."""
        taken = self._tail_taken or (self._head_taken and self._head is None)
        if self._tail_shown is None and taken and self._status is not None:
            self._tail_shown = multidict_of(self._status.metadata)
        return self._tail_shown

    @property
    def _waits(self) -> Waits:
        waits = self._made_waits
        if waits is None:
            waits = self._made_waits = Waits(self._owner.loop)
        return waits

    # --- sending ---

    async def send_request(self, *, end: bool = False) -> None:
        """Begin the call; `end`: it has no messages."""
        if self._link is not None:
            raise ProtocolError("Request is already sent")
        if end and not self._request_streams:
            raise ProtocolError("Unary request requires a message to be sent before ending outgoing stream")
        link = await self._begin()
        if end:
            link.machine.send_end(self._id)
            self._ended = True
        link.flush()

    async def send_message(self, message: SendT, *, end: bool = False) -> None:
        """Send a message, and the request before it if that has not been sent; `end`: it is the last.

        Returns when the message is on its way; a server that is slow to read delays that.
        """
        link = self._link
        if link is None:
            if self._unary:
                if self._listeners is not None:
                    await self._announce()
                    message = await self._show(message)
                link = self._owner.link
                if link is None or not link.ready:
                    link = await self._free_link()
                self._send_whole(link, message)
                self._ended = end
                return
            link = await self._begin()
        if self._message_sent and not self._request_streams:
            raise ProtocolError("Message was already sent")
        if self._ended:
            raise ProtocolError("Stream is ended")
        self._check_open()
        if self._listeners is not None:
            message = await self._show(message)
        data = self._owner.codec.encode(message, self._request_type)
        while link.full:
            with self._waits.guard():
                await link.writable()
        self._drained = link.machine.send_message(self._id, data, end or not self._request_streams)
        link.flush(len(data))
        self._message_sent = True
        self._ended = self._ended or end
        while not self._drained and self._status is None:
            await self._waits.change()
        self._check_open()

    async def end(self) -> None:
        """Say that there are no more messages."""
        if self._link is None:
            raise ProtocolError("Request was not sent")
        if self._ended:
            raise ProtocolError("Stream was already ended")
        if self._request_streams:
            self._link.machine.send_end(self._id)
            self._link.flush()
        elif not self._message_sent:
            raise ProtocolError("Unary request requires a single message to be sent")
        self._ended = True

    async def cancel(self) -> None:
        """Give the call up; the server is told."""
        if self._link is None:
            raise ProtocolError("Request was not sent yet")
        if self._cancelled:
            raise ProtocolError("Stream was already cancelled")
        self._waits.check()
        self._cancelled = True
        self._link.drop(self._id)
        self._waits.fail(StreamTerminatedError("Stream was cancelled"))

    async def _begin(self) -> ClientLink:
        """Send the head of a request."""
        if self._listeners is not None:
            await self._announce()
        metadata = pairs_of(self._request_metadata)
        link = await self._free_link()
        self._id = link.send_request(self, self._path, metadata, self._timeout())
        self._link = link
        return link

    def _send_whole(self, link: ClientLink, message: SendT) -> None:
        """Send a request of one message."""
        data = self._owner.codec.encode(message, self._request_type)
        metadata = pairs_of(self._request_metadata) if self._request_metadata else ()
        timeout = None if self._until is None else self._timeout()
        self._id = link.send_unary_request(self, self._path, data, metadata, timeout)
        link.flush(len(data))
        self._link = link
        self._whole = self._message_sent = True

    async def _announce(self) -> None:
        """Let listeners see the request before it is sent."""
        with self._waits.guard():
            await self._owner.__connect__()
            self._request_metadata, = await self._listeners.send_request(
                self._request_metadata or MultiDict[str | bytes](),
                method_name=self._path,
                deadline=self._until,
                content_type=GRPC_CONTENT_TYPE,
            )

    async def _show(self, message: SendT) -> SendT:
        """Let listeners see a message before it is sent."""
        with self._waits.guard():
            message, = await self._listeners.send_message(message)
        return message

    async def _free_link(self) -> ClientLink:
        """A connection that takes the call now. Raises OSError if none can be made."""
        self._waits.check()
        while (link := self._owner.link) is None or not link.ready:
            with self._waits.guard():
                if link is None:
                    await self._owner.__connect__()
                else:
                    await link.room()
        return link

    def _timeout(self) -> float | None:
        """Seconds for the server: in whole milliseconds, so that most calls send the same, and never less than ours."""
        return None if self._until is None else math.ceil(self._until.time_remaining() * 1000) / 1000

    def _check_open(self) -> None:
        """Raises what ended the call; a server's error that came early ends it, and `__aexit__` tells of that one."""
        self._waits.check()
        if self._status is not None and self._status.code:
            raise StreamTerminatedError("the server has ended the call")

    # --- receiving ---

    async def recv_initial_metadata(self) -> None:
        """Wait for the head of the answer. Raises GRPCError if the answer is nothing but an error."""
        if self._link is None:
            raise ProtocolError("Request was not sent yet")
        if self._head_taken:
            raise ProtocolError("Initial metadata was already received")
        while self._head is None and self._status is None:
            await self._waits.change()
        if self._listeners is not None:
            metadata = multidict_of(self._head or ())
            with self._waits.guard():
                self._head_shown, = await self._listeners.recv_initial_metadata(metadata)
        self._head_taken = True
        if self._head is None and self._status is not None:
            await self._take_status(self._status)       # there is no head: the end is all of the answer

    async def recv_message(self) -> RecvT | None:
        """The next message, or None if there are no more."""
        if self._whole and self._listeners is None:
            while self._status is None:
                await self._waits.change()
            if self._head is not None:
                self._head_taken = True
        if not self._head_taken:
            await self.recv_initial_metadata()
        while not self._messages:
            if self._status is not None:
                return None
            await self._waits.change()
        data = self._messages.popleft()
        if self._link is not None and not self._whole:
            self._link.machine.acknowledge_message(self._id, len(data))
            self._link.flush()
        message = self._owner.codec.decode(data, self._reply_type)
        if self._listeners is not None:
            with self._waits.guard():
                message, = await self._listeners.recv_message(message)
        return message

    async def recv_trailing_metadata(self) -> None:
        """Wait for the end of the answer. Raises GRPCError if that is an error."""
        if not self._ended and (self._request_streams or not self._message_sent):
            raise ProtocolError("Outgoing stream was not ended")
        if not self._head_taken:
            raise ProtocolError("Initial metadata was not received before waiting for trailing metadata")
        if self._tail_taken:
            raise ProtocolError("Trailing metadata was already received")
        while self._status is None:
            await self._waits.change()
        self._tail_taken = True
        if self._head is not None:
            await self._take_status(self._status)

    async def _take_status(self, status: Status) -> None:
        if self._listeners is None and not status.code:
            return
        code, message, details = status_of(status, self._owner.status_details_codec)
        if self._listeners is not None:
            metadata = multidict_of(status.metadata)
            with self._waits.guard():
                self._tail_shown, = await self._listeners.recv_trailing_metadata(
                    metadata, status=code, status_message=message, status_details=details
                )
        if status.code:
            raise GRPCError(code, message, details)

    # --- from beginning to end ---

    async def __aenter__(self) -> ClientStream[SendT, RecvT]:
        if self._until is not None:
            remaining = self._until.time_remaining()
            expired = TimeoutError("Deadline exceeded")
            if not remaining:
                raise expired
            self._timer = self._owner.loop.call_later(remaining, self._waits.fail, expired)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None and self._whole and self._head_taken and self._listeners is None and self._has_succeeded():
            self._tail_taken = True
            if self._timer is not None:
                self._timer.cancel()
            return
        try:
            if error is None:
                await self._finish()
            elif isinstance(error, StreamTerminatedError):
                self._prefer_answer()
        except StreamTerminatedError:
            self._prefer_answer()
            raise
        finally:
            if self._timer is not None:
                self._timer.cancel()
            if self._link is not None:
                self._link.drop(self._id)

    def _has_succeeded(self) -> bool:
        return self._status is not None and not self._status.code

    async def _finish(self) -> None:
        """Wait for what the application has not waited for."""
        if self._link is None or self._cancelled:
            return
        if not self._head_taken:
            await self.recv_initial_metadata()
        if not self._tail_taken:
            await self.recv_trailing_metadata()

    def _prefer_answer(self) -> None:
        """A server that answers with an error resets the stream behind it; the answer says more than the reset."""
        if self._status is not None and self._status.code:
            raise GRPCError(*status_of(self._status, self._owner.status_details_codec))

    # --- what the connection calls ---

    def receive(self, event: Event, woken: list[Wait]) -> None:
        """Something has come for this call; the tasks that have waited for it are `woken`."""
        if isinstance(event, UnaryResponse):
            # An error without metadata is taken for one without a head; nobody can tell the difference any more.
            self._head = None if event.status.code and not event.metadata else event.metadata
            self._status = event.status
            if event.message is not None:
                self._messages.append(event.message)
        elif isinstance(event, MessageReceived):
            self._messages.append(event.message)
        elif isinstance(event, ResponseStarted):
            self._head = event.metadata
        elif isinstance(event, ResponseEnded):
            self._status = event.status
        elif isinstance(event, StreamWritable):
            self._drained = True
        elif isinstance(event, StreamReset):
            self._waits.fail(terminated(event))
            return
        if self._made_waits is not None:
            self._made_waits.wake(woken)

    def fail(self, error: Exception) -> None:
        """The call is over."""
        self._waits.fail(error)
