"""What a plain method learns about its call beside the request, and what it says beside its reply.

One class for both runtimes: methods are given it; a runtime makes it and tells it when the call is over.
"""
from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .core.http2 import Metadata, MetadataLike

__all__ = ["CallContext"]


class CallContext:
    """One call, as its method sees it; any thread may use it.

    `invocation_metadata`: what the caller sent beside the request, as (key, value) pairs in their order.
    `deadline`: when the caller stops waiting, on `time.monotonic`'s clock; None if never.
    `initial_metadata`, `trailing_metadata`: what goes beside the answer, before and behind it.
    """

    __slots__ = (
        "_callbacks", "_cancelled", "_ended", "deadline", "initial_metadata", "invocation_metadata",
        "trailing_metadata",
    )

    def __init__(self, invocation_metadata: Metadata = (), deadline: float | None = None) -> None:
        self.invocation_metadata = invocation_metadata
        self.deadline = deadline
        self.initial_metadata: Metadata = ()
        self.trailing_metadata: Metadata = ()
        self._callbacks: list[Callable[[], object]] = []
        self._ended = False
        self._cancelled = False

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
        return self._cancelled or (not self._ended and self.time_remaining() == 0)

    def wait_cancelled(self, timeout: float | None = None) -> bool:
        """Wait until the call is cancelled or `timeout` seconds have passed; returns `cancelled`."""
        ended = threading.Event()
        self.add_callback(ended.set)
        ended.wait(min((limit for limit in (timeout, self.time_remaining()) if limit is not None), default=None))
        self.remove_callback(ended.set)
        return self.cancelled

    def add_callback(self, callback: Callable[[], object]) -> None:
        """Call `callback` once the call is over: answered, and the answer written, or cancelled; now, if it is.

        It runs on the thread that comes upon the end, where others wait for it: it must be quick, and must not raise.
        """
        self._callbacks.append(callback)
        if self._ended:
            self._run_callbacks()

    def remove_callback(self, callback: Callable[[], object]) -> None:
        """Forget a callback, if it has not been called yet."""
        with contextlib.suppress(ValueError):
            self._callbacks.remove(callback)

    def send_initial_metadata(self, metadata: MetadataLike = ()) -> None:
        """Let the answer begin with these pairs, and, if it is a stream, begin now: once, before the first reply."""
        self.initial_metadata = tuple(metadata)

    def set_trailing_metadata(self, metadata: MetadataLike) -> None:
        """Let the answer end with these pairs."""
        self.trailing_metadata = tuple(metadata)

    # --- for runtimes ---

    def end(self, *, cancelled: bool) -> None:
        """The call is over. The first time counts."""
        if not self._ended:
            self._cancelled = cancelled
            self._ended = True
            if self._callbacks:
                self._run_callbacks()

    def _run_callbacks(self) -> None:
        """Call each once: a list gives an element to one thread only, however many take from it."""
        while self._callbacks:
            try:
                callback = self._callbacks.pop(0)
            except IndexError:
                return
            callback()
