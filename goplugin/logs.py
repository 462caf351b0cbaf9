"""The standard library's logging, carried over a plugin's stderr as hclog lines and back into it in the host.

Source: go-plugin client.go, logStderr; go-hclog's JSON format.
"""
from __future__ import annotations

import logging
import os
from typing import IO

from .core.handshake import NEED_DATA
from .core.hclog import Level, LogEntry, StderrParser, format_entry

__all__ = ["HclogFormatter", "StderrLog", "install_log_handler", "write_to_sink"]

log = logging.getLogger("goplugin.logs")

_TRANSPORT_LOGGERS = ("asyncio", "grpclib", "h2", "hpack", "hyperframe")
_RECORD_ATTRIBUTES = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class HclogFormatter(logging.Formatter):
    """A record as a line of hclog JSON: the logger is `@module`, an exception `traceback`, `extra` the other fields."""

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, object] = {
            "@module": record.name,
            "@caller": f"{record.pathname}:{record.lineno}",
            **{key: value for key, value in vars(record).items() if key not in _RECORD_ATTRIBUTES},
        }
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        return format_entry(LogEntry(Level.of_number(record.levelno), record.getMessage(), fields, record.created))


def install_log_handler() -> None:
    """Send what the root logger gets to the host, whatever its level: the host's logger decides what it shows.

    Writes to a copy of descriptor 2, which is the host's even while `sys.stderr` is captured. The libraries that carry
    the plugin's own calls log from WARNING on: they say several lines about every frame.
    """
    handler = logging.StreamHandler(os.fdopen(os.dup(2), "w", buffering=1, encoding="utf-8", closefd=False))
    handler.setFormatter(HclogFormatter())
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    for name in _TRANSPORT_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)


def write_to_sink(sink: IO[bytes] | None, data: bytes) -> None:
    """Pass on what a plugin printed. A sink that fails is the host's own trouble: the plugin must not stop over it."""
    if sink is not None:
        try:
            sink.write(data)
        except (OSError, ValueError):  # ValueError: it is closed
            log.exception("failed to copy all bytes")


class StderrLog:
    """Where a host takes a plugin's stderr: to `sink` as it comes, and to `logger` entry by entry.

    An entry's fields are attributes of the record, as `extra` gives them, and follow the message as key=value.
    """

    def __init__(self, logger: logging.Logger, sink: IO[bytes] | None) -> None:
        self._logger = logger
        self._sink = sink
        self._parser = StderrParser()

    def receive(self, data: bytes) -> None:
        """Take the next bytes of stderr; b"" is its end."""
        if data:
            write_to_sink(self._sink, data)
            self._parser.receive_data(data)
        else:
            self._parser.receive_eof()
        while (entry := self._parser.next_event()) is not NEED_DATA:
            if self._logger.isEnabledFor(entry.level):
                self._log(entry)

    def _log(self, entry: LogEntry) -> None:
        extra = {key: value for key, value in entry.fields.items() if key not in _RECORD_ATTRIBUTES}
        self._logger.log(entry.level, "%s%s", entry.message, entry.pairs, extra=extra)
