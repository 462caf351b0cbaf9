"""What plugins log and print, line by line, for somebody who watches.

A plugin speaks in three ways: log entries and stray text on its process's stderr, and what it prints to stdout and to
stderr once it is served. Each line goes to one function, with the name of the module, or of the file until the manifest
has told that.
"""
from __future__ import annotations

import io
import json
import logging
import os
import sys
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from .terminal import Paint, note

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

__all__ = ["PluginOutput", "Show", "printer"]

Show = Callable[[str, str, str], object]
"""Takes (name, kind, text): kind is `stdout`, `stderr`, or the level of a log entry, such as `warn`."""

_NAME_COLOURS = ("cyan", "magenta", "blue", "green", "yellow")
_LEVEL_COLOURS = {"error": "red", "warn": "yellow", "debug": "dim", "trace": "dim", "stderr": "dim"}
_STREAMS = ("stdout", "stderr")


class PluginOutput:
    """The output of one plugin, as what ClientConfig takes: `logger`, `stdout`, `stderr`."""

    def __init__(self, path: str, show: Show) -> None:
        self.name = os.path.basename(path)
        """What the lines are shown under; the module's name, once it is known."""
        self._show = show
        self.logger: logging.Logger = _Logger(self._log)
        self.stdout = _Lines(lambda text: self._show(self.name, "stdout", text))
        self.stderr = _Lines(lambda text: self._show(self.name, "stderr", text))

    def end(self) -> None:
        """Show what came without a newline; the plugin says no more."""
        self.stdout.end()
        self.stderr.end()

    def _log(self, record: logging.LogRecord) -> None:
        # An entry of hclog's has its caller or module beside the message; text that is just written has not.
        is_entry = any(name.startswith("@") for name in vars(record))
        level = "warn" if record.levelno == logging.WARNING else logging.getLevelName(record.levelno).lower()
        if record.levelno < logging.DEBUG:
            level = "trace"
        kind = level if is_entry or record.levelno > logging.DEBUG else "stderr"
        for line in record.getMessage().splitlines():
            self._show(self.name, kind, line)


class _Logger(logging.Logger):
    """A logger by itself, outside of the tree of loggers, whose records go to one function."""

    def __init__(self, take: Callable[[logging.LogRecord], None]) -> None:
        super().__init__("plugin")
        self._take = take

    def getChild(self, suffix: str) -> logging.Logger:
        return self

    def callHandlers(self, record: logging.LogRecord) -> None:
        self._take(record)


class _Lines(io.BytesIO):
    """A sink that gives on whole lines, as text."""

    def __init__(self, take: Callable[[str], object]) -> None:
        super().__init__()
        self._take = take
        self._rest = b""

    def write(self, data: ReadableBuffer, /) -> int:
        written = bytes(data)
        *lines, self._rest = (self._rest + written).split(b"\n")
        for line in lines:
            self._take(line.decode("utf-8", "replace").rstrip("\r"))
        return len(written)

    def end(self) -> None:
        if self._rest:
            self.write(b"\n")


def printer(*, as_json: bool) -> Show:
    """Shows each line on stderr: `plugin:clock | WARN  text`, or as an object with the key `log`."""
    paint = Paint(sys.stderr)

    def show(name: str, kind: str, text: str) -> None:
        if as_json:
            note(json.dumps({"log": {"plugin": name, "kind": kind, "text": text}}))
            return
        prefix = paint(name, _NAME_COLOURS[zlib.crc32(name.encode()) % len(_NAME_COLOURS)])
        label = "" if kind in _STREAMS else f"{kind.upper():5} "
        colour = _LEVEL_COLOURS.get(kind)
        note(f"{prefix} | {paint(label + text, colour) if colour else label + text}")

    return show
