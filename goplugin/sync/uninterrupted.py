"""Work that a signal handler's exception must not cut in two.

Python runs signal handlers on the main thread, between any two steps of it; what they raise, KeyboardInterrupt above
all, may come when a process has been launched and nobody knows it yet. On other threads nothing of the kind happens.
"""
from __future__ import annotations

import threading
from _thread import start_new_thread
from collections.abc import Callable
from typing import TypeVar

__all__ = ["uninterrupted"]

T = TypeVar("T")

_TICK = 0.1


def uninterrupted(work: Callable[[], T], hurry: Callable[[], object]) -> T:
    """What `work` returns or raises, done on another thread if this is the main one.

    An exception that comes upon the waiting is raised only when the work has ended. Before that it has `hurry` called,
    on another thread too, which is to bring the end about.
    """
    if threading.get_ident() != threading.main_thread().ident:
        return work()
    results: list[T] = []
    failures: list[BaseException] = []
    claim, ended = threading.Lock(), threading.Lock()
    ended.acquire()

    def run() -> None:
        if not claim.acquire(blocking=False):
            return  # an interrupt came when the thread had been started, and nobody knew it yet
        try:
            results.append(work())
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            failures.append(error)
        ended.release()

    started = hurried = False
    interruption: BaseException | None = None
    while not (results or failures):
        try:
            if not started:
                _start(run)
                started = True
            if interruption is not None and not hurried:
                _start(hurry)
                hurried = True
            ended.acquire(timeout=_TICK)
        except BaseException as error:  # noqa: BLE001 - raised when the work has ended
            interruption = error
    if interruption is not None:
        raise interruption
    if failures:
        raise failures[0]
    return results[0]


def _start(function: Callable[[], object]) -> None:
    thread = threading.Thread(target=function, name="goplugin-client")

    def start() -> None:
        try:
            thread.start()
        except RuntimeError:  # there are no more threads: too many, or the interpreter is about to end
            function()

    # Thread, Event, Future: an interrupt in the midst of what they do can leave their locks locked. So this thread does
    # no more than one step of the system's, and another one starts the thread that is meant.
    try:
        start_new_thread(start, ())
    except RuntimeError:
        start()
