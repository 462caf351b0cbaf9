"""Signals and the time limit of a run, as one exception on the main thread.

Rule 1: the exception is raised inside `Interrupts.call` and nowhere else, so what runs around it, above all the end
of the plugins, is never cut short.
Rule 2: it is raised again and again until `call` is left. A JavaScript `catch` can swallow what a callback into
Python raises, but not what is raised while JavaScript itself runs.
"""
from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import TypeVar

from .errors import Interrupted

__all__ = ["Interrupts"]

T = TypeVar("T")

_REPEAT_SECONDS = 0.1
_TIME_LIMIT, _SIGNALLED = 124, 128


class Interrupts:
    """A context manager that turns SIGINT, SIGTERM, SIGHUP and the end of `time_limit` seconds into Interrupted.

    Main thread only. A signal that is ignored when it starts stays ignored (nohup, a shell's background jobs).
    """

    def __init__(self, time_limit: float | None = None) -> None:
        self.reason: Interrupted | None = None
        self._time_limit = time_limit
        self._previous: dict[int, Callable[[int, FrameType | None], object] | int | None] = {}

    def __enter__(self) -> Interrupts:
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(signum) is not signal.SIG_IGN:
                self._previous[signum] = signal.signal(signum, self._handle)
        if self._time_limit is not None:
            self._start_timer(self._time_limit)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop_timer()
        for signum, handler in self._previous.items():
            signal.signal(signum, handler)
        if self.reason is not None and error is not self.reason:
            raise self.reason

    def call(self, body: Callable[[], T]) -> T:
        """`body()`, ended by Interrupted if a signal comes or the time is up; the time limit ends with it."""
        if self.reason is not None:
            raise self.reason
        try:
            return body()
        finally:
            self._stop_timer()

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        if self.reason is None:
            self.reason = self._reason(signum)
            self._start_timer(_REPEAT_SECONDS)
        # Whether `call` is still being run is asked of the stack: a flag would be set or cleared a moment too late.
        while frame is not None:
            if frame.f_code is Interrupts.call.__code__:
                raise self.reason
            frame = frame.f_back

    def _reason(self, signum: int) -> Interrupted:
        if signum == signal.SIGALRM:
            return Interrupted(f"the time limit of {self._time_limit:g} s is over", _TIME_LIMIT)
        return Interrupted(f"ended by {signal.Signals(signum).name}", _SIGNALLED + signum)

    def _start_timer(self, seconds: float) -> None:
        if signal.SIGALRM not in self._previous:
            self._previous[signal.SIGALRM] = signal.signal(signal.SIGALRM, self._handle)
        signal.setitimer(signal.ITIMER_REAL, seconds, _REPEAT_SECONDS)

    def _stop_timer(self) -> None:
        if signal.SIGALRM in self._previous:
            signal.setitimer(signal.ITIMER_REAL, 0)
