from __future__ import annotations

import threading

import pytest

from goplugin import workers
from goplugin.workers import Workers

from .sync.support import SECONDS, wait_until

NAME = "test-worker"


def running() -> int:
    return sum(thread.name == NAME for thread in threading.enumerate())


def do(pool: Workers) -> int:
    """Run one job; returns the thread's number."""
    done = threading.Event()
    idents: list[int] = []

    def job() -> None:
        idents.append(threading.get_ident())
        done.set()

    pool.start(job)
    assert done.wait(SECONDS)
    return idents[0]


def test_a_thread_is_kept_for_the_next_job() -> None:
    pool = Workers(NAME)
    first = do(pool)
    wait_until(lambda: pool._idle)
    assert do(pool) == first
    pool.close()
    wait_until(lambda: running() == 0)


def test_jobs_at_the_same_time_have_threads_of_their_own() -> None:
    pool = Workers(NAME)
    barrier = threading.Barrier(20)
    for _ in range(19):
        pool.start(lambda: barrier.wait(SECONDS))
    barrier.wait(SECONDS)
    pool.close()
    wait_until(lambda: running() == 0)


def test_a_thread_that_has_nothing_to_do_for_long_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_IDLE_SECONDS", 0.01)
    pool = Workers(NAME)
    do(pool)
    wait_until(lambda: running() == 0)
    do(pool)
    wait_until(lambda: running() == 0)


def test_a_job_may_come_at_the_last_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every job is run, however close to its end a thread gets it."""
    monkeypatch.setattr(workers, "_IDLE_SECONDS", 0.0005)
    pool = Workers(NAME)
    for number in range(500):
        do(pool)
        threading.Event().wait(number % 10 * 0.0001)
    wait_until(lambda: running() == 0)


def test_a_closed_pool_keeps_no_threads() -> None:
    pool = Workers(NAME)
    leave = threading.Event()
    pool.start(lambda: leave.wait(SECONDS))
    do(pool)
    wait_until(lambda: pool._idle)
    pool.close()
    wait_until(lambda: running() == 1)
    leave.set()
    wait_until(lambda: running() == 0)


def test_threads_do_not_keep_the_interpreter() -> None:
    pool = Workers(NAME)
    daemons: list[bool] = []
    pool.start(lambda: daemons.append(threading.current_thread().daemon))
    wait_until(lambda: daemons)
    pool.close()
    assert daemons == [True]
