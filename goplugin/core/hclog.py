"""A plugin's stderr as log entries, and log entries as lines of its stderr.

Rule 1: a line is a JSON object of hclog's, or text. A text's level is in its tag, `[WARN] ...`; untagged it is debug.
Rule 2: after a Go panic every untagged line is an error, for good.
Rule 3: what is too long to be a line comes in pieces, each at debug, unread.
Rule 4 (ours): the lines of a Python traceback are one entry, an error. It is complete at the exception's own line, so
that nothing waits for a next line that may never come; each further part of a chain is an entry that begins with the
sentence which links it.
Rule 5: whatever a plugin writes, the host gets an entry. Upstream's host panics at a message that is no string.
Source: go-plugin client.go, logStderr, and log_entry.go; go-hclog's JSON format.
"""
from __future__ import annotations

import enum
import re
import time
from collections import deque
from collections.abc import Mapping
from typing import Any, NamedTuple, cast

from .handshake import NEED_DATA, NeedData

__all__ = [
    "LINE_LIMIT",
    "Level",
    "LogEntry",
    "StderrParser",
    "format_entry",
    "parse_line",
    "readable",
    "with_tracebacks",
]

LINE_LIMIT = 64 * 1024
"""Bytes of a line before it is given out in pieces, and of a traceback before it is cut."""

_CARRIAGE_RETURN = 13
_PANICS = ("panic: ", "fatal error: ")
# Patterns are compiled where they are first used: a plugin, which uses none, need not wait for it.
_TAG = r"\[(TRACE|DEBUG|INFO|WARN|ERROR)\]"
_TRACEBACK_GOES_ON = (
    r"[\s|]*(?:\+ Exception Group )?Traceback \(most recent call last\):$"
    r"|During handling of the above exception, another exception occurred:$"
    r"|The above exception was the direct cause of the following exception:$"
)
# The exception itself stands at the margin; a group of exceptions is closed by a line of dashes.
_TRACEBACK_ENDS = r"\S|\s*\+-+$"
# Go prints the microseconds always, and reads nothing else.
_TIMESTAMP = r"(?a:\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.,]\d{6}(?:Z|[+-]\d\d:\d\d))"
_SURROGATE_ESCAPE = r"\\u[dD][89a-fA-F]"
_SURROGATE = "[\ud800-\udfff]"


class Level(enum.IntEnum):
    """hclog's levels, with the numbers that the standard library's logging has for them, or would have."""

    TRACE = 5
    DEBUG = 10
    INFO = 20
    WARN = 30
    ERROR = 40

    @classmethod
    def of_number(cls, number: int) -> Level:
        """The level of a logging level's `number`: the highest that is not above it, TRACE at the least."""
        return max((level for level in cls if level <= number), default=cls.TRACE)


_LEVELS = {level.name.lower(): level for level in Level}


class LogEntry(NamedTuple):
    """One entry.

    `fields` are the key/value pairs in the line's order, with hclog's own `@module` and `@caller` if they are there.
    `timestamp` is seconds since 1970 as the plugin states them, None if it does not.
    """

    level: Level
    message: str
    fields: Mapping[str, object]
    timestamp: float | None = None

    @property
    def pairs(self) -> str:
        """The fields as they follow the message in a text, each ` key=value`; without hclog's own."""
        return "".join(f" {key}={value}" for key, value in self.fields.items() if not key.startswith("@"))


def format_entry(entry: LogEntry) -> str:
    """`entry` as hclog prints it: one JSON object in one line of ASCII, keys sorted, without a newline.

    `@message`, `@level` and `@timestamp` are strings whatever the fields say. A value that JSON does not know is
    written as its `str()`. Raises what such a `str()` raises, and RecursionError for a value nested too deeply.
    """
    import json

    line: dict[str, object] = {str(key): value for key, value in entry.fields.items()}
    line |= {"@message": entry.message, "@level": entry.level.name.lower()}
    line.pop("@timestamp", None)
    if entry.timestamp is not None:
        seconds, microseconds = divmod(round(entry.timestamp * 1_000_000), 1_000_000)
        line["@timestamp"] = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{microseconds:06d}Z"
    try:
        return json.dumps(line, default=str, sort_keys=True, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError):
        # NaN, a cycle, or a key inside a value that is no string: not worth losing the entry.
        plain = {key: value if isinstance(value, (str, int)) else str(value) for key, value in line.items()}
        return json.dumps(plain, sort_keys=True, separators=(",", ":"))


def with_tracebacks(text: str) -> str:
    """`text`, lines of a plugin's stderr, with the traceback itself in place of an entry that has one in a field."""
    return "\n".join(_traceback_of(line) or line for line in text.split("\n"))


def _traceback_of(line: str) -> str:
    return str(parse_line(line).fields.get("traceback", "")).rstrip("\n") if line.startswith("{") else ""


def readable(text: str) -> str:
    """`text`, lines of a plugin's stderr, with each entry in JSON as `[WARN] message key=value`."""
    return "\n".join(map(_readable_line, text.split("\n")))


