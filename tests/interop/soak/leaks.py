"""What a process has open, and whether that grows from run to run."""
from __future__ import annotations

import contextlib
import gc
import os
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

__all__ = ["WARM_UP", "Counts", "LeakError", "RunError", "Subject", "own_counts", "process_counts", "soak"]

WARM_UP = 2
"""The runs before the first count: what is made once, is made in them."""

_SETTLE_SECONDS = 10.0  # a Go broker keeps an answered knock for 5 s

Counts = dict[str, int]


class RunError(Exception):
    """A run failed; with what its plugin wrote to its stderr, as far as that is known."""

    def __init__(self, text: str, stderr: str = "") -> None:
        super().__init__(text)
        self.stderr = stderr


class LeakError(Exception):
    """There is more than there was; says of what."""


class Subject(Protocol):
    """What is run."""

    def run(self) -> None:
        """One run. Raises RunError, and LeakError for what is left behind it."""
        ...

    def counts(self) -> Counts:
        """What the processes that stay have open now."""
        ...


def process_counts(pid: int | str) -> Counts:
    """Open files and sockets, and threads."""
    kinds: Counter[str] = Counter()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):    # that of the directory itself
            kinds["sockets" if os.readlink(descriptor).startswith("socket:") else "files"] += 1
    return {"files": kinds["files"], "sockets": kinds["sockets"], "threads": len(os.listdir(f"/proc/{pid}/task"))}


def own_counts() -> Counts:
    """The same of this process, but for the thread that looks after idle channels: it sees late that there are none."""
    gc.collect()
    counts = process_counts("self")
    counts["threads"] -= sum(thread.name == "goplugin-watcher" for thread in threading.enumerate())
    return counts


def soak(subject: Subject, runs: int, progress: Callable[[int], object] = lambda run: None) -> tuple[Counts, Counts]:
    """So many runs; what there was before them and behind them. Raises RunError, and LeakError if that is more.

    `progress` hears how many are done.
    """
    for _ in range(WARM_UP):
        subject.run()
    before = subject.counts()
    for run in range(1, runs + 1):
        subject.run()
        progress(run)
    after = _settled(subject, before)
    more = [f"{after[name] - before[name]} more {name}" for name in before if after[name] > before[name]]
    if more:
        raise LeakError(f"after {runs} runs there are {', '.join(more)}: {before} became {after}")
    return before, after


def _settled(subject: Subject, before: Counts) -> Counts:
    """What there is when the last run's things are gone, or have had their time for that."""
    deadline = time.monotonic() + _SETTLE_SECONDS
    while True:
        counts = subject.counts()
        if all(counts[name] <= before[name] for name in before) or time.monotonic() >= deadline:
            return counts
        time.sleep(0.05)
