from __future__ import annotations

import threading
from collections.abc import Iterator
from time import monotonic

import pytest

from jsbridge.cancellation import Cancellation
from jsbridge.event_loop import MOST_CALLS, EventLoop, Finished


@pytest.fixture
def loop() -> Iterator[EventLoop]:
    loop = EventLoop()
    yield loop
    loop.close()


def test_without_anything_pending_there_is_nothing_to_wait_for(loop: EventLoop) -> None:
    assert loop.wait() is False


def test_a_timer_is_waited_for(loop: EventLoop) -> None:
    start = monotonic()
    loop.set_timer(1, 20.0, "once")

    assert loop.wait()
    assert monotonic() - start >= 0.02
    assert loop.take() == 1
    assert loop.wait() is False


def test_nobody_waits_for_a_timer_in_the_background(loop: EventLoop) -> None:
    loop.set_timer(1, 0.0, "background")

    assert loop.wait() is False
    loop.set_timer(2, 1.0, "once")
    assert loop.wait()
    assert loop.take() == 1


def test_a_call_is_made_on_another_thread_and_its_result_waited_for(loop: EventLoop) -> None:
    loop.start(7, lambda cancel: threading.current_thread())

    assert loop.wait()
    (finished,) = finished_calls(loop)
    assert finished.number == 7
    assert finished.result is not threading.current_thread()
    assert loop.wait() is False


def finished_calls(loop: EventLoop) -> list[Finished]:
    taken = loop.take()
    assert isinstance(taken, list)
    return taken


def test_what_a_call_raises_is_its_end(loop: EventLoop) -> None:
    def fail(cancel: Cancellation) -> None:
        raise KeyboardInterrupt

    loop.start(1, fail)

    assert loop.wait()
    (finished,) = finished_calls(loop)
    assert isinstance(finished.error, KeyboardInterrupt)


def test_calls_that_have_finished_are_taken_together(loop: EventLoop) -> None:
    done = threading.Barrier(4)
    for number in range(3):
        loop.start(number, lambda cancel: done.wait(10) * 0)
    done.wait(10)

    numbers = set[int]()
    while loop.wait():
        numbers |= {finished.number for finished in finished_calls(loop)}
    assert numbers == {0, 1, 2}


def test_timers_and_calls_take_turns(loop: EventLoop) -> None:
    loop.set_timer(1, 0.0, "repeat")
    loop.start(2, lambda cancel: "done")
    taken: list[object] = []
    while len(taken) < 50 and not any(isinstance(each, list) for each in taken):
        assert loop.wait()
        taken.append(loop.take())

    assert taken[0] == 1
    assert any(isinstance(each, list) for each in taken)


def test_more_calls_than_threads_wait_their_turn(loop: EventLoop) -> None:
    leave, entered, most = threading.Event(), threading.Semaphore(0), list[int]()
    running = set[int]()

    def call(cancel: Cancellation) -> None:
        running.add(threading.get_ident())
        most.append(len(running))
        entered.release()
        assert leave.wait(10)
        running.discard(threading.get_ident())

    for number in range(MOST_CALLS + 5):
        loop.start(number, call)
    for _ in range(MOST_CALLS):
        assert entered.acquire(timeout=10)
    assert not entered.acquire(blocking=False)
    leave.set()

    finished = 0
    while loop.wait():
        finished += len(finished_calls(loop))
    assert finished == MOST_CALLS + 5
    assert max(most) == MOST_CALLS


def test_a_call_that_is_given_up_is_cancelled_and_its_answer_dropped(loop: EventLoop) -> None:
    heard = threading.Event()

    def call(cancel: Cancellation) -> str:
        cancel.on_cancel(heard.set)
        assert heard.wait(10)
        return "too late"

    loop.start(1, call)
    loop.cancel(1)
    loop.cancel(1)

    assert heard.wait(10)
    assert loop.wait() is False


def test_an_interruption_ends_the_waiting(loop: EventLoop) -> None:
    loop.set_timer(1, 60_000.0, "once")
    error = ValueError("enough")
    thread = threading.Timer(0.02, loop.interrupt, [error])
    thread.start()

    with pytest.raises(ValueError, match="enough") as caught:
        loop.wait()
    thread.join()
    assert caught.value is error

    loop.begin()
    assert loop.wait() is False


def test_what_is_abandoned_is_pending_no_more(loop: EventLoop) -> None:
    heard = threading.Event()
    loop.start(1, lambda cancel: (cancel.on_cancel(heard.set), heard.wait(10)))
    loop.set_timer(1, 60_000.0, "repeat")
    loop.abandon()

    assert heard.wait(10)
    assert loop.wait() is False


def test_it_knows_the_threads_that_make_its_calls(loop: EventLoop) -> None:
    loop.start(1, lambda cancel: loop.is_making(threading.get_ident()))

    assert loop.wait()
    assert [finished.result for finished in finished_calls(loop)] == [True]
    assert not loop.is_making(threading.get_ident())


def test_the_threads_end_with_the_loop() -> None:
    loop = EventLoop()
    loop.start(1, lambda cancel: threading.current_thread())
    assert loop.wait()
    thread = finished_calls(loop)[0].result
    loop.close()

    thread.join(10)
    assert not thread.is_alive()
