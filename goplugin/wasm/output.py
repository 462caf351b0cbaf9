"""What a guest prints, on its way to where the configuration wants it.

The engine hands it over in pieces of a few kilobytes, on threads of its own, while the guest waits. So nothing here
raises, and nothing here can call the guest.
"""
from __future__ import annotations

import contextlib
import logging
import os
import threading
import weakref
from collections.abc import Callable
from typing import IO, cast

from ..core.errors import ConfigError
from ..core.hclog import with_tracebacks
from ..logs import StderrLog, write_to_sink
from .config import Inherit, Output

__all__ = ["OutputStream"]

log = logging.getLogger("goplugin.wasm")

_TAIL = 4096
_RELEASE_SECONDS = 1.0


class OutputStream:
    """One of a guest's two streams: goes to `output`, and its end is kept. `descriptor` is what INHERIT means.

    Raises ConfigError for a path that cannot be written to.
    """

    def __init__(self, output: Output | None, descriptor: int) -> None:
        self.thread: int | None = None     # that is here now
        self._tail = b""
        self._file: IO[bytes] | None = None
        self._end: Callable[[], None] = lambda: None
        self._released = threading.Event()
        self._released.set()
        self._held: weakref.ref[Callable[[bytes], None]] | None = None
        self._write = self._writer(output, descriptor)

    def _writer(self, output: Output | None, descriptor: int) -> Callable[[bytes], object]:
        if output is None:
            return lambda data: None
        if isinstance(output, Inherit):
            return lambda data: _write_all(descriptor, data)
        if isinstance(output, logging.Logger):
            entries = StderrLog(output, None)
            self._end = lambda: entries.receive(b"")
            return entries.receive
        if isinstance(output, (str, os.PathLike)):
            self._file = file = _open(cast("str", output))
            return lambda data: write_to_sink(file, data)
        if callable(output):
            return output
        return lambda data: write_to_sink(output, data)

    def callback(self) -> Callable[[bytes], None]:
        """`receive`, for the engine alone: `close` waits until the engine has let go of it.

        It does that a moment after it was closed, on a thread of its own, and the interpreter must not have ended.
        """
        callback = self.receive     # a new object, which only the engine is going to hold
        self._released.clear()
        self._held = weakref.ref(callback, lambda held: self._released.set())
        return callback

    def receive(self, data: bytes) -> None:
        """Take the next piece."""
        self._tail = (self._tail + data)[-_TAIL:]
        self.thread = threading.get_ident()
        try:
            self._write(data)
        except Exception:   # it is the host's own trouble: the plugin must not stop over it
            log.exception("failed to copy all bytes")
        finally:
            self.thread = None

    @property
    def tail(self) -> str:
        """The end of it, at most 4096 bytes, stripped."""
        return with_tracebacks(self._tail.decode("utf-8", "replace")).strip()

    def close(self) -> None:
        """Take note that there is no more, once the engine is closed. Idempotent."""
        self._released.wait(_RELEASE_SECONDS)
        end, self._end = self._end, lambda: None
        end()
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()


def _open(path: str) -> IO[bytes]:
    try:
        return open(path, "wb", buffering=0)
    except OSError as error:
        raise ConfigError(f"no output can go there: {error}") from error


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
