"""The output of a plugin process, kept off the handshake channel and carried to the host.

The host reads the handshake line from the process's stdout and nothing else, so descriptor 1 is taken away from
everybody but `serve` as early as possible: `python -m goplugin run` does it before the plugin's own imports run. Until
the plugin is served, what would have gone there goes to stderr, where the host logs it. While it is served, descriptor
1 (print, C extensions, child processes) and `sys.stderr` are pipes whose content the GRPCStdio service streams to the
host; descriptor 2 stays the host's, for log lines and for what the interpreter says when it dies.
Source: go-plugin server.go, Serve, and grpc_stdio.go.
"""
from __future__ import annotations

import io
import os
import select
import sys
import threading
from collections import deque
from collections.abc import Callable
from typing import cast

from .core.messages import STDERR, STDOUT, StdioData

__all__ = ["OutputBuffer", "OutputCapture", "protect_stdout", "take_handshake_fd"]

_CHUNK = 64 * 1024
_BUFFER_LIMIT = 1024 * 1024
_STUCK_CHECK_SECONDS = 0.1
_DRAIN_SECONDS = 1.0

# Not configuration but a fact about the process, like its descriptor table: where the real stdout went.
_handshake_fd: int | None = None


def protect_stdout() -> None:
    """Move the real stdout to a private descriptor and point descriptor 1 to stderr. Idempotent."""
    global _handshake_fd
    if _handshake_fd is None:
        _handshake_fd = os.dup(1)
        os.dup2(2, 1)


def take_handshake_fd() -> int:
    """The private descriptor of the real stdout; the caller owns it from now on."""
    global _handshake_fd
    protect_stdout()
    # What the program has printed and Python still holds: to stderr with it, before descriptor 1 leads elsewhere again.
    sys.stdout.flush()
    fd, _handshake_fd = _handshake_fd, None
    assert fd is not None
    return fd


class OutputBuffer:
    """What the process printed and the host has not fetched yet; filled by reader threads, drained by one stream.

    Holds about 1 MiB; then the readers wait, the pipes fill and whoever prints blocks, as in a Go plugin. The one
    writer that must not block is the thread that would drain the buffer: `writer_is_stuck` tells whether it is the
    one that prints, and then the limit is waived.
    """

    def __init__(self) -> None:
        self._chunks: deque[StdioData] = deque()
        self._size = 0
        self._changed = threading.Condition()
        self._limited = True
        self._open = True
        self.on_data: Callable[[], object] = lambda: None
        self.writer_is_stuck: Callable[[], bool] = lambda: False

    def put(self, data: StdioData) -> bool:
        """Add one chunk; blocks while the buffer is full. False if it is closed, and the chunk dropped."""
        with self._changed:
            while self._size > _BUFFER_LIMIT and self._limited and not self.writer_is_stuck():
                self._changed.wait(_STUCK_CHECK_SECONDS)
            if not self._open:
                return False
            self._chunks.append(data)
            self._size += len(data.data)
        self.on_data()
        return True

    def get(self) -> StdioData | None:
        """The next chunk, or None if there is none now."""
        with self._changed:
            if not self._chunks:
                return None
            data = self._chunks.popleft()
            self._size -= len(data.data)
            self._changed.notify_all()
            return data

    def lift_limit(self) -> None:
        """From now on nobody waits: the process ends, and the host may be gone."""
        with self._changed:
            self._limited = False
            self._changed.notify_all()

    def close(self) -> None:
        """From now on nothing is added."""
        with self._changed:
            self._open = False
        self.on_data()

    @property
    def finished(self) -> bool:
        """No chunk is left and none will come."""
        return not self._open and not self._chunks


class OutputCapture:
    """A context in which descriptor 1 and `sys.stderr` flow into `buffer`.

    At the end both are given back, and what was printed last has reached the buffer. Where the context is not entered
    nothing is captured.
    """

    def __init__(self) -> None:
        self.buffer = OutputBuffer()
        self._threads: list[threading.Thread] = []
        self._stopping = threading.Lock()

    def __enter__(self) -> OutputCapture:
        self._stop_read, self._stop_write = os.pipe()
        self._stdout_fd = os.dup(1)
        self._stderr = sys.stderr
        write_end = self._pump(STDOUT)
        os.dup2(write_end, 1)
        os.close(write_end)
        cast("io.TextIOWrapper", sys.stdout).reconfigure(line_buffering=True)
        # Never closed, because somebody's log handler may hold it when this capture has ended.
        sys.stderr = self._captured_stderr = os.fdopen(
            self._pump(STDERR), "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False
        )
        return self

    def stop(self) -> None:
        """Give both streams back, wait until the readers have passed on what was printed by now, close the buffer.

        A child process that inherited descriptor 1 may print on; nobody reads that any more. Idempotent, from any
        thread.
        """
        with self._stopping:
            if self._threads:
                self._stop()
            self.buffer.close()

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def _stop(self) -> None:
        # First, because a flush waits for whoever else is printing, and that one may wait for a host that is gone.
        self.buffer.lift_limit()
        sys.stdout.flush()
        self._captured_stderr.flush()
        os.dup2(self._stdout_fd, 1)
        os.close(self._stdout_fd)
        # What a holder writes from now on goes where stderr always went.
        os.dup2(2, self._captured_stderr.fileno())
        sys.stderr = self._stderr
        os.close(self._stop_write)
        for thread in self._threads:
            thread.join(_DRAIN_SECONDS)
        self._threads.clear()
        os.close(self._stop_read)

    def _pump(self, channel: int) -> int:
        """Start a thread that reads a new pipe into the buffer; returns the pipe's write end."""
        read_end, write_end = os.pipe()
        thread = threading.Thread(
            target=self._read, args=(read_end, channel), name=f"goplugin-stdio-{channel}", daemon=True
        )
        self._threads.append(thread)
        thread.start()
        return write_end

    def _read(self, fd: int, channel: int) -> None:
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        poll.register(self._stop_read, select.POLLIN)
        try:
            # Descriptors are compared, not events: the one that stops is hung up, and so may be the pipe.
            while any(ready == fd for ready, _ in poll.poll()) and (chunk := os.read(fd, _CHUNK)):
                if not self.buffer.put(StdioData(channel, chunk)):
                    break
        finally:
            os.close(fd)
