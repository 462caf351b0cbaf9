"""The waits of a call, without a call."""
from __future__ import annotations

import asyncio

import pytest

from goplugin.aio.waiting import Waits

from ..harness import asynchronous


class CallFailedError(Exception):
    pass


@asynchronous
async def test_a_change_wakes_all_who_wait() -> None:
    waits = Waits(asyncio.get_running_loop())
    waiting = [asyncio.create_task(waits.change()) for _ in range(3)]
    await asyncio.sleep(0)
    waits.wake()
    assert await asyncio.gather(*waiting) == [None] * 3


@asynchronous
async def test_one_who_stops_waiting_is_forgotten() -> None:
    waits = Waits(asyncio.get_running_loop())
    patient, impatient = asyncio.create_task(waits.change()), asyncio.create_task(waits.change())
    await asyncio.sleep(0)
    impatient.cancel()
    await asyncio.wait([impatient])
    assert len(waits._futures) == 1
    waits.wake()
    await patient


@asynchronous
async def test_an_error_ends_every_wait_from_then_on() -> None:
    waits = Waits(asyncio.get_running_loop())
    waiting = asyncio.create_task(waits.change())
    await asyncio.sleep(0)
    first = CallFailedError()
    waits.fail(first)
    waits.fail(CallFailedError())
    for wait in (waiting, waits.change()):
        with pytest.raises(CallFailedError) as raised:
            await wait
        assert raised.value is first
    with pytest.raises(CallFailedError):
        waits.check()


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
