"""One call, as a method of a grpclib service has it in its hands: grpclib.server.Stream over our connection.

The only reply of a method is held back until the method ends or waits for something else. As a rule it ends at once,
and then reply and status leave in one piece.
Source: grpclib/server.py, Stream; what it says when it is used wrongly is what programs may look for, and is kept.
"""
from __future__ import annotations

import asyncio
import logging
import sys
import types
from collections import deque
from typing import TYPE_CHECKING, Any, TypeVar

from grpclib.const import Status as StatusCode
from grpclib.exceptions import GRPCError, ProtocolError
from grpclib.metadata import Deadline
from grpclib.server import Stream
from multidict import MultiDict

from ..core.errors import LocalProtocolError
from ..core.http2 import MessageReceived, RequestEnded, StreamReset, StreamWritable
from .translation import MetadataLike, multidict_of, pairs_of, refused, terminated
from .waiting import Wait, Waits

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator

    from grpclib.protocol import Peer

    from ..core.http2 import Event, RequestHead
    from .server import Method, ServerLink

__all__ = ["STARTS_AT_ONCE", "ServerStream"]

log = logging.getLogger("goplugin.aio")

SendT = TypeVar("SendT")
RecvT = TypeVar("RecvT")

STARTS_AT_ONCE = sys.version_info >= (3, 12)
"""Whether a method has begun when `start` returns."""

_CANCELLED = GRPCError(StatusCode.CANCELLED, "context canceled")
_EXPIRED = GRPCError(StatusCode.DEADLINE_EXCEEDED)


