from __future__ import annotations

import threading
import time
from typing import Any

from goplugin.sync.relief import BUSY, QUIET, USED, Relief

from .support import SECONDS, no_threads, wait_until


class Watched:
    """A connection, as far as this thread looks at it."""

    def __init__(self) -> None:
        self.running: Any = None
        self.sight = QUIET
        self.deadline = float("inf")
        self.checked = threading.Semaphore(0)
        self.checks = 0

    def check(self, now: float) -> int:
        self.checks += 1
        if self.deadline <= now:
            self.deadline = float("inf")
            self.checked.release()
        return self.sight if self.running is None else BUSY

    def next_deadline(self) -> float:
        return self.deadline


def running() -> int:
    return sum(thread.name == "goplugin-relief" for thread in threading.enumerate())


def started(*connections: Any) -> Relief:
    relief = Relief(lambda: connections)
    relief.wake()
    return relief


def test_there_is_no_thread_before_the_first_call() -> None:
    relief = Relief(lambda: ())
    assert relief.asleep
    assert running() == 0
    relief.stop()
    assert running() == 0


def test_it_sleeps_while_nothing_runs() -> None:
    connection = Watched()
    relief = started(connection)
    assert not relief.asleep
    wait_until(lambda: relief.asleep)
    checks = connection.checks
    time.sleep(0.05)

    assert connection.checks == checks
    relief.stop()
    wait_until(lambda: running() == 0)


def test_it_stays_awake_while_a_method_runs() -> None:
    connection = Watched()
    connection.running = object()
    relief = started(connection)
    wait_until(lambda: connection.checks > 100)

    assert not relief.asleep
    relief.stop()
    wait_until(lambda: running() == 0)


def test_looks_become_rarer_while_no_call_takes_long() -> None:
    connection = Watched()
    connection.sight = USED
    began = time.monotonic()
    relief = started(connection)
    time.sleep(0.5)
    looks, seconds = connection.checks, time.monotonic() - began

    assert looks < 400 * seconds, "a thousand looks in a second make calls slower"
    relief.stop()
    wait_until(lambda: running() == 0)


def test_a_deadline_is_not_waited_out_between_rare_looks() -> None:
    connection = Watched()
    connection.sight = USED
    relief = started(connection)
    wait_until(lambda: connection.checks > 30)
    for _ in range(5):
        connection.deadline = time.monotonic() + 0.005
        relief.wake(connection.deadline)
        assert connection.checked.acquire(timeout=SECONDS)
    relief.stop()
    wait_until(lambda: running() == 0)


def test_it_starts_when_the_system_has_a_thread() -> None:
    relief = Relief(lambda: ())
    with no_threads():
        relief.wake()
    assert relief.asleep
    relief.wake()
    assert running() == 1
    relief.stop()
    wait_until(lambda: running() == 0)


def test_whoever_begins_a_call_wakes_it() -> None:
    connection = Watched()
    relief = started(connection)
    for _ in range(3):
        wait_until(lambda: relief.asleep)
        checks = connection.checks
        relief.wake()
        wait_until(lambda checks=checks: connection.checks > checks)
    relief.stop()
    wait_until(lambda: running() == 0)


def test_it_wakes_for_a_deadline() -> None:
    connection = Watched()
    relief = started(connection)
    wait_until(lambda: relief.asleep)
    connection.deadline = time.monotonic() + 0.2
    relief.wake()

    assert connection.checked.acquire(timeout=SECONDS)
    relief.stop()
    wait_until(lambda: running() == 0)
