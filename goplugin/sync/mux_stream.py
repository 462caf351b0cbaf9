"""One stream of a yamux session, with the methods of `stream.Stream`.

What it holds is changed by the session, with the session's lock held, but for two things that belong to the stream's
reader: it takes from `inbox`, and counts what it took.
"""
from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from ..core.yamux import INITIAL_WINDOW, DataReceived, StreamFinished, StreamWritable
from .lead import Follower
from .stream import TICK

if TYPE_CHECKING:
    import threading

    from .mux import Session

__all__ = ["MuxStream"]

# Less would not be worth a frame: the machine gives credit back by the half window.
_ENOUGH = INITIAL_WINDOW // 2


class MuxStream(Follower):
    """Made by `Session.open` and `Session.accept`.

    `id`: the stream's, in the session.
    `ticks`: whether `recv` waits for a tick only.
    `inbox`: what has come.
    `taken`: octets that the reader has got, and the peer has not been given again.
    `finished`: nothing more will come. `failure` says why, unless the peer has finished properly, or we have.
    `blocked`: nothing can be sent for want of the peer's credit.
    """

    def __init__(self, session: Session, stream_id: int, lock: threading.Lock) -> None:
        super().__init__(lock)
        self._session = session
        self._closed = False
        self.id = stream_id
        self.ticks = True
        self.inbox: deque[bytes] = deque()
        self.taken = 0
        self.finished = False
        self.failure = ""
        self.blocked = False

    # --- for whoever uses the stream ---

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        """Raises ConnectionResetError if the stream ended before the peer had finished."""
        if self.taken >= _ENOUGH:
            self._session.acknowledge(self)
        inbox = self.inbox
        if not inbox and not self._arrives(bool(flags)):
            raise BlockingIOError
        if not inbox:
            if self.failure:
                raise ConnectionResetError(self.failure)
            return b""
        data = inbox[0]
        length = len(data)
        # From here on there is no step of the interpreter that handles signals: what leaves the inbox gets through.
        if length > size:
            inbox[0] = data[size:]
            self.taken += size
            return data[:size]
        del inbox[0]
        self.taken += length
        return data

    def send(self, data: bytes | memoryview, flags: int, /) -> int:
        """Raises ConnectionError if the stream is over."""
        size = self._session.send(self, data)
        if data and not size:
            raise BlockingIOError
        return size

    def wait(self, *, reading: bool, writing: bool, timeout: float) -> None:
        if reading and self.taken >= _ENOUGH:
            self._session.acknowledge(self)

        def ready() -> bool:
            return (reading and self._readable()) or (writing and self._writable())

        # Whoever leads sees what is read, but not when the connection takes more again.
        self._session.wait_for(self, ready, timeout, may_lead=not (writing and self._session.full))

    def shut_down(self) -> None:
        self._session.drop(self)

    def close(self) -> None:
        self._session.drop(self)

    # --- for the session ---

    @property
    def over(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._closed or bool(self.failure)

    def take(self, event: DataReceived | StreamFinished | StreamWritable) -> None:
        """Something came for the stream."""
        if isinstance(event, DataReceived):
            self.inbox.append(event.data)
        elif isinstance(event, StreamFinished):
            self.finished = True
        else:
            self.blocked = False
        self.changed.notify_all()

    def fail(self, reason: str) -> None:
        """The stream is over, but what has come can still be read."""
        self.failure = reason
        self.finished = True
        self.changed.notify_all()

    def leave(self) -> None:
        """We want no more of the stream."""
        self._closed = self.finished = True
        self.changed.notify_all()

    # --- inside ---

    def _arrives(self, now: bool) -> bool:
        """Whether there is something to read, or the end; waits for it unless it has to be there now."""
        if now:
            self._session.look()
            return self._readable()
        return self._session.wait_for(self, self._readable, TICK if self.ticks else None)

    def _readable(self) -> bool:
        return bool(self.inbox) or self.finished

    def _writable(self) -> bool:
        return self.over or not (self.blocked or self._session.full)
