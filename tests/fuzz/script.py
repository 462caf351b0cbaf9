"""Decisions read from a fuzzer's bytes: what comes next from the peer, and what the application does about it."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from goplugin.core.errors import RemoteProtocolError

T = TypeVar("T")


class Script:
    """True as long as there are bytes; every decision takes some, and is the first possible one when none are left."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def __bool__(self) -> bool:
        return self._position < len(self._data)

    def take(self, size: int) -> bytes:
        """The next `size` bytes, or what is left."""
        start, self._position = self._position, self._position + size
        return self._data[start : self._position]

    def rest(self) -> bytes:
        """All that is left."""
        return self.take(len(self._data))

    def number(self) -> int:
        """From 0 to 255."""
        return int.from_bytes(self.take(1))

    def choose(self, options: Sequence[T]) -> T:
        return options[self.number() % len(options)]

    def piece(self) -> bytes:
        """Up to 255 bytes, as many as the byte before them says."""
        return self.take(self.number())


def assert_broken(next_event: Callable[[], object]) -> None:
    """A machine whose peer broke the protocol says so for ever."""
    try:
        event = next_event()
    except RemoteProtocolError:
        return
    raise AssertionError(f"{event} behind an error")
