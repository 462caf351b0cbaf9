"""Threads that are kept for the next job."""
from __future__ import annotations

import threading
from collections.abc import Callable

__all__ = ["Workers"]

_IDLE_SECONDS = 10.0


class Workers:
    """As many daemon threads as there are jobs at a time; one that has had none for a while ends.

    Daemons, because the interpreter waits for all others at its exit: one job that never returns would keep a plugin
    alive that was asked to shut down. The thread that became idle last is taken first, so that the others can end.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []
        self._closed = False

    def start(self, job: Callable[[], object]) -> None:
        """Run `job` on a thread; at once, whatever the others do. Raises RuntimeError if the system has no more."""
        with self._lock:
            worker = self._idle.pop() if self._idle else None
        if worker is not None:
            worker.call(job)
        else:
            worker = _Worker(job)
            threading.Thread(target=self._run, args=(worker,), name=self._name, daemon=True).start()

    def close(self) -> None:
        """Keep no threads any more: the idle ones end now, the others when their jobs do."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.call(None)

    def _run(self, worker: _Worker) -> None:
        while worker.job is not None:
            worker.job()
            worker.job = None
            with self._lock:
                if self._closed:
                    return
                self._idle.append(worker)
            if not worker.bell.acquire(timeout=_IDLE_SECONDS):
                with self._lock:
                    if worker in self._idle:
                        self._idle.remove(worker)
                        return
                worker.bell.acquire()       # it was called at the last moment


class _Worker:
    """One thread: its `job`, and the bell that says there is another."""

    __slots__ = ("bell", "job")

    def __init__(self, job: Callable[[], object]) -> None:
        self.job: Callable[[], object] | None = job
        self.bell = threading.Lock()
        self.bell.acquire()

    def call(self, job: Callable[[], object] | None) -> None:
        """Do this next; None: nothing more."""
        self.job = job
        self.bell.release()
