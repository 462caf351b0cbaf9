"""The processes of a comparison, as the one that compares them sees them.

Every pair of host and plugin runs in processes of its own. A host gets one command at a time, so that at any moment
only one pair works and all others wait.
"""
from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from .guests import Guests

__all__ = ["Bench", "HostProcess", "Memory", "Pair", "WorkerError", "memory_of", "unavailable"]

_ROOT = Path(__file__).resolve().parent.parent
_END_SECONDS = 15.0
_GO_HOSTS = ("go", "wazero")
_OF_PROJECT = ("goplugin_wasm", "js_module")
_WASM_PLUGINS = ("wasm", "js_wasm")


class Pair(NamedTuple):
    """A host's stack and a plugin's; `+tls` or `+mux` behind a host's asks for certificates, or for one connection."""

    host: str
    plugin: str

    def __str__(self) -> str:
        return f"{self.host} -> {self.plugin}"


class Memory(NamedTuple):
    """Of one process, in MiB: what is resident, and what of it no other process shares."""

    resident: float
    private: float


class WorkerError(Exception):
    """A host could not do what it was told; says what it answered."""


class Bench(NamedTuple):
    """Where the parts of the comparison are: the interpreter with all packages, the Go programs, a directory to use.

    `guests`: what the WebAssembly suites need; None if they are not to be had, or not asked for.
    """

    python: str
    go: str
    directory: str
    guests: Guests | None = None

    @property
    def environment(self) -> dict[str, str]:
        """That of all processes: nothing of the caller's may change how Python runs, or where sockets are."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PLUGIN_"))}
        return {**inherited, "PYTHONPATH": str(_ROOT), "TMPDIR": self.directory}

    def plugin_command(self, stack: str) -> list[str]:
        if stack == "go":
            return [f"{self.go}/benchplugin"]
        if stack == "wasm":
            return [str(self._the_guests.built.everything), self._the_guests.generated]
        if stack == "js_wasm":
            return [str(self._the_guests.built.jsgreeter)]
        if stack == "sdk":
            return [self._installed_sdk_plugin()]
        return [self.python, "-m", "benchmarks.plugin_process", stack]

    def host_command(self, stack: str) -> list[str]:
        name, *options = stack.split("+")
        if name == "go":
            return [f"{self.go}/benchhost", *(f"-{option}" for option in options)]
        if name == "wazero":
            return [str(self._the_guests.built.host), "measure"]
        return [self.interpreter(stack), "-m", "benchmarks.host_process", stack]

    def interpreter(self, stack: str) -> str:
        """Which Python runs a stack: hosts of WebAssembly need packages of the project's own environment."""
        return sys.executable if stack.partition("+")[0] in _OF_PROJECT else self.python

    @property
    def _the_guests(self) -> Guests:
        assert self.guests is not None, "no suite runs whose plugins are missing"
        return self.guests

    def _installed_sdk_plugin(self) -> str:
        """The plugin as an executable, made by the script that users have for it."""
        from scripts.install_modules import executable_text

        directory = Path(self.directory) / "modules"
        target = directory / "goja-plugin-bench-echo"
        if not target.exists():
            directory.mkdir()
            source = (_ROOT / "benchmarks" / "stacks" / "sdk.py").read_text("utf-8")
            target.write_text(executable_text(source, self.python), "utf-8")
            target.chmod(0o755)
        return str(target)


class HostProcess:
    """A host of one stack with a plugin of one stack, or a host without a plugin. A context manager.

    Raises WorkerError if the plugin cannot be launched.
    """

    def __init__(self, bench: Bench, host: str, plugin: str | None = None) -> None:
        command = bench.host_command(host) + (bench.plugin_command(plugin) if plugin else [])
        self._log = open(f"{bench.directory}/{host}-{plugin}.log", "wb")  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(
            command,
            env=bench.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            start_new_session=True,  # so that a plugin whose host hangs or crashes can be killed with it
        )
        self._buffer = b""
        try:
            self.plugin_pid = int(self._answer(timeout=30)["plugin_pid"])
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, op: str, *, timeout: float = 60, **arguments: object) -> Mapping[str, Any]:
        """Have the host do one operation. Raises WorkerError for an error or no answer in `timeout` seconds."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({"op": op, **arguments}).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise WorkerError("the host is gone") from None
        return self._answer(timeout)

    def _answer(self, timeout: float) -> Mapping[str, Any]:
        assert self._process.stdout is not None
        while b"\n" not in self._buffer:
            if not select.select([self._process.stdout], [], [], timeout)[0]:
                raise WorkerError(f"no answer in {timeout:g} s")
            data = os.read(self._process.stdout.fileno(), 1 << 20)
            if not data:
                raise WorkerError("the host is gone: " + self._last_words())
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        answer = json.loads(line)
        if not answer["ok"]:
            raise WorkerError(answer["error"])
        return answer["result"]

    def _last_words(self) -> str:
        lines = Path(self._log.name).read_text("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"

    def hang_up(self) -> None:
        """Tell the host to end its plugins and itself."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()

    def close(self) -> None:
        """Hang up and wait for the end; what is left then of host and plugins is killed."""
        assert self._process.stdout is not None
        try:
            self.hang_up()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_END_SECONDS)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process.stdout.close()
            self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def memory_of(pid: int) -> Memory:
    """What the kernel says of a process now."""
    fields: dict[str, float] = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, amount, _ = line.split()
        fields[name] = int(amount) / 1024
    return Memory(fields["Rss:"], fields["Private_Clean:"] + fields["Private_Dirty:"])


def unavailable(bench: Bench, stacks: Iterable[str]) -> dict[str, str]:
    """Why each of `stacks` that cannot be imported cannot."""
    missing: dict[str, str] = {}
    by_interpreter: dict[str, list[str]] = {}
    for stack in stacks:
        if stack.partition("+")[0] not in (*_GO_HOSTS, *_WASM_PLUGINS):
            by_interpreter.setdefault(bench.interpreter(stack), []).append(stack)
    for python, names in by_interpreter.items():
        command = [python, "-m", "benchmarks.stacks", *names]
        answer = subprocess.run(command, env=bench.environment, check=True, stdout=subprocess.PIPE).stdout
        missing |= json.loads(answer)
    return missing
