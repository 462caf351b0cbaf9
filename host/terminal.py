"""Colour and movement, where there is a terminal to see them.

Rule 1: colours only on a terminal, and never with NO_COLOR; what is piped is plain text.
Rule 2: a progress line is on stderr, appears after half a second, and is gone when the work is done. Whoever writes to
stderr meanwhile does so through `note`, which keeps the two apart.
"""
from __future__ import annotations

import io
import os
import sys
import threading
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

__all__ = ["Paint", "Progress", "StdoutError", "note", "own_stdout", "width"]

_CODES = {
    "bold": "1", "dim": "2", "italic": "3", "underline": "4",
    "red": "31", "green": "32", "yellow": "33", "blue": "34", "magenta": "35", "cyan": "36",
}
_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_PATIENCE_SECONDS, _FRAME_SECONDS = 0.5, 0.1
_BAR_WIDTH = 24
_CLEAR = "\r\x1b[K"

_lock = threading.Lock()  # of stderr, for a line that comes and goes


class Paint:
    """Text in colours, for one stream: `paint("text", "bold", "red")`, which is the text itself if colours are off."""

    def __init__(self, stream: TextIO) -> None:
        self.on = stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    def __call__(self, text: str, *styles: str) -> str:
        if not self.on or not text:
            return text
        return f"\x1b[{';'.join(_CODES[style] for style in styles)}m{text}\x1b[0m"


class StdoutError(OSError):
    """Stdout does not take what is printed, though somebody may still read it: a disk is full, for example."""


class _Stdout(io.FileIO):
    def write(self, data: ReadableBuffer, /) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise StdoutError(f"stdout: {error.strerror}") from error


def own_stdout() -> io.TextIOWrapper:
    """A stream to the file that sys.stdout writes to, whose errors are StdoutErrors (a BrokenPipeError stays one)."""
    sys.stdout.flush()
    raw = _Stdout(sys.stdout.fileno(), "wb", closefd=False)
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding=sys.stdout.encoding)


def width(most: int = 100) -> int:
    """How many columns text may take: those of the terminal, but lines beyond `most` are hard to read."""
    import shutil  # with half a dozen ways to pack files, which few verbs should pay for

    return min(most, shutil.get_terminal_size((80, 24)).columns)


def note(text: str) -> None:
    """One or more whole lines on stderr, clear of a progress line."""
    with _lock:
        if Progress.drawn:
            sys.stderr.write(_CLEAR)
            Progress.drawn = False
        sys.stderr.write(f"{text}\n")  # where nothing is buffered, print would write the newline by itself
        sys.stderr.flush()


class Progress:
    """A context manager around work that may take long: a line that says what is done, and how much of it."""

    drawn = False  # of all lines: one run shows one at a time

    def __init__(self, what: str) -> None:
        self._what = what
        self._state = (0, 0, "")
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Progress:
        if sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
            self._thread = threading.Thread(target=self._draw, name="progress")
            self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def show(self, done: int, total: int, detail: str = "") -> None:
        """`done` of `total` steps are behind us; `detail` is what is being done."""
        self._state = done, total, detail

    def _draw(self) -> None:
        paint, frame, pause = Paint(sys.stderr), 0, _PATIENCE_SECONDS
        while not self._ended.wait(pause):
            pause = _FRAME_SECONDS
            with _lock:
                sys.stderr.write(_CLEAR + paint(_FRAMES[frame % len(_FRAMES)], "cyan") + " " + self._line())
                sys.stderr.flush()
                Progress.drawn = True
            frame += 1
        with _lock:
            if Progress.drawn:
                sys.stderr.write(_CLEAR)
                sys.stderr.flush()
                Progress.drawn = False

    def _line(self) -> str:
        done, total, detail = self._state
        parts = [self._what]
        if total:
            filled = _BAR_WIDTH * done // total
            parts += ["█" * filled + "░" * (_BAR_WIDTH - filled), f"{done}/{total}"]
        return " ".join([*parts, detail]).rstrip()[: width() - 3]
