"""Uncaught exceptions of a plugin process, each as one hclog line with the traceback in a field.

A Go host takes the interpreter's own report, which is many lines of text, for as many entries of the level debug.
Whoever runs a plugin at a terminal gets that report as ever. What asyncio has to report, it logs.
"""
from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Generator
from types import TracebackType

__all__ = ["crashes_as_entries", "report_crashes_as_entries"]

_STDERR = 2
# In characters, of which JSON makes six bytes at worst: a Go host cuts a line at 64 KiB.
_LONGEST_TRACEBACK = 8 * 1024
_LONGEST_MESSAGE = 1024


def report_crashes_as_entries() -> None:
    """From now on, unless stderr is a terminal."""
    if not os.isatty(_STDERR):
        sys.excepthook = _report
        threading.excepthook = _report_in_thread


@contextlib.contextmanager
def crashes_as_entries() -> Generator[None]:
    """The same for as long as the context lasts."""
    hooks = sys.excepthook, threading.excepthook
    report_crashes_as_entries()
    try:
        yield
    finally:
        sys.excepthook, threading.excepthook = hooks


def _report(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None, *, thread: str | None = None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, traceback)
        return
    # Not at the start of a plugin that does not crash.
    import time
    from traceback import format_exception, format_exception_only

    from .core.hclog import Level, LogEntry, format_entry

    text = "".join(format_exception(kind, error, traceback))
    fields: dict[str, object] = {"@module": "goplugin", "traceback": text[-_LONGEST_TRACEBACK:]}
    if thread is not None:
        fields["thread"] = thread
    message = format_exception_only(kind, error)[-1].rstrip("\n")[:_LONGEST_MESSAGE]
    # In one piece, so that what others write meanwhile stays outside.
    os.write(_STDERR, f"{format_entry(LogEntry(Level.ERROR, message, fields, time.time()))}\n".encode())


def _report_in_thread(arguments: threading.ExceptHookArgs) -> None:
    error = arguments.exc_value
    if error is not None and not isinstance(error, SystemExit):     # a thread may end that way
        name = "" if arguments.thread is None else arguments.thread.name
        _report(arguments.exc_type, error, arguments.exc_traceback, thread=name)
