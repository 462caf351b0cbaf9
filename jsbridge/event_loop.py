"""What a script waits for when it has nothing to do: timers, and calls that other threads make.

Rule 1: JavaScript's thread is the only one that uses a loop. Only `interrupt` may come from another.
Rule 2: a call is an ordinary blocking one, made on a thread that is kept for the next: the connection to a plugin
carries many at a time (goplugin/sync/mailroom.py). A call that is given up is cancelled, and its answer is dropped.
Rule 3: who is interrupted while it waits leaves nothing behind: see `abandon`.
"""
from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any, NamedTuple

from goplugin.workers import Workers

from .cancellation import Cancellation
from .timers import Timers

__all__ = ["MOST_CALLS", "EventLoop", "Finished"]

MOST_CALLS = 64
"""Calls that are made at a time; others wait their turn."""


class Finished(NamedTuple):
    """A call's end: its result, or what was raised instead."""

    number: int
    result: Any
    error: BaseException | None


class EventLoop:
    """One script's timers and calls, by the numbers that the script gives them."""

    def __init__(self) -> None:
        self._timers = Timers()
        self._calls: dict[int, Cancellation] = {}       # that have not finished, as far as the script knows
        self._finished: list[Finished] = []
        self._inbox: SimpleQueue[Finished | None] = SimpleQueue()
        self._interruption: BaseException | None = None
        self._timer_is_next = True
        self._threads = _CallThreads()

    def set_timer(self, number: int, milliseconds: float, kind: str) -> None:
        """`kind` is "once", "repeat", or "background": once, and nothing waits for it."""
        seconds = milliseconds / 1000
        period = seconds if kind == "repeat" else None
        self._timers.set(number, monotonic() + seconds, period, background=kind == "background")

    def clear_timer(self, number: int) -> None:
        self._timers.clear(number)

    def start(self, number: int, call: Callable[[Cancellation], Any]) -> None:
        """Begin a call on a thread of its own. What it raises, if it is no error of the call's, is raised by `take`."""
        cancel = self._calls[number] = Cancellation()

        def run() -> None:
            try:
                self._inbox.put(Finished(number, None if cancel.cancelled else call(cancel), None))
            except BaseException as error:  # noqa: BLE001 - the border: JavaScript's thread raises it again
                self._inbox.put(Finished(number, None, error))

        self._threads.start(run)

    def cancel(self, number: int) -> None:
        """Give a call up. No effect if it has finished."""
        cancel = self._calls.pop(number, None)
        if cancel is not None:
            cancel.cancel()

    def begin(self) -> None:
        """A run begins: no interruption is meant for it yet, and nothing of the last one is left."""
        self._interruption = None
        self.abandon()

    def wait(self) -> bool:
        """Wait until there is something to `take`; False if there will never be.

        Raises what `interrupt` was given, and what a signal handler raises.
        """
        while True:
            self._receive()
            if self._finished:
                return True
            if not self._calls and not self._timers.pending:
                return False
            if self._interruption is not None:
                raise self._interruption
            due = self._timers.next_due()
            if due is not None and due <= monotonic():
                return True
            self._receive(None if due is None else due - monotonic())

    def take(self) -> int | list[Finished]:
        """What comes next: a timer that is due, or all calls that have finished. The two take turns."""
        timer = self._timers.take_due(monotonic()) if self._timer_is_next or not self._finished else None
        self._timer_is_next = timer is None
        if timer is not None:
            return timer
        finished, self._finished = self._finished, []
        return finished

    def abandon(self) -> None:
        """Cancel every call and clear every timer."""
        self._timers.clear_all()
        self._finished.clear()
        for number in list(self._calls):
            self.cancel(number)

    def interrupt(self, error: BaseException) -> None:
        """End the run: `wait` raises `error`. From any thread; no effect if there is no run."""
        self._interruption = error
        self._inbox.put(None)

    def is_making(self, thread: int) -> bool:
        """Whether the thread with this identity is making one of the calls."""
        return thread in self._threads.busy

    def close(self) -> None:
        """Give up what is under way. The threads end when their calls do."""
        self.abandon()
        self._threads.close()

    def _receive(self, timeout: float | None = 0.0) -> None:
        """Take what has come, waiting for the first of it; `timeout` is in seconds, None for no limit."""
        if timeout is not None:
            timeout = min(max(timeout, 0.0), threading.TIMEOUT_MAX)
        try:
            while True:
                item = self._inbox.get(timeout=timeout)
                if item is not None and self._calls.pop(item.number, None):
                    self._finished.append(item)
                timeout = 0.0
        except Empty:
            return


class _CallThreads:
    """Threads that make calls, up to MOST_CALLS; `busy` has their identities."""

    def __init__(self) -> None:
        self._workers = Workers("javascript-call")
        self._lock = threading.Lock()
        self._jobs: deque[Callable[[], None]] = deque()
        self._running = 0
        self.busy: set[int] = set()

    def start(self, job: Callable[[], None]) -> None:
        """Run `job`, which must not raise."""
        with self._lock:
            self._jobs.append(job)
            if self._running == MOST_CALLS:
                return
            self._running += 1
        self._workers.start(self._work)

    def close(self) -> None:
        self._workers.close()

    def _work(self) -> None:
        """Jobs, until there is none left."""
        self.busy.add(threading.get_ident())
        while (job := self._next_job()) is not None:
            job()
        self.busy.discard(threading.get_ident())

    def _next_job(self) -> Callable[[], None] | None:
        with self._lock:
            if self._jobs:
                return self._jobs.popleft()
            self._running -= 1
            return None
