"""One client's connection at the server's end of the blocking runtime.

One thread reads at a time, the leader. It runs the methods of unary calls itself, in the order in which they came, and
everything else on other threads. While a method runs nobody reads; so if it takes long, `_relieve` gives the lead to
another thread, which goes on with what has been read already, and the thread that led before sends its reply and goes.
A method that took long is run on another thread the next time, until it takes no longer than that is worth. Where the
system has no thread for a call, the leader runs it after all, or refuses it if it is a stream; no other call suffers.

Rule 1: who leads is told by `_turn`, which changes with the lock held; a leader whose turn is over touches nothing here
any more but what the lock guards.
Rule 2: `running` and `_pending` belong to the leader alone.
Rule 3: the leader of the last turn closes the connection.
"""
from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

from ..context import CallContext
from ..core.http2 import (
    ConnectionEnded,
    MessageReceived,
    RequestEnded,
    RequestReceived,
    ServerConnection,
    Status,
    StreamReset,
    StreamWritable,
    UnaryRequest,
)
from .link import Link
from .relief import BUSY, LONG, QUIET, RELIEVED, USED
from .server_call import DEADLINE_EXCEEDED, NO_THREAD, StreamCall, deadline_of, send_end, send_reply

if TYPE_CHECKING:
    from ..core.http2 import Event, RequestHead
    from ..workers import Workers
    from .methods import Method, Methods
    from .relief import Relief
    from .stream import Stream

__all__ = ["Connection"]

_NEVER = float("inf")


