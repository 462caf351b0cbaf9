"""`python -m tests.interop.soak RUNS [WORD...]`: so many runs of each subject, or of those whose names have a word.

The exit code is 1 if a run fails, whose plugin's stderr is printed then, or if something is left behind.
"""
from __future__ import annotations

import logging
import os
import sys
import tempfile
import time

from .. import gopeers
from .leaks import Counts, LeakError, RunError, soak
from .subjects import SUBJECTS

_PROGRESS_SECONDS = 5.0


class Progress:
    """A line every few seconds."""

    def __init__(self, runs: int) -> None:
        self._runs = runs
        self._start = self._last = time.monotonic()
        self.done = 0

    def __call__(self, done: int) -> None:
        self.done = done
        now = time.monotonic()
        if now - self._last >= _PROGRESS_SECONDS:
            self._last = now
            print(f"   {done} of {self._runs}, {self.seconds:.0f} s", flush=True)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._start


def soak_all(runs: int, names: list[str]) -> int:
    """The exit code."""
    go = gopeers.build()
    for name in names:
        print(f"== {name}", flush=True)
        progress = Progress(runs)
        try:
            with SUBJECTS[name](go) as subject:
                before, after = soak(subject, runs, progress)
        except (RunError, LeakError) as error:
            print(f"error: behind run {progress.done}: {error}", file=sys.stderr)
            print(getattr(error, "stderr", ""), end="", file=sys.stderr)
            return 1
        print(f"   {runs} runs in {progress.seconds:.0f} s; before: {_text(before)}; after: {_text(after)}", flush=True)
    return 0


def _text(counts: Counts) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items())


if __name__ == "__main__":
    logging.getLogger("plugin").addHandler(logging.NullHandler())   # what plugins log is shown if a run fails
    words = sys.argv[2:] or [""]
    with tempfile.TemporaryDirectory(prefix="soak-") as directory:
        os.environ["TMPDIR"] = tempfile.tempdir = directory     # where every process has its sockets
        sys.exit(soak_all(int(sys.argv[1]), [name for name in SUBJECTS if any(word in name for word in words)]))
