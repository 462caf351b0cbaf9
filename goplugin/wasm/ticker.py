"""The clock of guests: one thread that advances the epoch of every engine that has a guest at work.

A guest looks at the epoch at every loop and every call. When it has advanced, the guest's machine looks at its
deadline, and Python at its signals: so a time limit holds, and Ctrl-C, even where the guest never returns. There is no
thread while no guest has been at work for a while.
"""
from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .machine import Machine

__all__ = ["TICK_SECONDS", "TICKER"]

TICK_SECONDS = 0.02
_IDLE_TICKS = 50


class _Ticker:
    """The machines that are at work, and the thread."""

    def __init__(self) -> None:
        self._working: set[Machine] = set()
        self.forget_thread()

    def forget_thread(self) -> None:
        """There is none: this process is new."""
        self._lock = threading.Lock()
        self._running = False

    def begin(self, machine: Machine) -> None:
        """`machine` is about to run its guest. Costs next to nothing while the thread is there."""
        # First the machine, then the look at the thread, which looks the other way round before it ends.
        self._working.add(machine)
        if not self._running:
            self._start()

    def end(self, machine: Machine) -> None:
        """Its guest runs no longer."""
        self._working.discard(machine)

    def _start(self) -> None:
        with self._lock:
            if not self._running:
                threading.Thread(target=self._run, name="goplugin-wasm-clock", daemon=True).start()
                self._running = True

    def _run(self) -> None:
        idle = 0
        while idle < _IDLE_TICKS or not self._may_end():
            time.sleep(TICK_SECONDS)
            machines = list(self._working)
            idle = 0 if machines else idle + 1
            for engine in {machine.engine for machine in machines}:
                engine.increment_epoch()

    def _may_end(self) -> bool:
        with self._lock:
            self._running = False
            self._running = bool(self._working)
            return not self._running


# Not configuration but a fact about the process, like its threads: one is enough.
TICKER = _Ticker()

if hasattr(os, "register_at_fork"):     # where there is a fork, which takes no other thread along
    os.register_at_fork(after_in_child=TICKER.forget_thread)