class ServerStream(Stream[RecvT, SendT]):
    """A call; `request` is its only message if the method takes no others, and None if messages follow.

    `task` runs the method, and is cancelled when nobody waits for its answer any more.
    """

    task: asyncio.Task[None]

    # What most calls never change stands here, and need not be written for each.
    deadline: Deadline | None = None
    _begun = False
    _expired = False                        # the deadline has passed
    _over = False                           # nothing that is sent reaches the client any more
    _timer: asyncio.TimerHandle | None = None
    _head_sent = False
    _message_sent = False
    _drained = True                         # no message waits for the client's credit
    _reply: bytes | None = None             # is held back
    _made_waits: Waits | None = None
    _metadata: Any = None

    def __init__(
        self, link: ServerLink, stream_id: int, head: RequestHead, method: Method, request: bytes | None
    ) -> None:
        self._link = link
        self._id = stream_id
        self._head = head
        self._method = method
        self._whole = self._ended = request is not None
        self._messages: deque[bytes] = deque() if request is None else deque((request,))
        self._listeners = link.server.listeners
        if head.timeout is not None:
            self.deadline = Deadline.from_timeout(head.timeout)
            self._timer = link.loop.call_later(head.timeout, self._expire)

    @property
    def metadata(self) -> Any:  # pyright: ignore[reportIncompatibleVariableOverride] - nobody else sets it
        """What the client sent beside its messages."""
        if self._metadata is None:
            self._metadata = multidict_of(self._head.metadata)
        return self._metadata

    @property
    def user_agent(self) -> str | None:  # pyright: ignore[reportIncompatibleVariableOverride]
        """What the client calls itself."""
        return self._head.user_agent or None

    @property
    def peer(self) -> Peer:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The client."""
        return self._link.peer

    @property
    def _waits(self) -> Waits:
        waits = self._made_waits
        if waits is None:
            waits = self._made_waits = Waits(self._link.loop)
        return waits

    # --- receiving ---

    async def recv_message(self) -> RecvT | None:
        """The next message, or None if there are no more."""
        while not self._messages:
            if self._ended:
                return None
            await self._waits.change()
        data = self._messages.popleft()
        link = self._link
        if not self._whole:
            link.machine.acknowledge_message(self._id, len(data))
            link.flush()
        message = link.server.codec.decode(data, self._method.request_type)
        if self._listeners is not None:
            message, = await self._listeners.recv_message(message)
        return message

    # --- sending ---

    async def send_initial_metadata(self, *, metadata: MetadataLike | None = None) -> None:
        """Begin the answer. Raises ValueError or TypeError for metadata that cannot be sent."""
        await self._begin(metadata)
        self._link.flush()

    async def send_message(self, message: SendT) -> None:
        """Send a message, and the head of the answer before it if that has not been sent.

        Returns when the message is on its way; a client that is slow to read delays that.
        """
        if self._method.streams_replies or self._head_sent or self._listeners is not None:
            await self._send_message(message)
            return
        if self._message_sent:
            raise ProtocolError("Message was already sent")
        self._check_open()
        self._reply = self._encode(message)
        self._message_sent = True

    async def _send_message(self, message: SendT) -> None:
        if not self._head_sent:
            await self._begin(None)
        if self._message_sent and not self._method.streams_replies:
            raise ProtocolError("Message was already sent")
        if self._listeners is not None:
            message, = await self._listeners.send_message(message)
        data = self._encode(message)
        link = self._link
        if link.full:
            await link.writable()
        self._check_open()
        self._drained = link.machine.send_message(self._id, data)
        link.flush(len(data))
        self._message_sent = True
        while not self._drained:
            await self._waits.change()

    async def send_trailing_metadata(
        self,
        *,
        status: StatusCode = StatusCode.OK,
        status_message: str | None = None,
        status_details: Any = None,
        metadata: MetadataLike | None = None,
    ) -> None:
        """End the answer; if it has not begun, this is all of it.

        Raises ValueError or TypeError for metadata that cannot be sent, or too much of it.
        """
        if self._over:
            self._waits.check()
            raise ProtocolError("Trailing metadata was already sent")
        if not self._method.streams_replies and not self._message_sent and status is StatusCode.OK:
            raise ProtocolError("Unary response with OK status requires a single message to be sent")
        details = b""
        codec = self._link.server.status_details_codec
        if status_details is not None and codec is not None:
            details = codec.encode(status, status_message, status_details)
        if self._listeners is not None:
            metadata, = await self._listeners.send_trailing_metadata(
                MultiDict(metadata or ()), status=status, status_message=status_message, status_details=status_details
            )
        self._end(status, status_message, details, metadata)

    async def cancel(self) -> None:
        """Reset the call: the client hears that there will be no answer."""
        if self._over:
            self._waits.check()
        self._link.machine.send_reset(self._id)
        self._link.flush()
        self._over = True
        self._waits.fail(ProtocolError("Stream was already cancelled"))

    async def _begin(self, metadata: MetadataLike | None) -> None:
        if self._head_sent or self._reply is not None:
            raise ProtocolError("Initial metadata was already sent")
        if self._listeners is not None:
            metadata, = await self._listeners.send_initial_metadata(MultiDict(metadata or ()))
        self._check_open()
        pairs = pairs_of(metadata)
        try:
            self._link.machine.send_response(self._id, pairs)
        except LocalProtocolError as error:
            raise refused(pairs, error) from error
        self._head_sent = True

    def _encode(self, message: SendT) -> bytes:
        return self._link.server.codec.encode(message, self._method.reply_type)

    def _let_go(self) -> None:
        """The method goes on behind its reply, for which the client need not wait."""
        reply, self._reply = self._reply, None
        if reply is not None and not self._over:
            machine = self._link.machine
            machine.send_response(self._id)
            machine.send_message(self._id, reply)
            self._head_sent = True
            self._link.flush(len(reply))

    def _end(self, status: StatusCode, message: str | None, details: bytes, metadata: MetadataLike | None) -> None:
        if status is not StatusCode.OK:
            self._let_go()
        reply, pairs = self._reply, pairs_of(metadata) if metadata else ()
        try:
            if reply is None:
                self._link.machine.send_status(self._id, status.value, message or "", details, pairs)
            else:
                self._link.machine.send_unary_reply(self._id, reply, (), pairs)
        except LocalProtocolError as error:
            raise refused(pairs, error) from error
        self._reply = None
        self._over = True
        self._link.flush()

    def _check_open(self) -> None:
        """Raises what ended the call, if it has ended."""
        if self._made_waits is not None:
            self._made_waits.check()
        if self._over:
            raise ProtocolError("Trailing metadata was already sent")

    # --- from beginning to end ---

    def start(self) -> None:
        """Run the method in a task of the call's own; at once, as far as it comes without waiting, if asyncio can."""
        if sys.version_info >= (3, 12):
            asyncio.Task(self._handle_at_once(), loop=self._link.loop, eager_start=True)
        else:
            self.task = self._link.loop.create_task(self._handle())

    async def _handle_at_once(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.task = task
        await self._handle()

    async def _handle(self) -> None:
        """Run the method, and end the call as it ended. Here an author's code meets the wire."""
        self._begun = True
        error = None
        try:
            try:
                function = self._method.function if self._listeners is None else await self._announce()
                if self._method.streams_replies:
                    await function(self)
                else:
                    await _watch(function(self), self._let_go)
                if not (self._over or self._expired):
                    if self._reply is None:
                        await self.send_trailing_metadata()
                    else:
                        self._end(StatusCode.OK, None, b"", None)
            except GRPCError as raised:
                error = raised
            except asyncio.CancelledError:
                error = _CANCELLED
            except Exception as raised:  # noqa: BLE001 - the border: an author's code may raise anything
                error = _CANCELLED if self._over else self._link.server.failure(self._head.path, raised)
            if self._expired:
                error = _EXPIRED
            if error is not None and not self._may_be_silent():
                await self._fail(error)
        finally:
            self._release()

    def interrupt(self) -> None:
        """Nobody waits for the answer any more. The method hears it once, and may clean up in peace."""
        if not self.task.cancelling():
            self.task.cancel()
            if not self._begun:
                self._release()         # it never will

    def receive(self, event: Event, woken: list[Wait]) -> None:
        """Something has come for this call; the tasks that have waited for it are `woken`."""
        if isinstance(event, MessageReceived):
            self._messages.append(event.message)
        elif isinstance(event, RequestEnded):
            self._ended = True
        elif isinstance(event, StreamWritable):
            self._drained = True
        elif isinstance(event, StreamReset):
            self._over = True
            self._waits.fail(terminated(event))
            self.interrupt()
        if self._made_waits is not None:
            self._made_waits.wake(woken)

    def _release(self) -> None:
        """The method has ended."""
        if self._timer is not None:
            self._timer.cancel()
        if not self._may_be_silent():
            error = _EXPIRED if self._expired else _CANCELLED
            self._end(error.status, error.message, b"", None)
        self._link.forget(self._id)

    async def _announce(self) -> Any:
        """Let listeners see the request; returns the method to run."""
        self._metadata, function = await self._listeners.recv_request(
            self.metadata,
            self._method.function,
            method_name=self._head.path,
            deadline=self.deadline,
            content_type=self._head.content_type,
            user_agent=self.user_agent,
            peer=self.peer,
        )
        return function

    async def _fail(self, error: GRPCError) -> None:
        try:
            await self.send_trailing_metadata(
                status=error.status, status_message=error.message, status_details=error.details
            )
        except Exception:  # a status that is too large, details that have no codec, a listener: an error it stays
            log.exception("%s: the status cannot be sent as it is", self._head.path)
            self._end(error.status, None, b"", None)

    def _may_be_silent(self) -> bool:
        """Whether the client needs no status: the call is over, or the connection will be."""
        return self._over or self._link.closing

    def _expire(self) -> None:
        if not self._over:
            self._expired = True
            self.interrupt()


@types.coroutine
def _watch(awaitable: Awaitable[None], waits: Callable[[], None]) -> Generator[Any, Any, None]:
    """`await awaitable`, and call `waits` each time when it waits for something."""
    steps: Any = awaitable.__await__()
    step: Callable[[Any], Any] = steps.send
    argument: Any = None
    while True:
        try:
            waited_for = step(argument)
        except StopIteration:
            return
        waits()
        try:
            argument = yield waited_for
            step = steps.send
        except BaseException as error:  # noqa: BLE001 - for the awaitable to handle
            argument = error
            step = steps.throw
