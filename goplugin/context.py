"""What a plain method learns about its call beside the request, and what it says beside its reply.

One class for both runtimes: methods are given it; a runtime makes it, and tells it when the call is over.
"""
from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .core.http2 import Metadata, MetadataLike

__all__ = ["CallContext", "Extras"]

_GOES_ON, _ANSWERED, _CANCELLED = range(3)


class CallContext:
    """One call, as its method sees it; any thread may use it.

    `invocation_metadata`: what the caller sent beside the request, as (key, value) pairs in their order.
    `deadline`: when the caller stops waiting, on `time.monotonic`'s clock; None if never.
    """

    __slots__ = ("_outcome", "deadline", "extras", "invocation_metadata")

    def __init__(self, invocation_metadata: Metadata = (), deadline: float | None = None) -> None:
        self.invocation_metadata = invocation_metadata
        self.deadline = deadline
        self.extras: Extras | None = None       # one context is made for every call, and few methods ask for more
        self._outcome = _GOES_ON

    # --- for methods ---

    @property
    def metadata(self) -> Mapping[str, str | bytes]:
        """The caller's metadata by key; of a key that came more than once, the first value."""
        return dict(reversed(self.invocation_metadata))

    def time_remaining(self) -> float | None:
        """Seconds until the deadline (0 at the least), or None without one."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())

    @property
    def cancelled(self) -> bool:
        """Whether nobody wants the answer any more: the caller gave up, its deadline passed, or it is gone."""
        return self._outcome == _CANCELLED or (self._outcome == _GOES_ON and self.time_remaining() == 0)

    def wait_cancelled(self, timeout: float | None = None) -> bool:
        """Wait until the call is cancelled or `timeout` seconds have passed; returns `cancelled`."""
        ended = threading.Event()
        self.add_callback(ended.set)
        ended.wait(min((limit for limit in (timeout, self.time_remaining()) if limit is not None), default=None))
        self.remove_callback(ended.set)
        return self.cancelled

    def add_callback(self, callback: Callable[[], object]) -> None:
        """Call `callback` once the call is over: cancelled, or answered and the answer written; now, if it is.

        It runs on the thread that comes upon the end, where others wait for it: it must be quick, and must not raise.
        """
        extras = self._extended()
        extras.callbacks.append(callback)
        if self._outcome != _GOES_ON:
            extras.run_callbacks()

    def remove_callback(self, callback: Callable[[], object]) -> None:
        """Forget a callback, if it has not been called yet."""
        with contextlib.suppress(ValueError):
            self._extended().callbacks.remove(callback)

    def send_initial_metadata(self, metadata: MetadataLike = ()) -> None:
        """Let the answer begin with these pairs, and, if it is a stream, begin now: once, before the first reply."""
        self._extended().initial_metadata = tuple(metadata)

    def set_trailing_metadata(self, metadata: MetadataLike) -> None:
        """Let the answer end with these pairs."""
        self._extended().trailing_metadata = tuple(metadata)

    # --- for runtimes ---

    def end(self, cancelled: bool) -> None:
        """The call is over. The first time counts."""
        if self._outcome == _GOES_ON:
            self._outcome = _CANCELLED if cancelled else _ANSWERED
            if self.extras is not None:
                self.extras.run_callbacks()

    def _extended(self) -> Extras:
        if self.extras is None:
            with _making_extras:
                self.extras = self.extras or Extras()
        return self.extras


class Extras:
    """What a method has added to its call: metadata, and callbacks."""

    __slots__ = ("callbacks", "initial_metadata", "trailing_metadata")

    def __init__(self) -> None:
        self.initial_metadata: Metadata = ()
        self.trailing_metadata: Metadata = ()
        self.callbacks: list[Callable[[], object]] = []

    def run_callbacks(self) -> None:
        """Call each once: a list gives an element to one thread only, however many take from it."""
        while self.callbacks:
            try:
                callback = self.callbacks.pop(0)
            except IndexError:
                return
            callback()


_making_extras = threading.Lock()
