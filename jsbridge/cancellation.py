"""How an asynchronous call is given up: said on one thread, heard on another."""
from __future__ import annotations

import threading
from collections.abc import Callable

__all__ = ["Cancellation"]


class Cancellation:
    """Whether a call's answer is still wanted; any thread may use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._callbacks: list[Callable[[], object]] = []
        self.cancelled = False

    def cancel(self) -> None:
        """The answer is not wanted any more. Idempotent."""
        with self._lock:
            self.cancelled = True
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()

    def on_cancel(self, callback: Callable[[], object]) -> None:
        """Call `callback`, which must not raise, on the thread that cancels; now, if that has been."""
        with self._lock:
            if not self.cancelled:
                self._callbacks.append(callback)
                return
        callback()
