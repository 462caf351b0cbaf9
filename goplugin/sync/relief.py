"""One thread that looks after calls that take long: it relieves readers, and ends calls at their deadline.

The thread that has read a request runs its method at once, because handing it to another thread costs more than most
methods take. When a method takes long, another thread takes over the reading. A call pays for that with two attributes
that it writes; who compares them is here. While no method runs there is nothing to compare, and this thread sleeps; it
starts with the first call.
"""
from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .connection import Connection

__all__ = ["LONG", "Relief"]

LONG = 0.001
"""Seconds after which a method takes long."""
_QUIET_TICKS = 50


class Relief:
    """Looks after `connections()`. Whoever begins a call calls `wake` if this is `asleep`."""

    def __init__(self, connections: Callable[[], Sequence[Connection]]) -> None:
        self.asleep = True
        self._connections = connections
        self._lock = threading.Lock()
        self._bell = threading.Lock()
        self._bell.acquire()
        self._started = False
        self._stopped = False

    def wake(self) -> None:
        """There is a call to look after, or one with a deadline."""
        with self._lock:
            self.asleep = False
            if not self._started:
                self._started = True
                threading.Thread(target=self._run, name="goplugin-relief", daemon=True).start()
            elif self._bell.locked():
                self._bell.release()

    def stop(self) -> None:
        """End the thread."""
        self._stopped = True
        if self._started:
            self.wake()

    def _run(self) -> None:
        quiet = 0
        while not self._stopped:
            time.sleep(LONG)
            now = time.monotonic()
            running = [connection for connection in self._connections() if connection.check(now)]
            quiet = 0 if running else quiet + 1
            if quiet == _QUIET_TICKS:
                quiet = 0
                self._sleep()

    def _sleep(self) -> None:
        """Until somebody wakes us, or a deadline passes."""
        self.asleep = True
        # Behind that, so that a call that has begun before and not seen us asleep is seen here.
        connections = self._connections()
        if not any(connection.running for connection in connections):
            deadline = min((connection.next_deadline() for connection in connections), default=threading.TIMEOUT_MAX)
            self._bell.acquire(timeout=max(0.0, min(deadline - time.monotonic(), threading.TIMEOUT_MAX)))
        self.asleep = False