class Connection:
    """`running` is the request that the leader runs now. `on_change` hears of what `stop` waits for."""

    def __init__(
        self,
        stream: Stream,
        methods: Methods,
        workers: Workers,
        relief: Relief,
        on_change: Callable[[Connection], None],
    ) -> None:
        self._machine = ServerConnection(unary_paths=methods.unary_paths)
        self._link = Link(self._machine, stream)
        self._lock = self._link.lock
        self._methods = methods
        self._workers = workers
        self._relief = relief
        self._on_change = on_change
        self._turn = 0
        self._pending: deque[UnaryRequest] = deque()
        self._calls: dict[int, CallContext] = {}        # those that the leader does not run
        self._seen: UnaryRequest | None = None
        self._leaving = False
        self._over = False
        self.running: UnaryRequest | None = None
        self._context = CallContext()                   # of what runs, or ran last
        self._seen_context = self._context
        self.closed = False

    # --- the leader ---

    def start(self) -> None:
        """Begin, on another thread; if there is none, the connection is over, and the client may come again."""
        with self._lock:
            self._link.flush()
        try:
            self._workers.start(partial(self._lead, self._turn))
        except RuntimeError:
            self._close()

    def _lead(self, turn: int) -> None:
        """Read, and run what was read, until somebody else does or the connection is over."""
        link = self._link
        pending = self._pending
        try:
            while not self._over:
                # A client that does not read its replies gets no more of them.
                while pending and not link.unsent:
                    if not self._run(pending.popleft(), turn):
                        return
                if self._leaving:
                    self._on_change(self)
                if link.receive():
                    self._take()
        finally:
            if self._turn == turn:
                self._close()

    def _run(self, request: UnaryRequest, turn: int) -> bool:
        """Run one call; returns whether it is still our turn."""
        head = request.head
        context = CallContext(head.metadata, None if head.timeout is None else deadline_of(head))
        self._context = context
        self.running = request
        if self._relief.asleep:
            self._relief.wake()
        answer = self._methods[head.path].answer(request.message, context)
        if context.deadline is not None and context.deadline <= monotonic():
            answer = DEADLINE_EXCEEDED
        with self._lock:
            leads = self._turn == turn
            if leads:
                self.running = None
            else:
                self._calls.pop(request.stream_id, None)
            if isinstance(answer, Status):
                send_end(self._link, request.stream_id, context, answer)
            elif context.extras is not None:
                send_reply(self._link, request.stream_id, context, answer)
            else:
                self._machine.send_unary_reply(request.stream_id, answer)
                self._link.flush()
        context.end(False)
        if not leads:
            self._finish()
        return leads

    def _finish(self) -> None:
        """A thread that does not read has done its part."""
        self._link.see_out()
        if self._leaving:
            self._on_change(self)

    def _close(self) -> None:
        with self._lock:
            self._over = self.closed = True
            self._link.stream.shut_down()
            self._link.stream.close()
        for call in list(self._calls.values()):
            _cancel(call)
        self._on_change(self)

    # --- what was read ---

    def _take(self) -> None:
        jobs: list[Callable[[], object]] = []
        link, methods, pending = self._link, self._methods, self._pending
        with self._lock:
            for event in link.take():
                if isinstance(event, UnaryRequest) and methods[event.head.path].inline:
                    pending.append(event)
                else:
                    self._sort(event, jobs)
            if link.failure:
                self._over = True
            if not pending:
                link.flush()    # otherwise it goes with the reply, or when the leader is relieved
        for job in jobs:
            job()

    def _sort(self, event: Event, jobs: list[Callable[[], object]]) -> None:
        """With the lock held; what has to be done without it is added to `jobs`."""
        if isinstance(event, UnaryRequest):
            method = self._methods[event.head.path]
            if method.server_streams:
                jobs.append(self._begin(event.stream_id, event.head, method, event.message))
            else:
                jobs.append(self._begin_aside(event, method))
        elif isinstance(event, RequestReceived):
            method = self._methods.get(event.head.path)
            if method is None:
                status = self._methods.unknown(event.head.path)
                self._link.do(self._machine.send_status, event.stream_id, status.code, status.message)
            else:
                jobs.append(self._begin(event.stream_id, event.head, method, None))
        elif isinstance(event, MessageReceived | RequestEnded | StreamWritable):
            call = self._calls.get(event.stream_id)
            if isinstance(call, StreamCall):
                call.receive(event)
        elif isinstance(event, StreamReset):
            call = self._calls.pop(event.stream_id, None)
            if call is not None:
                jobs.append(partial(_cancel, call))
            for request in [request for request in self._pending if request.stream_id == event.stream_id]:
                self._pending.remove(request)
        elif isinstance(event, ConnectionEnded):
            self._over = True

    def _begin(self, stream_id: int, head: RequestHead, method: Method, message: bytes | None) -> Callable[[], object]:
        call = self._calls[stream_id] = StreamCall(self._link, method, stream_id, head, message)
        if call.deadline is not None:
            self._relief.wake(call.deadline)
        return partial(self._start_stream, call)

    def _start_stream(self, call: StreamCall) -> None:
        try:
            self._workers.start(partial(self._run_stream, call))
        except RuntimeError:
            with self._lock:
                if self._calls.pop(call.stream_id, None) is not None:
                    send_end(self._link, call.stream_id, call, NO_THREAD)
            _cancel(call)

    def _run_stream(self, call: StreamCall) -> None:
        call.run()
        self._calls.pop(call.stream_id, None)
        self._finish()

    def _begin_aside(self, request: UnaryRequest, method: Method) -> Callable[[], object]:
        """A unary call whose method took long the last time."""
        context = self._calls[request.stream_id] = CallContext(request.head.metadata, deadline_of(request.head))
        if context.deadline is not None:
            self._relief.wake(context.deadline)
        return partial(self._start_aside, request, method, context)

    def _start_aside(self, request: UnaryRequest, method: Method, context: CallContext) -> None:
        try:
            self._workers.start(partial(self._run_aside, request, method, context))
        except RuntimeError:
            if self._calls.pop(request.stream_id, None) is not None:
                self._pending.append(request)

    def _run_aside(self, request: UnaryRequest, method: Method, context: CallContext) -> None:
        began = monotonic()
        answer = method.answer(request.message, context)
        now = monotonic()
        method.inline = now - began < LONG
        if context.deadline is not None and context.deadline <= now:
            answer = DEADLINE_EXCEEDED
        with self._lock:
            self._calls.pop(request.stream_id, None)
            if isinstance(answer, Status):
                send_end(self._link, request.stream_id, context, answer)
            else:
                send_reply(self._link, request.stream_id, context, answer)
        context.end(False)
        self._finish()

    # --- for the thread that looks after calls that take long ---

    def check(self, now: float) -> int:
        """Do what is due at `now`; returns what there was to see."""
        running, context = self.running, self._context
        sight = QUIET if context is self._seen_context else USED if running is None else BUSY
        if running is not None and running is self._seen:
            self._relieve(running)
            sight = RELIEVED
        self._seen, self._seen_context = running, context
        for stream_id, call in list(self._calls.items()):
            if call.deadline is not None and call.deadline <= now:
                self._expire(stream_id, call)
        return sight

    def next_deadline(self) -> float:
        """Of the calls that the leader does not run; infinity if they have none."""
        return min((call.deadline for call in list(self._calls.values()) if call.deadline is not None), default=_NEVER)

    def _relieve(self, request: UnaryRequest) -> None:
        """Give the lead to another thread, if the leader still runs this call and there is a thread."""
        with self._lock:
            if self.running is not request or self.closed:
                return
            # All of it before there is a new leader, to whom `running` and `_context` belong then.
            self._turn += 1
            self.running = None
            self._calls[request.stream_id] = self._context
            try:
                self._workers.start(partial(self._lead, self._turn))
            except RuntimeError:        # so the others have to wait; the next look tries again
                self._turn -= 1
                self.running = request
                del self._calls[request.stream_id]
                return
            self._methods[request.head.path].inline = False
            self._link.flush()

    def _expire(self, stream_id: int, call: CallContext) -> None:
        with self._lock:
            if self._calls.pop(stream_id, None) is None:
                return
            send_end(self._link, stream_id, call, DEADLINE_EXCEEDED)
        _cancel(call)

    # --- for the server's end ---

    def leave(self) -> None:
        """Take no more calls, and cancel those under way; they may still answer."""
        with self._lock:
            if self.closed:
                return
            self._leaving = True
            self._link.do(self._machine.send_goaway)
        for call in [*self._calls.values(), self._context]:
            _cancel(call)

    @property
    def idle(self) -> bool:
        """Whether every call has ended and every answer is written."""
        return self.closed or not (self._machine.open_calls or self._link.unsent)

    def shut_down(self) -> None:
        """Hang up."""
        self._link.stream.shut_down()


def _cancel(call: CallContext) -> None:
    """Nobody wants the answer any more."""
    if isinstance(call, StreamCall):
        call.cancel()
    else:
        call.end(True)