def _readable_line(line: str) -> str:
    entry = _json_entry(line)
    if entry is None or entry.message == line:
        return line
    return f"[{entry.level.name}] {entry.message}{entry.pairs}"


def parse_line(line: bytes | str) -> LogEntry:
    """One whole line by itself, that is by rule 1 alone. Bytes that are no UTF-8 become U+FFFD."""
    text = line if isinstance(line, str) else line.decode("utf-8", "replace")
    text = text.removesuffix("\n").removesuffix("\r")
    return _json_entry(text) or LogEntry(_tagged_level(text) or Level.DEBUG, text, {})


def _tagged_level(text: str) -> Level | None:
    tag = re.match(_TAG, text)
    return tag and Level[tag[1]]


def _json_entry(text: str) -> LogEntry | None:
    """The entry if `text` is a JSON object, None if it is to be read as text."""
    if not text.lstrip().startswith("{"):
        return None
    try:
        fields = _json_object(text)
        message, level = fields.pop("@message", ""), fields.pop("@level", "")
        timestamp = _seconds(fields.pop("@timestamp", None))
    except (ValueError, RecursionError):
        return None
    if not isinstance(message, str) or not isinstance(level, str):
        return None
    known = _LEVELS.get(level.strip().lower())
    # Without a level it is somebody else's JSON, and stays as it is.
    return LogEntry(Level.DEBUG, text, {}) if known is None else LogEntry(known, message, fields, timestamp)


def _json_object(text: str) -> dict[str, object]:
    """Raises ValueError for what is no JSON, RecursionError for what is nested too deeply."""
    import json

    value: Any = json.loads(text, parse_constant=_refuse_constant)
    if re.search(_SURROGATE_ESCAPE, text):
        # JSON can spell half of a surrogate pair, which no stream can print; Go reads it as U+FFFD.
        value = json.loads(re.sub(_SURROGATE, "\ufffd", json.dumps(value, ensure_ascii=False)))
    return cast("dict[str, object]", value)


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is Python's JSON, not Go's")


def _seconds(timestamp: object) -> float | None:
    if timestamp is None:
        return None
    if not isinstance(timestamp, str) or not re.fullmatch(_TIMESTAMP, timestamp):
        raise ValueError("not a timestamp of hclog's")
    from datetime import datetime

    return datetime.fromisoformat(timestamp).timestamp()


class StderrParser:
    """Turns the bytes of a plugin's stderr into LogEntry events. Holds at most twice LINE_LIMIT between events."""

    def __init__(self) -> None:
        self._line = bytearray()
        self._continued = False
        self._panicking = False
        self._traceback: list[str] = []
        self._traceback_size = 0
        self._entries: deque[LogEntry] = deque()

    def receive_data(self, data: bytes) -> None:
        """Take the next bytes of stderr."""
        first, *others = data.split(b"\n")
        self._extend_line(first)
        for piece in others:
            self._end_line()
            self._extend_line(piece)

    def receive_eof(self) -> None:
        """Take note that stderr has ended. A last line needs no newline."""
        if self._line:
            self._end_line()
        self._end_traceback()

    def next_event(self) -> LogEntry | NeedData:
        """The next entry, or NEED_DATA."""
        return self._entries.popleft() if self._entries else NEED_DATA

    def _extend_line(self, piece: bytes) -> None:
        self._line += piece
        while len(self._line) >= LINE_LIMIT:
            # A carriage return goes with its newline, which may be the next byte.
            size = LINE_LIMIT - (self._line[LINE_LIMIT - 1] == _CARRIAGE_RETURN)
            self._put_text(self._line[:size].decode("utf-8", "replace"), Level.DEBUG)
            del self._line[:size]
            self._continued = True

    def _end_line(self) -> None:
        text = self._line.removesuffix(b"\r").decode("utf-8", "replace")
        self._line.clear()
        if self._continued:
            self._continued = False
            self._put_text(text, Level.DEBUG)
        else:
            self._take_line(text)

    def _take_line(self, text: str) -> None:
        if (entry := _json_entry(text)) is not None:
            self._entries.append(entry)
        elif (level := _tagged_level(text)) is not None:
            self._put_text(text, level)
        elif text.startswith(_PANICS):
            self._panicking = True
            self._put_text(text, Level.ERROR)
        elif self._traceback or re.match(_TRACEBACK_GOES_ON, text):
            self._extend_traceback(text)
        else:
            self._put_text(text, Level.ERROR if self._panicking else Level.DEBUG)

    def _extend_traceback(self, text: str) -> None:
        self._traceback.append(text)
        self._traceback_size += len(text) + 1
        goes_on = re.match(_TRACEBACK_GOES_ON, text) or not re.match(_TRACEBACK_ENDS, text)
        if not goes_on or self._traceback_size >= LINE_LIMIT:
            self._end_traceback()

    def _end_traceback(self) -> None:
        if self._traceback:
            self._put_text("\n".join(self._traceback), Level.ERROR)
        self._traceback.clear()
        self._traceback_size = 0

    def _put_text(self, text: str, level: Level) -> None:
        self._entries.append(LogEntry(level, text, {}))
