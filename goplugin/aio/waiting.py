"""How the tasks of one call wait, and how an end that comes from outside reaches them.

A call is used by one task as a rule, but may be by several: one sends, another receives. Each waits until something
has changed and looks again. What ends the call for all of them, a deadline or a reset, is an error that every wait
raises from then on.
"""
from __future__ import annotations

import asyncio
from types import TracebackType

__all__ = ["Guard", "Waits"]


class Waits:
    """The waits of one call. `error` is what ended it, or None."""

    __slots__ = ("_futures", "_guards", "_loop", "error")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.error: Exception | None = None
        self._loop = loop
        self._futures: list[asyncio.Future[None]] = []
        self._guards: list[Guard] = []

    def check(self) -> None:
        """Raises `error` if there is one."""
        if self.error is not None:
            raise self.error

    async def change(self) -> None:
        """Wait until something has changed. Raises `error` if there is one, now or then."""
        self.check()
        future = self._loop.create_future()
        self._futures.append(future)
        try:
            await future
        except asyncio.CancelledError:
            if future in self._futures:
                self._futures.remove(future)
            raise
        self.check()

    def wake(self) -> None:
        """Something has changed."""
        futures, self._futures = self._futures, []
        for future in futures:
            if not future.done():
                future.set_result(None)

    def fail(self, error: Exception) -> None:
        """The call is over; the first error counts."""
        if self.error is None:
            self.error = error
            self.wake()
            for guard in self._guards:
                guard.interrupt()

    def guard(self) -> Guard:
        """A context for awaiting what is not ours (an application's listener, the making of a connection)."""
        return Guard(self, self._guards)


class Guard:
    """Ends what a task awaits inside when the call fails, and raises the call's error in its place.

    The task is cancelled for it, and the cancellation taken back, as `asyncio.timeout` does it.
    """

    __slots__ = ("_active", "_cancelling", "_interrupted", "_task", "_waits")

    def __init__(self, waits: Waits, active: list[Guard]) -> None:
        self._waits = waits
        self._active = active
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
        self._active.append(self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._active.remove(self)
        if self._interrupted and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            self._waits.check()
