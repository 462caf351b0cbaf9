from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from jsbridge.timers import Timers


def timers_of(*entries: tuple[int, float]) -> Timers:
    timers = Timers()
    for number, due in entries:
        timers.set(number, due)
    return timers


def take_all(timers: Timers, now: float) -> list[int]:
    taken: list[int] = []
    while (number := timers.take_due(now)) is not None:
        taken.append(number)
    return taken


def test_without_timers_nothing_is_due() -> None:
    assert Timers().next_due() is None
    assert Timers().take_due(1e9) is None


def test_the_earliest_comes_first_and_of_the_same_time_the_one_set_first() -> None:
    assert take_all(timers_of((1, 3.0), (2, 1.0), (3, 3.0)), now=3.0) == [2, 1, 3]


def test_a_timer_is_not_taken_before_its_time() -> None:
    timers = timers_of((1, 1.0), (2, 2.0))

    assert take_all(timers, now=1.5) == [1]
    assert timers.next_due() == 2.0
    assert timers.pending == 1


def test_a_cleared_timer_is_not_due() -> None:
    timers = timers_of((1, 1.0), (2, 2.0))
    timers.clear(1)
    timers.clear(7)

    assert timers.next_due() == 2.0
    assert take_all(timers, now=9.0) == [2]


def test_a_timer_with_a_period_starts_itself_again_when_it_is_taken() -> None:
    timers = Timers()
    timers.set(1, 1.0, 0.5)

    assert timers.take_due(1.2) == 1
    assert timers.next_due() == 1.7
    assert timers.pending == 1
    timers.clear(1)
    assert timers.next_due() is None


def test_a_timer_in_the_background_is_due_but_not_pending() -> None:
    timers = Timers()
    timers.set(1, 1.0, background=True)

    assert timers.pending == 0
    assert timers.take_due(1.0) == 1
    assert timers.pending == 0


def test_all_can_be_cleared() -> None:
    timers = timers_of((1, 1.0), (2, 2.0))
    timers.clear_all()

    assert timers.pending == 0
    assert timers.next_due() is None


def test_cleared_timers_do_not_pile_up() -> None:
    timers = timers_of((0, 1e9))
    for number in range(1, 10_000):
        timers.set(number, 1e6)
        timers.clear(number)

    assert len(vars(timers)["_heap"]) < 100
    assert timers.next_due() == 1e9


@given(st.lists(st.tuples(st.sampled_from(["set", "clear", "take"]), st.integers(0, 5), st.integers(0, 9))))
def test_any_sequence_agrees_with_a_list(steps: list[tuple[str, int, int]]) -> None:
    timers, model = Timers(), list[Any]()
    for step, number, time in steps:
        if step != "take":
            model = [entry for entry in model if entry[1] != number]
        if step == "set":
            timers.set(number, time)
            model.append((time, number))
        elif step == "clear":
            timers.clear(number)
        else:
            due = sorted((entry for entry in model if entry[0] <= time), key=lambda entry: entry[0])
            assert timers.take_due(time) == (due[0][1] if due else None)
            model = [entry for entry in model if entry not in due[:1]]
        assert timers.pending == len(model)
        assert timers.next_due() == min((entry[0] for entry in model), default=None)
