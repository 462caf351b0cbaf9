"""One call of any kind, message by message: the client's end of it in the blocking runtime."""
from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from time import monotonic
from typing import TYPE_CHECKING

from ..core.errors import LocalProtocolError, PluginLostError, RemoteError
from ..core.http2 import MessageReceived, ResponseEnded, ResponseStarted, StreamReset, StreamWritable, UnaryResponse
from ..core.status import Code
from ..details import decode_details
from .mailroom import FOREVER

if TYPE_CHECKING:
    from ..core.http2 import ClientConnection, Event, Metadata, Status
    from .link import Link
    from .mailroom import Mailbox, Mailroom

__all__ = ["Call", "as_error"]

_CLOCK_SLACK_SECONDS = 0.02


class Call:
    """A call that is under way. One thread may send while another one receives.

    As a context manager it cancels what has not come to its end. `status` says how the call ended, and has the trailing
    metadata; it is None until `receive` has come upon the end.

    Its methods raise RemoteError for an end that is no success, and for a deadline that has passed; PluginLostError if
    the connection is gone. An exception that comes from elsewhere while they wait cancels the call.
    """

    def __init__(self, link: Link[ClientConnection], mailroom: Mailroom, stream_id: int, deadline: float) -> None:
        """With the lock held."""
        self._link = link
        self._machine = link.machine
        self._mailroom = mailroom
        self._id = stream_id
        self._deadline = deadline
        self._inbox = mailroom.open(stream_id)
        self._credit = mailroom.open(-stream_id)
        self._over = False                  # as far as the sender knows
        self._metadata: Metadata | None = None
        self._messages: deque[bytes] = deque()
        self._error: RemoteError | None = None
        self.status: Status | None = None

    # --- sending ---

    def send(self, message: bytes, *, end: bool = False) -> bool:
        """Send one message, and with `end` the end of the request behind it; waits until all of it is on its way.

        Returns False if the call is over and nobody wants messages any more; `receive` tells why.
        Raises LocalProtocolError behind the end of the request.
        """
        if not self._over and not self._do(-self._id, self._machine.send_message, self._id, message, end):
            # While nobody waits nobody reads, so now is the time to wait for the peer's credit.
            self._over = not isinstance(self._wait(-self._id), StreamWritable)
        return not self._over

    def end(self) -> None:
        """There are no more messages."""
        self._do(-self._id, self._machine.send_end, self._id)

    # --- receiving ---

    def receive(self) -> bytes | None:
        """The next message, or None if the call has ended well."""
        while not self._messages and self.status is None:
            self._advance()
        if not self._messages:
            if self._error is not None:
                raise self._error
            return None
        message = self._messages.popleft()
        self._do(self._id, self._machine.acknowledge_message, self._id, len(message))
        return message

    def __iter__(self) -> Iterator[bytes]:
        while (message := self.receive()) is not None:
            yield message

    def initial_metadata(self) -> Metadata:
        """What the server said before its first message; () if it ended the call without."""
        while self._metadata is None and self.status is None:
            self._advance()
        return self._metadata or ()

    # --- ends ---

    def cancel(self) -> None:
        """End the call if it still goes on; from any thread. A thread that waits for it gets RemoteError CANCELLED."""
        self._mailroom.cancel(self._id)

    def __enter__(self) -> Call:
        return self

    def __exit__(self, *exc: object) -> None:
        if self.status is None:
            self.cancel()

    # --- inside ---

    def _advance(self) -> None:
        event = self._wait(self._id)
        if isinstance(event, MessageReceived):
            self._messages.append(event.message)
        elif isinstance(event, ResponseStarted):
            self._metadata = event.metadata
        elif isinstance(event, ResponseEnded | StreamReset):
            self._error = as_error(event, self._deadline) if event.status.code else None
            self.status = event.status

    def _wait(self, key: int) -> Event:
        try:
            return self._mailroom.wait(key, self._mailbox(key), self._deadline)
        except BaseException:
            self._mailroom.give_up(key)
            raise

    def _do(self, key: int, step: Callable[..., bool | None], *args: object) -> bool:
        try:
            with self._link.lock:
                result = self._link.do(step, *args)
            if self._link.unsent:
                self._mailroom.see_out(key, self._mailbox(key), self._deadline)
        except LocalProtocolError:
            raise
        except BaseException:
            self._mailroom.give_up(key)
            raise
        return bool(result)

    def _mailbox(self, key: int) -> Mailbox:
        """That of the thread that receives, or of the one that sends."""
        return self._inbox if key > 0 else self._credit


def as_error(event: Event, deadline: float = FOREVER) -> RemoteError:
    """What the last event of a call raises if it is no success; `deadline` is the call's."""
    assert isinstance(event, UnaryResponse | ResponseEnded | StreamReset)
    status = event.status
    code, text = status.code, status.message
    if isinstance(event, StreamReset):
        if event.error_code is None:
            return PluginLostError(text)
        # A Go plugin that comes upon the deadline first resets the stream, and its clock may be a little ahead.
        if code is Code.CANCELLED and monotonic() > deadline - _CLOCK_SLACK_SECONDS:
            code, text = Code.DEADLINE_EXCEEDED, ""
    # Which side notices first is chance, and not every server says it with a text.
    text = text or ("context deadline exceeded" if code is Code.DEADLINE_EXCEEDED else "")
    return RemoteError(code, text, decode_details(status.details) if status.details else ())
