"""What a plugin's author wants done before the plugin ends.

Rule 1: it is done once, whoever asks for the end first: the host's Shutdown, SIGTERM, or that the host is gone.
Rule 2: while it is done everything is as before: calls go on, what is printed and logged reaches the host.
Rule 3: it is waited for, but not without bounds: a plugin that does not end is an orphan in the end.
"""
from __future__ import annotations

import threading
from collections.abc import Callable

__all__ = ["ShutdownHook"]


class ShutdownHook:
    """`function` may take `seconds`. What it raises is reported as by any thread."""

    def __init__(self, function: Callable[[], object], seconds: float) -> None:
        self._function = function
        self._seconds = seconds
        self._lock = threading.Lock()
        self._begun = False

    def run(self) -> None:
        """Have it called, on a thread of its own, and wait until it has returned or its time is over."""
        with self._lock:    # whoever comes second waits as long
            if self._begun:
                return
            self._begun = True
            thread = threading.Thread(target=self._function, name="goplugin-shutdown", daemon=True)
            thread.start()
            thread.join(self._seconds)
            if thread.is_alive():
                import logging  # not at the start of a plugin: it is a fifth of that

                text = "on_shutdown has not returned within %g s, and the plugin ends without it"
                logging.getLogger("goplugin.server").warning(text, self._seconds)
