"""One thread that looks after calls that take long: it relieves readers, and ends calls at their deadline.

The thread that has read a request runs its method at once, because handing it to another thread costs more than most
methods take. When a method takes long, another thread takes over the reading. A call pays for that with two attributes
that it writes; who compares them is here. While nobody calls there is nothing to compare, and this thread sleeps; it
starts with the first call.

Every look takes the interpreter's lock, perhaps from a call that could have been answered meanwhile, and the kernel may
then wake that call's thread on another processor than its client's. On a busy machine a thousand looks in a second made
calls of 38 us take 71. So looks become rarer the longer no method has taken long, and a method that runs while one is
taken gets a second look soon: it may hold up the other calls of its connection for a thirtieth of a second, once.
"""
from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .connection import Connection

__all__ = ["BUSY", "LONG", "QUIET", "RELIEVED", "USED", "Relief"]

LONG = 0.001
"""Seconds after which a method takes long."""

QUIET, USED, BUSY, RELIEVED = range(4)
"""What a look at a connection has shown: no call since the last one; some; one that runs; one that took long."""

_RAREST = 0.032
_PATIENCE = 32
_QUIET_SECONDS = 0.5
_NEVER = float("inf")


class Relief:
    """Looks after `connections()`. Whoever begins a call calls `wake` if this is `asleep`."""

    def __init__(self, connections: Callable[[], Sequence[Connection]]) -> None:
        self.asleep = True
        self._connections = connections
        self._lock = threading.Lock()
        self._bell = threading.Lock()
        self._bell.acquire()
        self._due = _NEVER              # the next look, on `time.monotonic`'s clock
        self._started = False
        self._stopped = False

    def wake(self, deadline: float = 0.0) -> None:
        """There is a call to look after, until `deadline` at the latest."""
        with self._lock:
            if not self._started:
                self.asleep = False
                try:
                    threading.Thread(target=self._run, name="goplugin-relief", daemon=True).start()
                    self._started = True
                except RuntimeError:    # the system has no thread: the next call tries again
                    self.asleep = True
            elif deadline < self._due and self._bell.locked():
                self.asleep = False
                self._bell.release()

    def stop(self) -> None:
        """End the thread."""
        self._stopped = True
        if self._started:
            self.wake()

    def _run(self) -> None:
        last_call = last_long = time.monotonic()
        pause = LONG
        while not self._stopped:
            self._rest(pause)
            now = time.monotonic()
            sight = max((connection.check(now) for connection in self._connections()), default=QUIET)
            if sight:
                last_call = now
            if sight == RELIEVED:
                last_long = now
            if sight == BUSY and pause > LONG:
                pause = LONG
            elif now - last_call < _QUIET_SECONDS:
                pause = min(max((now - last_long) / _PATIENCE, LONG), _RAREST)
            else:
                pause = _NEVER

    def _rest(self, pause: float) -> None:
        """Until the pause is over, a deadline passes, or somebody wakes us."""
        self._due = time.monotonic() + pause
        self.asleep = pause == _NEVER
        # Behind that, so that a call that has begun before and not seen us asleep is seen here.
        connections = self._connections()
        if not (self.asleep and any(connection.running for connection in connections)):
            self._due = min([self._due, *(connection.next_deadline() for connection in connections)])
            self._bell.acquire(timeout=max(0.0, min(self._due - time.monotonic(), threading.TIMEOUT_MAX)))
        self.asleep = False
