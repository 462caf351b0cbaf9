"""How the tasks of one call wait, and how an end that comes from outside reaches them.

A call is used by one task as a rule, but may be by several: one sends, another receives. Each waits until something
has changed and looks again. What ends the call for all of them, a deadline or a reset, is an error that every wait
raises from then on.

A future of asyncio's lets its task go on in the next turn of the loop, which costs as much as the rest of the wait. A
task that waits for what comes from the peer goes on as soon as the connection has taken all that has come: `Wait` is a
future as far as a task is concerned, and `go_on` takes the task's step there and then, in the task's own context.
"""
from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from contextvars import Context

__all__ = ["Guard", "Wait", "Waits", "go_on"]


class Waits:
    """The waits of one call. `error` is what ended it, or None."""

    # What most calls never change stands here, and need not be written for each.
    error: Exception | None = None
    waiting: tuple[Wait, ...] = ()
    guards: tuple[Guard, ...] = ()

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop

    def check(self) -> None:
        """Raises `error` if there is one."""
        if self.error is not None:
            raise self.error

    def change(self) -> Wait:
        """To be awaited: something has changed then. Raises `error` if there is one, now or then."""
        if self.error is not None:
            raise self.error
        wait = Wait(self)
        self.waiting += (wait,)
        return wait

    def wake(self, woken: list[Wait] | None = None) -> None:
        """Something has changed. Who waits for it goes on in the next turn of the loop, or with those that are `woken`.
        """
        waiting, self.waiting = self.waiting, ()
        for wait in waiting:
            if woken is None:
                wait.finish_later()
            elif wait.finish():
                woken.append(wait)

    def fail(self, error: Exception) -> None:
        """The call is over; the first error counts."""
        if self.error is None:
            self.error = error
            self.wake()
            for guard in self.guards:
                guard.interrupt()

    def guard(self) -> Guard:
        """A context for awaiting what is not ours (an application's listener, the making of a connection)."""
        return Guard(self)


class Wait:
    """One wait of one task, to be awaited at once and only once.

    Rule: a task asks what it awaits for `get_loop`, `add_done_callback`, `cancel` and `result`, and for
    `_asyncio_future_blocking`, by which asyncio (in C as in Python) knows a future that is not its own.
    """

    __slots__ = ("_asyncio_future_blocking", "_cancelled", "_context", "_finished", "_waits", "_wake_up")

    def __init__(self, waits: Waits) -> None:
        self._waits = waits
        self._asyncio_future_blocking = False
        self._finished = False
        self._cancelled: tuple[object, ...] | None = None

    def __await__(self) -> Generator[Wait, None, None]:
        self._asyncio_future_blocking = True
        yield self
        if self._waits.error is not None:
            raise self._waits.error

    def finish(self) -> bool:
        """The wait is over; returns whether `step` has to follow, and not whether the task has been cancelled."""
        first, self._finished = not self._finished, True
        return first

    def finish_later(self) -> None:
        """The wait is over; the task goes on in the next turn of the loop."""
        if self.finish():
            self.step_later()

    def step(self) -> None:
        """Let the task go on, now."""
        self._context.run(self._wake_up, self)

    def step_later(self) -> None:
        """Let the task go on in the next turn of the loop."""
        self._waits.loop.call_soon(self._wake_up, self, context=self._context)

    # --- what a task calls ---

    def get_loop(self) -> asyncio.AbstractEventLoop:
        return self._waits.loop

    def add_done_callback(self, callback: Callable[[Any], object], *, context: Context) -> None:
        self._wake_up = callback
        self._context = context

    def cancel(self, msg: object = None) -> bool:
        if not self.finish():
            return False
        self._waits.waiting = tuple(wait for wait in self._waits.waiting if wait is not self)
        self._cancelled = () if msg is None else (msg,)     # by it anyio's scopes know their own cancellations
        self.step_later()
        return True

    def result(self) -> None:
        if self._cancelled is not None:
            raise asyncio.CancelledError(*self._cancelled)


def go_on(woken: list[Wait], loop: asyncio.AbstractEventLoop) -> None:
    """Let all go on whose waits are over: now, unless a task is running, which is not to be interrupted."""
    if asyncio.current_task(loop) is not None:
        for wait in woken:
            wait.step_later()
        return
    steps = iter(woken)
    try:
        for wait in steps:
            wait.step()
    except BaseException:       # the end of the program: what a task raises otherwise stays its own
        for wait in steps:
            wait.step_later()
        raise


class Guard:
    """Ends what a task awaits inside when the call fails, and raises the call's error in its place.

    The task is cancelled for it, and the cancellation taken back, as `asyncio.timeout` does it.
    """

    __slots__ = ("_cancelling", "_interrupted", "_task", "_waits")

    def __init__(self, waits: Waits) -> None:
        self._waits = waits
        self._interrupted = False

    def interrupt(self) -> None:
        self._interrupted = True
        self._task.cancel()

    def __enter__(self) -> None:
        self._waits.check()
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a call is made inside a task")
        self._task = task
        self._cancelling = task.cancelling()
        self._waits.guards += (self,)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._waits.guards = tuple(guard for guard in self._waits.guards if guard is not self)
        if self._interrupted and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            self._waits.check()
