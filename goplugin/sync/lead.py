"""Who reads the connection of a session: how the readers of its streams share it.

One of the threads that wait for something to read reads for all, the leader, and gives the lead up when its own has
come. So a call over a session takes no more threads than one over a socket. A thread of the session's own stands by: it
leads while nobody else does, so that pings are answered and streams offered whatever the program does.

Rule 1: who leads is told by `_leader`, which changes with the lock held, and whoever leads gives the lead away on every
way out.
Rule 2: no leader waits longer than a tick, because nothing wakes it but what it reads; the stand-by, which waits for
nothing of its own, waits for as long as it takes.
Rule 3: the lead is handed to a thread that waits for an answer. One that waits for as long as it takes is probably a
server's, whose next request may never come, and the leader will be back before that: it is left to the stand-by.
"""
from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from threading import get_ident
from time import monotonic

from .stream import NOW, READ_SIZE, TICK, Stream

__all__ = ["Follower", "Lead"]

_SIZE = (READ_SIZE,)        # the arguments of `recv`, each as a sequence
_NOW = (NOW,)
_NOBODY = 0
_PERIOD = 0.002             # of the stand-by's looks at who leads
_FOREVER = 86_400.0


class Follower:
    """What threads wait for that may have to wait for a leader: `changed`, on the session's lock, tells of news.

    `waiting`: how many threads do.
    """

    def __init__(self, lock: threading.Lock) -> None:
        self.changed = threading.Condition(lock)
        self.waiting = 0


class Lead:
    """The reading end of `stream`, which has ticks.

    `take` is called with the lock held when there may be something in `inbox`, and tells the followers. If that was
    what one of them waited for it sets `served`. `stop` ends it all, and then `finish` is called, once.
    """

    def __init__(
        self, stream: Stream, lock: threading.Lock, take: Callable[[], None], finish: Callable[[], None]
    ) -> None:
        self._stream = stream
        self._recv = stream.recv
        self._lock = lock
        self._take = take
        self._finish = finish
        self.inbox: deque[bytes] = deque()      # b"" is the end of the connection
        self.served = False
        self._leader = _NOBODY                  # a thread, by its ident
        self._turns = 0                         # how often the lead was taken
        self._followers: list[Follower] = []    # for each of which a thread waits that could lead
        self._over = False
        self._asleep = False
        self._bell = threading.Lock()
        self._bell.acquire()
        self._left = threading.Condition(lock)  # of the leader, when all is over
        self._stand_by = threading.Thread(target=self._run, name="goplugin-mux", daemon=True)

    def start(self) -> None:
        """Begin to stand by."""
        self._stand_by.start()

    def stop(self) -> None:
        """Nobody leads any more. With the lock held, and when the connection is shut down."""
        self._over = True
        if self._asleep:
            self._wake()

    def join(self) -> None:
        """Wait until `finish` has been called."""
        self._stand_by.join()

    def wait_for(
        self, follower: Follower, condition: Callable[[], bool], timeout: float | None, *, may_lead: bool = True
    ) -> bool:
        """Wait until the condition holds, reading for all meanwhile if nobody else does; returns whether it does.

        The condition changes with `follower.changed`, and holds when all is over.
        """
        deadline = None if timeout is None else monotonic() + timeout
        try:
            while not condition():
                remaining = None if deadline is None else deadline - monotonic()
                if remaining is not None and remaining <= 0:
                    return False
                if may_lead and self._take_lead():
                    self._read(remaining)
                else:
                    self._follow(follower, condition, remaining, may_lead and remaining is not None)
        except BaseException:
            self._leave()
            raise
        return True

    def look(self) -> None:
        """Read what is there now, if nobody else reads."""
        with self._lock:
            if not (self._leader or self._over):
                self._receive_now()
                self._take()

    # --- leading and following ---

    def _take_lead(self) -> bool:
        with self._lock:
            if self._leader or self._over:
                return False
            self._leader = get_ident()
            self._turns += 1
            return True

    def _read(self, timeout: float | None) -> None:
        """Read once. If nothing comes within a tick, a reader that has the time leaves the rest to the stand-by."""
        if timeout is None or timeout > TICK / 2:
            came = self._receive()
        else:
            self._stream.wait(reading=True, writing=False, timeout=timeout)
            came = self._receive_now()
        with self._lock:
            self._take()
            self._pass(self._stand_by.ident or _NOBODY if timeout is None and not came else _NOBODY)

    def _follow(
        self, follower: Follower, condition: Callable[[], bool], timeout: float | None, could_lead: bool
    ) -> None:
        """Wait until there is news, or the lead for the taking."""
        with self._lock:
            if condition():
                return
            if could_lead:
                self._followers.append(follower)
            follower.waiting += 1
            try:
                follower.changed.wait(timeout)
            finally:
                follower.waiting -= 1
                if could_lead:
                    self._followers.remove(follower)

    def _pass(self, leader: int) -> None:
        """Give the lead to this thread, or if that is nobody, to one that waits for an answer. With the lock held."""
        self._leader = _NOBODY if self._over else leader
        if self._asleep:
            self._wake()
        if self._followers and not self._leader:
            self._followers[-1].changed.notify_all()
        if self._over:
            self._left.notify_all()

    def _leave(self) -> None:
        """Give up the lead if we have it; what we have read stays."""
        with self._lock:
            if self._leader == get_ident():
                self._take()
                self._pass(_NOBODY)

    # --- the stand-by ---

    def _run(self) -> None:
        seen = (_NOBODY, 0)
        try:
            while not self._over:
                now = (self._leader, self._turns)
                if now[0] == get_ident() or (now == seen and not now[0] and self._take_lead()):
                    self._read_for_all()
                elif now == seen and now[0]:
                    self._sleep()
                else:
                    time.sleep(_PERIOD)
                seen = now
        finally:
            self._leave()       # it may have been handed to us just before all was over
            with self._lock:
                self._left.wait_for(lambda: not self._leader)
            self._finish()

    def _read_for_all(self) -> None:
        """Until something has come that somebody waited for, who will lead from then on."""
        self.served = False
        while not (self.served or self._over):
            self._stream.wait(reading=True, writing=False, timeout=_FOREVER)
            self._receive_now()
            with self._lock:
                self._take()
        self._leave()

    def _sleep(self) -> None:
        """Until the leader leaves."""
        with self._lock:
            if self._over or not self._leader:
                return
            self._asleep = True
        self._bell.acquire()

    def _wake(self) -> None:
        self._asleep = False
        self._bell.release()

    # --- reading ---

    def _receive(self) -> bool:
        """Whether something came within a tick."""
        try:
            # From the system call into the inbox without a step of the interpreter, which would be handling signals.
            self.inbox.extend(map(self._recv, _SIZE))
        except BlockingIOError:
            return False
        except OSError:
            self.inbox.append(b"")
        return True

    def _receive_now(self) -> bool:
        """Whether something was there."""
        try:
            self.inbox.extend(map(self._recv, _SIZE, _NOW))
        except BlockingIOError:
            return False
        except OSError:
            self.inbox.append(b"")
        return True
