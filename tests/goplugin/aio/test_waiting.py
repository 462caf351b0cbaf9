"""The waits of a call, without a call."""
from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable

import pytest

from goplugin.aio.waiting import Wait, Waits, go_on

from ..harness import asynchronous


class CallFailedError(Exception):
    pass


async def change(waits: Waits) -> None:
    await waits.change()


@asynchronous
async def test_a_change_wakes_all_who_wait() -> None:
    waits = Waits(asyncio.get_running_loop())
    waiting = [asyncio.create_task(change(waits)) for _ in range(3)]
    await asyncio.sleep(0)
    waits.wake()
    assert await asyncio.gather(*waiting) == [None] * 3


@asynchronous
async def test_one_who_stops_waiting_is_forgotten() -> None:
    waits = Waits(asyncio.get_running_loop())
    patient, impatient = asyncio.create_task(change(waits)), asyncio.create_task(change(waits))
    await asyncio.sleep(0)
    impatient.cancel()
    await asyncio.wait([impatient])
    assert len(waits.waiting) == 1
    waits.wake()
    await patient


@asynchronous
async def test_a_cancellation_keeps_its_text() -> None:
    waits = Waits(asyncio.get_running_loop())
    for arguments in ((), ("enough",)):
        task = asyncio.create_task(change(waits))
        await asyncio.sleep(0)
        task.cancel(*arguments)
        with pytest.raises(asyncio.CancelledError) as raised:
            await task
        assert raised.value.args == arguments


@asynchronous
async def test_an_error_ends_every_wait_from_then_on() -> None:
    waits = Waits(asyncio.get_running_loop())
    waiting = asyncio.create_task(change(waits))
    await asyncio.sleep(0)
    first = CallFailedError()
    waits.fail(first)
    waits.fail(CallFailedError())
    for wait in (waiting, change(waits)):
        with pytest.raises(CallFailedError) as raised:
            await wait
        assert raised.value is first
    with pytest.raises(CallFailedError):
        waits.check()


# --- going on at once --------------------------------------------------------------------------------------------


class Race:
    """Tasks that wait for one change, and what happened in which order."""

    def __init__(self, *steps: Callable[[], Awaitable[None]]) -> None:
        self.events: list[object] = []
        self.waits = Waits(asyncio.get_running_loop())
        self.tasks = [asyncio.create_task(self._wait(step)) for step in steps]

    async def _wait(self, step: Callable[[], Awaitable[None]]) -> None:
        await self.waits.change()
        self.events.append("woken")
        await step()

    def wake_all(self) -> None:
        """As a connection does it that has taken what has come."""
        woken: list[Wait] = []
        self.waits.wake(woken)
        self.events.append("before")
        go_on(woken, asyncio.get_running_loop())
        self.events.append("behind")


async def nothing() -> None:
    pass


@asynchronous
async def test_tasks_go_on_at_once_when_the_loop_calls() -> None:
    race = Race(nothing, nothing)
    await asyncio.sleep(0)
    asyncio.get_running_loop().call_soon(race.wake_all)
    await asyncio.wait(race.tasks)
    assert race.events == ["before", "woken", "woken", "behind"]


@asynchronous
async def test_no_task_goes_on_in_the_middle_of_another() -> None:
    race = Race(nothing)
    await asyncio.sleep(0)
    race.wake_all()
    await asyncio.wait(race.tasks)
    assert race.events == ["before", "behind", "woken"]


@asynchronous
async def test_a_task_goes_on_as_itself_and_in_its_own_context() -> None:
    variable = contextvars.ContextVar("variable", default="the loop's")
    seen: list[object] = []

    async def look() -> None:
        seen.extend((asyncio.current_task(), variable.get()))

    variable.set("the task's")
    race = Race(look)
    await asyncio.sleep(0)
    asyncio.get_running_loop().call_soon(race.wake_all, context=contextvars.Context())
    await asyncio.wait(race.tasks)
    assert seen == [race.tasks[0], "the task's"]


@asynchronous
async def test_one_who_is_cancelled_on_the_way_does_not_hear_of_the_change() -> None:
    race: Race

    async def cancel_the_other() -> None:
        race.tasks[1].cancel()

    race = Race(cancel_the_other, nothing)
    await asyncio.sleep(0)
    asyncio.get_running_loop().call_soon(race.wake_all)
    await asyncio.wait(race.tasks)
    assert [task.cancelled() for task in race.tasks] == [False, True]
    assert race.events == ["before", "woken", "behind"]


@asynchronous
async def test_one_who_is_cancelled_just_before_is_not_woken() -> None:
    race = Race(nothing)
    await asyncio.sleep(0)
    race.tasks[0].cancel()
    asyncio.get_running_loop().call_soon(race.wake_all)
    await asyncio.wait(race.tasks)
    assert race.tasks[0].cancelled()
    assert race.events == ["before", "behind"]


def test_the_end_of_the_program_leaves_nobody_waiting() -> None:
    tasks: list[asyncio.Task[None]] = []

    async def leave() -> None:
        raise KeyboardInterrupt

    async def main() -> None:
        race = Race(leave, nothing)
        tasks.extend(race.tasks)
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_soon(race.wake_all)
        await asyncio.Event().wait()

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(main())

    assert [task.done() for task in tasks] == [True, True]


# --- guards ------------------------------------------------------------------------------------------------------


@asynchronous
async def test_a_guard_ends_what_is_awaited_inside_it() -> None:
    waits = Waits(asyncio.get_running_loop())
    asyncio.get_running_loop().call_soon(waits.fail, CallFailedError())
    with pytest.raises(CallFailedError), waits.guard():
        await asyncio.Event().wait()
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


@asynchronous
async def test_a_guard_refuses_to_begin_behind_the_end() -> None:
    waits = Waits(asyncio.get_running_loop())
    waits.fail(CallFailedError())
    with pytest.raises(CallFailedError), waits.guard():
        pytest.fail("the call is over")


@asynchronous
async def test_a_guard_leaves_other_errors_and_cancellations_alone() -> None:
    waits = Waits(asyncio.get_running_loop())

    async def guarded() -> None:
        with waits.guard():
            await asyncio.Event().wait()

    task = asyncio.create_task(guarded())
    await asyncio.sleep(0)
    task.cancel()
    waits.fail(CallFailedError())
    with pytest.raises(asyncio.CancelledError):
        await task


@asynchronous
async def test_an_error_of_ones_own_outweighs_the_end_of_the_call() -> None:
    waits = Waits(asyncio.get_running_loop())

    async def guarded() -> None:
        with waits.guard():
            try:
                await asyncio.Event().wait()
            finally:
                raise LookupError

    task = asyncio.create_task(guarded())
    await asyncio.sleep(0)
    waits.fail(CallFailedError())
    with pytest.raises(LookupError):
        await task


def test_a_call_takes_a_task() -> None:
    loop = asyncio.new_event_loop()
    waits = Waits(loop)
    errors: list[str] = []

    def enter() -> None:
        try:
            waits.guard().__enter__()
        except RuntimeError as error:
            errors.append(str(error))
        loop.stop()

    loop.call_soon(enter)
    loop.run_forever()
    loop.close()
    assert errors == ["a call is made inside a task"]
