"""The process of a plugin, as its host holds it: launch, pipes, exit, and the end of its whole family.

Three threads belong to a process: one reads stdout (the handshake line, then whatever comes is discarded), one reads
stderr, one waits for the exit. Their results are futures, so that blocking and asynchronous hosts wait for the same
things. Nothing here is gRPC.
Source: go-plugin client.go, Start and Kill, and internal/cmdrunner.
"""
from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError

from .core.errors import HandshakeError, LaunchError, PluginError
from .core.handshake import NEED_DATA, HandshakeReader
from .core.hclog import with_tracebacks
from .runner import Runner

__all__ = ["PluginProcess"]

_CHUNK = 64 * 1024
_STDERR_TAIL = 4096
_EXIT_AFTER_EOF_SECONDS = 2.0
_READERS_JOIN_SECONDS = 1.0
_EXIT_SECONDS = 10.0


class PluginProcess:
    """One launched plugin.

    `handshake_line` resolves to the first line of its stdout, or fails with HandshakeError or LaunchError.
    `exit_code` resolves to the exit code once the process is reaped (negative: the signal that ended it).
    """

    def __init__(self, runner: Runner, receive_stderr: Callable[[bytes], None]) -> None:
        """`runner` has started. `receive_stderr` is called in a thread with each piece of stderr, and with b"" at the
        end.
        """
        self.name = runner.name
        self.id = runner.id
        self.handshake_line: Future[str] = Future()
        self.exit_code: Future[int] = Future()
        self._runner = runner
        self._receive_stderr = receive_stderr
        self._line: str | None = None
        self._stderr_tail = b""
        self._readers = [
            self._start_thread(self._read_stdout, "stdout"),
            self._start_thread(self._read_stderr, "stderr"),
        ]
        self._start_thread(self._wait, "wait")

    @classmethod
    def launch(cls, runner: Runner, *, receive_stderr: Callable[[bytes], None]) -> PluginProcess:
        """Start what `runner` runs. Raises as `Runner.start`."""
        runner.start()
        return cls(runner, receive_stderr)

    @property
    def exited(self) -> bool:
        """Whether the process has ended and been reaped."""
        return self.exit_code.done()

    @property
    def stderr_tail(self) -> str:
        """The end of what the plugin wrote to stderr, at most 4096 bytes, stripped; tracebacks as those who read them
        know them."""
        return with_tracebacks(self._stderr_tail.decode("utf-8", "replace")).strip()

    @property
    def announced(self) -> bool:
        """Whether its first line has come, acceptable or not, and even if nobody waits for it any more."""
        return self._line is not None

    @property
    def announced_socket(self) -> str | None:
        """The unix socket of its first line; None if it named none so far."""
        if self._line is None:
            return None
        fields = self._line.split("|")
        return fields[3].rstrip("\r") if fields[2:3] == ["unix"] and len(fields) > 3 else None

    def wait(self, timeout: float) -> bool:
        """Wait at most `timeout` seconds for the exit; whether it has happened."""
        try:
            self.exit_code.result(timeout)
        except TimeoutError:
            return False
        return True

    def wait_for_end_of_output(self, timeout: float) -> None:
        """Wait at most `timeout` seconds until nobody of the family holds its stdout any more."""
        self._readers[0].join(timeout)

    def give_up(self) -> None:
        """Let whoever waits for the handshake line wait no longer; it fails with LaunchError unless it is there."""
        self._set_line(LaunchError(f"{self.name} was killed while it started", stderr=self.stderr_tail))

    def note_family(self) -> None:
        """Take note of the plugin's descendants as they are now, to be ended later even if it is gone itself."""
        self._runner.note_family()

    def kill(self) -> None:
        """End the plugin and its descendants at once, those that were noted before included; then reap it.

        Returns when it is reaped and its output is read to its end, or after a bounded wait if somebody outside the
        family holds that open.
        """
        self._runner.kill()
        self.wait(_EXIT_SECONDS)
        for reader in self._readers:
            reader.join(_READERS_JOIN_SECONDS)

    def diagnose(self) -> str:
        """What may be wrong with it if it printed no handshake."""
        return self._runner.diagnose()

    def _start_thread(self, target: Callable[[], None], task: str) -> threading.Thread:
        thread = threading.Thread(target=target, name=f"{self.name}-{task}", daemon=True)
        thread.start()
        return thread

    def _wait(self) -> None:
        self.exit_code.set_result(self._runner.wait())

    def _read_stdout(self) -> None:
        reader = HandshakeReader()
        with contextlib.closing(self._runner.stdout) as stdout:
            while not self.announced:
                data = stdout.read(_CHUNK)
                try:
                    reader.receive_data(data) if data else reader.receive_eof()
                    line = reader.next_event()
                except HandshakeError as error:
                    self._set_line(error if data else self._early_exit() or error)
                    break
                if line is not NEED_DATA:
                    self._line = line
                    self._set_line(line)
            while stdout.read(_CHUNK):
                pass

    def _set_line(self, line: str | PluginError) -> None:
        with contextlib.suppress(InvalidStateError):  # the reader of stdout and `give_up` may come at the same time
            if isinstance(line, str):
                self.handshake_line.set_result(line)
            else:
                self.handshake_line.set_exception(line)

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
        with contextlib.closing(self._runner.stderr) as stderr:
            while data := stderr.read(_CHUNK):
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
