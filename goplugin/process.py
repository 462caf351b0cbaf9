"""The process of a plugin, as its host holds it: launch, pipes, exit, and the end of its whole family.

Three threads belong to a process: one reads stdout (the handshake line, then whatever comes is discarded), one reads
stderr, one waits for the exit. Their results are futures, so that blocking and asynchronous hosts wait for the same
things. Nothing here is gRPC.
Source: go-plugin client.go, Start and Kill, and internal/cmdrunner.
"""
from __future__ import annotations

import errno
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import IO, cast

from .core.errors import ConfigError, HandshakeError, LaunchError
from .core.handshake import NEED_DATA, HandshakeReader
from .proctree import ProcessTree

__all__ = ["PluginProcess"]

_CHUNK = 64 * 1024
_STDERR_TAIL = 4096
_EXIT_AFTER_EOF_SECONDS = 2.0
_READERS_JOIN_SECONDS = 1.0


class PluginProcess:
    """One launched plugin.

    `handshake_line` resolves to the first line of its stdout, or fails with HandshakeError or LaunchError.
    `exit_code` resolves to the exit code once the process is reaped (negative: the signal that ended it).
    """

    def __init__(self, popen: subprocess.Popen[bytes], name: str, receive_stderr: Callable[[bytes], None]) -> None:
        self.name = name
        self.pid = popen.pid
        self.handshake_line: Future[str] = Future()
        self.exit_code: Future[int] = Future()
        self._popen = popen
        self._receive_stderr = receive_stderr
        self._stderr_tail = b""
        self._readers = [
            self._start_thread(self._read_stdout, "stdout"),
            self._start_thread(self._read_stderr, "stderr"),
        ]
        self._start_thread(self._wait, "wait")

    @classmethod
    def launch(
        cls,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        receive_stderr: Callable[[bytes], None],
    ) -> PluginProcess:
        """Start `command` with exactly `environment`, in the host's directory, with the host's stdin.

        It stays in the host's process group: a terminal stops whatever reads from it in a group of its own.
        `receive_stderr` is called in a thread with each piece of stderr, and once with b"" at its end.
        Raises LaunchError if the system cannot run it, ConfigError for a text that no command or environment can hold.
        """
        path = command[0]
        try:
            popen = subprocess.Popen(
                list(command), env=dict(environment), stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
            )
        except OSError as error:
            raise LaunchError(f"fork/exec {path}: {_launch_text(error)}") from error
        except ValueError as error:
            raise ConfigError(f"fork/exec {path}: {error}") from error
        return cls(popen, os.path.basename(path), receive_stderr)

    @property
    def exited(self) -> bool:
        """Whether the process has ended and been reaped."""
        return self.exit_code.done()

    @property
    def stderr_tail(self) -> str:
        """The end of what the plugin wrote to stderr, at most 4096 bytes, stripped."""
        return self._stderr_tail.decode("utf-8", "replace").strip()

    @property
    def announced_socket(self) -> str | None:
        """The unix socket of its handshake line, acceptable or not; None if it named none so far."""
        if not self.handshake_line.done() or self.handshake_line.exception() is not None:
            return None
        fields = self.handshake_line.result().split("|")
        return fields[3].rstrip("\r") if fields[2:3] == ["unix"] and len(fields) > 3 else None

    def wait(self, timeout: float) -> bool:
        """Wait at most `timeout` seconds for the exit; whether it has happened."""
        try:
            self.exit_code.result(timeout)
        except TimeoutError:
            return False
        return True

    def family(self) -> ProcessTree:
        """The process and its descendants as they are now, to be ended later even if the process itself is gone."""
        return ProcessTree(self.pid)

    def kill(self, family: ProcessTree | None = None) -> None:
        """End the process and its descendants at once (SIGKILL), with those of an earlier `family`; then reap it.

        Returns when it is reaped and its pipes are read to their end, or after a bounded wait if somebody outside the
        family holds them open.
        """
        family = family or self.family()
        if not self.exited:
            family.add_descendants()
        family.kill()
        self.exit_code.result()
        for reader in self._readers:
            reader.join(_READERS_JOIN_SECONDS)

    def _start_thread(self, target: Callable[[], None], task: str) -> threading.Thread:
        thread = threading.Thread(target=target, name=f"{self.name}-{task}", daemon=True)
        thread.start()
        return thread

    def _wait(self) -> None:
        self.exit_code.set_result(self._popen.wait())

    def _read_stdout(self) -> None:
        reader = HandshakeReader()
        with cast("IO[bytes]", self._popen.stdout) as stdout:
            while not self.handshake_line.done():
                data = os.read(stdout.fileno(), _CHUNK)
                try:
                    reader.receive_data(data) if data else reader.receive_eof()
                    line = reader.next_event()
                except HandshakeError as error:
                    self.handshake_line.set_exception(error if data else self._early_exit() or error)
                    break
                if line is not NEED_DATA:
                    self.handshake_line.set_result(line)
            while os.read(stdout.fileno(), _CHUNK):
                pass

    def _early_exit(self) -> LaunchError | None:
        """What to say instead of "unrecognized message" if stdout ended because the process did."""
        if not self.wait(_EXIT_AFTER_EOF_SECONDS):
            return None
        self._readers[1].join(_READERS_JOIN_SECONDS)
        code = self.exit_code.result()
        return LaunchError(
            f"plugin exited before we could connect: {self.name} ended {_how(code)} and printed no handshake line",
            exit_code=code,
            stderr=self.stderr_tail,
        )

    def _read_stderr(self) -> None:
        with cast("IO[bytes]", self._popen.stderr) as stderr:
            while data := os.read(stderr.fileno(), _CHUNK):
                self._stderr_tail = (self._stderr_tail + data)[-_STDERR_TAIL:]
                self._receive_stderr(data)
        self._receive_stderr(b"")


def _how(code: int) -> str:
    """How a process ended, in words."""
    if code >= 0:
        return f"with code {code}"
    try:
        return f"by signal {signal.Signals(-code).name}"
    except ValueError:  # a real-time signal has no name
        return f"by signal {-code}"


def _launch_text(error: OSError) -> str:
    if error.errno == errno.ENOEXEC:
        return "exec format error"
    return (error.strerror or str(error)).lower()
