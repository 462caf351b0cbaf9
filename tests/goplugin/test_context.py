from __future__ import annotations

import threading
import time

import pytest

from goplugin.context import CallContext


def test_metadata_is_what_the_caller_sent() -> None:
    context = CallContext((("key", "first"), ("raw-bin", b"\0"), ("key", "second")))

    assert context.invocation_metadata == (("key", "first"), ("raw-bin", b"\0"), ("key", "second"))
    assert context.metadata == {"key": "first", "raw-bin": b"\0"}


def test_there_may_be_no_deadline() -> None:
    context = CallContext()

    assert context.time_remaining() is None
    assert not context.cancelled


def test_a_deadline_comes_nearer_and_ends_at_zero() -> None:
    assert 99.0 < (CallContext((), time.monotonic() + 100.0).time_remaining() or 0) <= 100.0
    assert CallContext((), time.monotonic() - 1.0).time_remaining() == 0


def test_a_deadline_that_has_passed_is_a_cancellation() -> None:
    assert not CallContext((), time.monotonic() + 100.0).cancelled
    assert CallContext((), time.monotonic() - 1.0).cancelled


def test_an_answer_in_time_is_none() -> None:
    context = CallContext((), time.monotonic() + 0.01)
    context.end(False)
    time.sleep(0.02)

    assert not context.cancelled


def test_the_first_end_counts() -> None:
    answered, cancelled = CallContext(), CallContext()
    answered.end(False)
    answered.end(True)
    cancelled.end(True)
    cancelled.end(False)

    assert not answered.cancelled
    assert cancelled.cancelled


def test_callbacks_run_once_and_in_order() -> None:
    context = CallContext()
    calls = list[str]()
    for name in "abc":
        context.add_callback(lambda name=name: calls.append(name))
    assert calls == []
    context.end(True)
    context.end(True)

    assert calls == ["a", "b", "c"]


def test_a_callback_behind_the_end_runs_now() -> None:
    context = CallContext()
    context.end(False)
    calls = list[int]()
    context.add_callback(lambda: calls.append(1))

    assert calls == [1]


def test_a_removed_callback_does_not_run() -> None:
    context = CallContext()
    calls = list[int]()

    def callback() -> None:
        calls.append(1)

    context.add_callback(callback)
    context.remove_callback(callback)
    context.remove_callback(callback)
    context.end(True)

    assert calls == []


def test_callbacks_run_once_though_many_threads_add_them_at_the_end() -> None:
    for _ in range(50):
        context = CallContext()
        calls = list[int]()
        barrier = threading.Barrier(5)

        def add(context: CallContext = context, calls: list[int] = calls, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            for number in range(20):
                context.add_callback(lambda number=number: calls.append(number))

        threads = [threading.Thread(target=add) for _ in range(4)]
        for thread in threads:
            thread.start()
        barrier.wait()
        context.end(True)
        for thread in threads:
            thread.join()

        assert sorted(calls) == sorted(list(range(20)) * 4)


def test_waiting_ends_with_the_call() -> None:
    context = CallContext()
    timer = threading.Timer(0.02, context.end, [True])
    timer.start()

    assert context.wait_cancelled(20.0)
    timer.join()


def test_waiting_ends_with_the_deadline() -> None:
    assert CallContext((), time.monotonic() + 0.02).wait_cancelled()


@pytest.mark.parametrize("timeout", [0.0, 0.01])
def test_waiting_ends_with_the_timeout(timeout: float) -> None:
    context = CallContext((), time.monotonic() + 100.0)

    assert not context.wait_cancelled(timeout)
    assert context.extras is not None
    assert context.extras.callbacks == []


def test_what_goes_beside_the_answer() -> None:
    context = CallContext()
    assert context.extras is None
    context.send_initial_metadata([("first", "1")])
    context.set_trailing_metadata(iter([("last", "2")]))

    assert context.extras is not None
    assert context.extras.initial_metadata == (("first", "1"),)
    assert context.extras.trailing_metadata == (("last", "2"),)
