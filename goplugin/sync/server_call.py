"""Calls at the server's end of the blocking runtime, and how they end."""
from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

from ..context import CallContext, Extras
from ..core.errors import LocalProtocolError, RemoteError
from ..core.http2 import MessageReceived, Status, StreamWritable
from ..core.status import Code
from .methods import as_status

if TYPE_CHECKING:
    from ..core.http2 import Event, MetadataLike, RequestHead, ServerConnection
    from .link import Link
    from .methods import Method

__all__ = ["DEADLINE_EXCEEDED", "NO_THREAD", "StreamCall", "deadline_of", "send_end", "send_reply"]

_OK = Status(Code.OK)
_NO_EXTRAS = Extras()
DEADLINE_EXCEEDED = Status(Code.DEADLINE_EXCEEDED, "context deadline exceeded")
NO_THREAD = Status(Code.RESOURCE_EXHAUSTED, "the plugin's process can start no thread for this call")
_CANCELLED = Status(Code.CANCELLED, "context canceled")


class StreamCall(CallContext):
    """A call with a stream of requests or of replies, or both; run by a thread of its own.

    It is the context that its method is given.
    """

    __slots__ = (
        "_begun", "_changed", "_inbox", "_link", "_machine", "_method", "_no_more", "_over", "_writable", "stream_id",
    )

    def __init__(
        self,
        link: Link[ServerConnection],
        method: Method,
        stream_id: int,
        head: RequestHead,
        message: bytes | None,
    ) -> None:
        """`message` is the only request, if that is no stream."""
        super().__init__(head.metadata, deadline_of(head))
        self.stream_id = stream_id
        self._link = link
        self._machine = link.machine
        self._method = method
        self._changed = threading.Condition(link.lock)
        self._inbox: deque[bytes] = deque(() if message is None else (message,))
        self._no_more = message is not None         # requests than those in the inbox
        self._begun = False                         # the answer
        self._writable = True
        self._over = False

    # --- for the thread that reads ---

    def receive(self, event: Event) -> None:
        """Something came for this call. With the lock held."""
        if isinstance(event, MessageReceived):
            self._inbox.append(event.message)
        elif isinstance(event, StreamWritable):
            self._writable = True
        else:
            self._no_more = True
        self._changed.notify_all()

    def cancel(self) -> None:
        """Nobody wants the answer any more."""
        with self._link.lock:
            self._over = True
            self._changed.notify_all()
        self.end(True)

    # --- for the thread that runs the method ---

    def run(self) -> None:
        """The whole call."""
        try:
            self._answer()
            status = _CANCELLED if self._over else DEADLINE_EXCEEDED if self.cancelled else _OK
        except BaseException as error:  # noqa: BLE001 - the border: nobody above could take it
            status = DEADLINE_EXCEEDED if self.time_remaining() == 0 else as_status(self._method.path, error)
        with self._link.lock:
            send_end(self._link, self.stream_id, self, status)
            # The method may have left a thread behind that waits for requests.
            self._over = True
            self._changed.notify_all()
        self._link.see_out()
        self.end(False)

    def send_initial_metadata(self, metadata: MetadataLike = ()) -> None:
        super().send_initial_metadata(metadata)
        with self._link.lock:
            self._begin()
        self._link.see_out()

    def _answer(self) -> None:
        method = self._method
        request = self._requests() if method.client_streams else method.request(self._inbox.popleft())
        result: Any = method.function(request, self)
        if not method.server_streams:
            self._send(result)
            return
        try:
            for reply in result:
                if not self._send(reply):
                    break
        finally:
            if isinstance(result, Generator):
                result.close()

    def _requests(self) -> Iterator[Any]:
        """The requests as they come. Raises RemoteError if the call is cancelled meanwhile."""
        while (message := self._next_message()) is not None:
            yield self._method.request(message)

    def _next_message(self) -> bytes | None:
        with self._link.lock:
            while not (self._inbox or self._no_more or self._over):
                self._changed.wait()
            if self._over:
                raise RemoteError(Code.CANCELLED, "context canceled")
            if not self._inbox:
                return None
            message = self._inbox.popleft()
            self._link.do(self._machine.acknowledge_message, self.stream_id, len(message))
        self._link.see_out()
        return message

    def _send(self, reply: Any) -> bool:
        """Send a reply when the one before has been taken; returns whether the next one is wanted."""
        message: bytes = reply.SerializeToString()
        with self._link.lock:
            while not (self._writable or self._over):
                self._changed.wait()
            if self._over:
                return False
            if not self._begun:
                self._begin()
            self._writable = self._link.do(self._machine.send_message, self.stream_id, message)
        self._link.see_out()
        return True

    def _begin(self) -> None:
        metadata = (self.extras or _NO_EXTRAS).initial_metadata
        self._link.do(self._machine.send_response, self.stream_id, metadata)
        self._begun = True


def deadline_of(head: RequestHead) -> float | None:
    """When the caller stops waiting, on `time.monotonic`'s clock."""
    return None if head.timeout is None else time.monotonic() + head.timeout


def send_reply(link: Link[ServerConnection], stream_id: int, context: CallContext, message: bytes) -> None:
    """Answer a call, unless it is over. With the lock held."""
    extras = context.extras or _NO_EXTRAS
    try:
        link.do(
            link.machine.send_unary_reply, stream_id, message, extras.initial_metadata, extras.trailing_metadata
        )
    except LocalProtocolError as error:     # the method's metadata
        link.do(link.machine.send_status, stream_id, Code.INTERNAL, str(error))


def send_end(link: Link[ServerConnection], stream_id: int, context: CallContext, status: Status) -> None:
    """End a call, unless it is over. With the lock held."""
    trailers = (context.extras or _NO_EXTRAS).trailing_metadata
    send_status = link.machine.send_status
    try:
        link.do(send_status, stream_id, status.code, status.message, status.details, trailers)
    except LocalProtocolError as error:     # the method's metadata, or a text that is longer than the client takes
        link.do(send_status, stream_id, Code.INTERNAL, str(error))
