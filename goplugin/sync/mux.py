"""A yamux session for the blocking runtime: streams that do what a socket's stream does.

Whatever runs over `stream.Stream` runs over one of these unchanged: a Channel, a server's Connection, TLS.

Rule 1: the session answers pings, and takes streams into its backlog, without anybody's help; who reads, is the
business of `lead.py`.
Rule 2: the lock guards the machine and the order of what is written, and nobody waits for the peer while holding it.
Rule 3: what could not be written at once is seen out by another thread, which is there for that long; until then no
stream takes more.
Rule 4: what was received stays the peer's credit until the stream's reader comes back for more. A stream that nobody
reads holds up its own peer, and nobody else.
Rule 5: a signal handler's exception, such as KeyboardInterrupt, from the middle of the machine's work ends the session:
nobody knows then what the machine has done and the peer has seen.
"""
from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

from ..core import yamux
from ..core.errors import RemoteProtocolError
from ..core.yamux import DataReceived, Event, StreamFinished, StreamOpened, StreamReset, StreamWritable
from .lead import Lead
from .mux_stream import MuxStream
from .stream import NOW, TICK, Stream

__all__ = ["Session"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_LINGER_SECONDS = 1.0


class Session:
    """A session on `stream`, which has ticks and belongs to the session from now on; `client` is our role."""

    def __init__(self, stream: Stream, *, client: bool) -> None:
        self._machine = yamux.Session(client=client)
        self._stream = stream
        self._send = stream.send
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)     # of what no stream waits for
        self._streams: dict[int, MuxStream] = {}
        self._offered: deque[MuxStream] = deque()
        self._unsent: bytes | memoryview = b""
        self._writer: threading.Thread | None = None
        self._busy = False                                  # somebody is, or was, in the middle of the machine's work
        self._failure = ""                                  # why the session is over
        self._lead = Lead(stream, self._lock, self._take, self._finish)
        self._lead.start()

    def open(self, *, ticks: bool = True) -> MuxStream:
        """A new stream, on which may be sent at once; with `ticks` false its `recv` waits for as long as it takes.

        Raises ConnectionError if the session is over, or the peer takes no more streams now.
        """
        with self._lock:
            self._check()
            if not self._machine.can_open:
                raise ConnectionError("the peer takes no more streams")
            stream = self._add(self._do(self._machine.send_open))
            stream.ticks = ticks
            return stream

    def accept(self, timeout: float | None = None, *, ticks: bool = False) -> MuxStream:
        """The next stream that the peer opens, in their order.

        Raises TimeoutError if none came within `timeout` seconds, and ConnectionError if the session is over.
        """
        with self._lock:
            if not self._changed.wait_for(lambda: self._offered or self._failure, timeout):
                raise TimeoutError("timeout waiting for accept")
            self._check()
            stream = self._offered.popleft()
            self._do(self._machine.send_accept, stream.id)
            stream.ticks = ticks
            return stream

    def go_away(self) -> None:
        """Take no more streams of the peer's; those there are go on. Raises ConnectionError if the session is over."""
        with self._lock:
            self._check()
            self._do(self._machine.send_go_away)

    def close(self) -> None:
        """End the session and with it all streams, behind what they have sent, if the peer reads that in a second.

        Idempotent, and from any thread; returns when the session's threads have ended.
        """
        with self._lock:
            self._changed.wait_for(lambda: self._failure or not self._unsent, _LINGER_SECONDS)
            self._end("the session is closed")
        self._lead.join()

    # --- for the streams ---

    @property
    def full(self) -> bool:
        """Whether the connection takes nothing now."""
        return bool(self._unsent)

    def send(self, stream: MuxStream, data: bytes | memoryview) -> int:
        """Send what the stream's peer and the connection take now. Raises ConnectionError if the stream is over."""
        with self._lock:
            self._check()
            if stream.over:
                raise BrokenPipeError(stream.failure or "the stream is closed")
            if self._unsent:
                return 0
            size = self._do(self._machine.send_data, stream.id, data)
            stream.blocked = size < len(data)
            return size

    def acknowledge(self, stream: MuxStream) -> None:
        """The stream's reader has consumed what it took. Raises ConnectionError if it was interrupted in that."""
        with self._lock:
            if not self._failure:
                self._check()
                self._do(self._give_credit, stream)

    def drop(self, stream: MuxStream) -> None:
        """Send no more on this stream, and take no more. Idempotent."""
        with self._lock:
            stream.leave()
            if self._streams.pop(stream.id, None) is not None and not self._is_over():
                self._machine.discard(stream.id)
                self._do(self._machine.send_end, stream.id)

    def look(self) -> None:
        """Read what is there now, if nobody else reads."""
        self._lead.look()

    def wait_for(
        self, stream: MuxStream, condition: Callable[[], bool], timeout: float | None, *, may_lead: bool = True
    ) -> bool:
        """Whether the condition, which changes with what comes for this stream, holds in time."""
        return self._lead.wait_for(stream, condition, timeout, may_lead=may_lead)

    # --- what was read; with the lock held ---

    def _take(self) -> None:
        """Give the machine what was received, and the streams what it makes of it."""
        inbox, machine = self._lead.inbox, self._machine
        while inbox and not self._is_over():
            data = inbox.popleft()
            if not data:
                self._end("the peer has closed the connection")
                return
            self._busy = True
            machine.receive_data(data)
            try:
                while (event := machine.next_event()) is not None:
                    self._dispatch(event)
            except RemoteProtocolError as error:
                self._flush()
                self._end(f"the peer broke the protocol: {error}")
            self._flush()
            self._busy = False

    def _dispatch(self, event: Event) -> None:
        if isinstance(event, StreamOpened):
            self._offered.append(self._add(event.stream_id))
            self._changed.notify()
        elif isinstance(event, DataReceived | StreamFinished | StreamWritable | StreamReset):
            stream = self._streams.get(event.stream_id)
            if stream is None:
                return
            if stream.waiting:
                self._lead.served = True
            if not isinstance(event, StreamReset):
                stream.take(event)
            elif not event.session_over:        # otherwise everybody hears of it, with the reason
                del self._streams[stream.id]
                if stream in self._offered:
                    self._offered.remove(stream)
                stream.fail("the peer has reset the stream")

    def _add(self, stream_id: int) -> MuxStream:
        stream = self._streams[stream_id] = MuxStream(self, stream_id, self._lock)
        return stream

    def _give_credit(self, stream: MuxStream) -> None:
        size, stream.taken = stream.taken, 0
        self._machine.acknowledge_data(stream.id, size)

    # --- the machine's work; with the lock held ---

    def _is_over(self) -> bool:
        """Whether the session is over, or has to be because somebody was interrupted."""
        if self._busy:
            self._end("interrupted in the middle of a write")
        return bool(self._failure)

    def _check(self) -> None:
        if self._is_over():
            raise ConnectionResetError(self._failure)

    def _do(self, step: Callable[[*Ts], T], *args: *Ts) -> T:
        """Let the machine take a step, and write what comes of it."""
        self._busy = True
        result = step(*args)
        self._flush()
        self._busy = False
        return result

    def _flush(self) -> None:
        """Write what the machine wants written, as far as that goes now, and see to it that the rest will be."""
        if self._unsent or self._failure:
            return
        self._unsent = self._machine.data_to_send()
        self._write()
        if self._unsent and self._writer is None:
            self._writer = threading.Thread(target=self._see_out, name="goplugin-mux-writer", daemon=True)
            try:
                self._writer.start()
            except RuntimeError:    # no thread can be started
                self._writer = None
                self._end("nobody can see out what the peer does not read yet")

    def _write(self) -> None:
        try:
            while self._unsent:
                written = self._send(self._unsent, NOW)
                if written < len(self._unsent):
                    self._unsent = memoryview(self._unsent)[written:]
                else:
                    self._unsent = self._machine.data_to_send()
        except BlockingIOError:
            pass
        except OSError:
            self._unsent = b""          # the connection is over, and reading will tell

    def _end(self, reason: str) -> None:
        """The session is over, and everybody hears why. Idempotent."""
        if self._failure:
            return
        self._failure = reason
        self._stream.shut_down()
        for stream in self._streams.values():
            stream.fail(reason)
        self._streams.clear()
        self._offered.clear()
        self._unsent = b""
        self._lead.stop()
        self._changed.notify_all()

    # --- threads of the session's own ---

    def _see_out(self) -> None:
        """Write what waits, as the peer reads."""
        while self._writer is not None:
            self._stream.wait(reading=False, writing=True, timeout=TICK)
            with self._lock:
                self._write()
                if not self._unsent:
                    self._writer = None
                    self._changed.notify_all()
                    for stream in self._streams.values():
                        stream.changed.notify_all()

    def _finish(self) -> None:
        """Nobody reads any more, for whatever reason."""
        with self._lock:
            self._end("nobody reads the connection any more")
            self._changed.wait_for(lambda: self._writer is None)
        self._stream.close()
