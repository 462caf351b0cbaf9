"""Timers of a script: which is due, and when the next one will be. Times are seconds on the caller's clock.

Source: the HTML standard, "Timers": those with the same time in the order in which they were set.
"""
from __future__ import annotations

from heapq import heapify, heappop, heappush
from itertools import count
from typing import NamedTuple

__all__ = ["Timers"]

_STALE = 64     # entries of cleared timers that may wait in the heap for their time


class _Timer(NamedTuple):
    order: int              # of its entry in the heap
    period: float | None
    background: bool


class Timers:
    """Timers by number. `pending` is how many there are, without those in the background."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, int]] = []   # due, order, number
        self._set: dict[int, _Timer] = {}
        self._order = count()
        self.pending = 0

    def set(self, number: int, due: float, period: float | None = None, *, background: bool = False) -> None:
        """Start a timer; with a period it starts itself again each time it is taken."""
        self.clear(number)
        timer = self._set[number] = _Timer(next(self._order), period, background)
        self.pending += not background
        heappush(self._heap, (due, timer.order, number))

    def clear(self, number: int) -> None:
        """Forget a timer. No effect if there is none."""
        timer = self._set.pop(number, None)
        if timer is None:
            return
        self.pending -= not timer.background
        if len(self._heap) > 2 * len(self._set) + _STALE:
            self._heap = [entry for entry in self._heap if self._counts(entry)]
            heapify(self._heap)

    def clear_all(self) -> None:
        self._set.clear()
        self._heap.clear()
        self.pending = 0

    def next_due(self) -> float | None:
        """When the next timer is due; None if there is none."""
        while self._heap and not self._counts(self._heap[0]):
            heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def take_due(self, now: float) -> int | None:
        """The number of a timer that is due at `now`, the earliest; None if there is none."""
        due = self.next_due()
        if due is None or due > now:
            return None
        number = self._heap[0][2]
        timer = self._set[number]
        if timer.period is None:
            self.clear(number)
        else:
            self.set(number, now + timer.period, timer.period, background=timer.background)
        return number

    def _counts(self, entry: tuple[float, int, int]) -> bool:
        """Whether the timer has not been cleared, nor set anew, since this entry was made."""
        _, order, number = entry
        timer = self._set.get(number)
        return timer is not None and timer.order == order
