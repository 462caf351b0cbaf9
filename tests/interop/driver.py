"""A Go host as a Python object: the programs jshost and kvhost, with one plugin that they launched.

Source of the commands: go/drive/drive.go, and main.go of go/jshost and go/kvhost.
"""
from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

__all__ = ["GoHost", "HostError", "JSHost", "KVHost"]

_END_SECONDS = 10.0


class HostError(Exception):
    """The Go host answered a command, or the launch, with an error; `code` is Go's name of a gRPC code, or empty."""

    def __init__(self, text: str, code: str) -> None:
        super().__init__(text)
        self.code = code


class GoHost:
    """A context whose body runs with the plugin launched; at its end host and plugin are gone.

    `command` is the plugin's, `flags` are the host's, `env` is added to this process's environment.
    Entering raises HostError if the host refuses the plugin.
    """

    def __init__(
        self,
        program: Path,
        *command: str | Path,
        flags: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
    ) -> None:
        self._command = [str(program), *flags, *map(str, command)]
        self._env = {**os.environ, **(env or {})}
        self.version = 0
        self.plugin_pid = 0

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command,
            env=self._env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            start_new_session=True,  # so that a host that hangs can be killed together with its plugin
        )
        try:
            launched = self._answer()
        except BaseException:
            self._end()
            raise
        self.launched: dict[str, Any] = launched
        self.version = launched["version"]
        self.plugin_pid = int(launched["pid"] or 0)     # a plugin in test mode is nobody's
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end()

    @property
    def pid(self) -> int:
        """The host's process id; `plugin_pid` is the plugin's."""
        return self._process.pid

    def call(self, op: str, **fields: Any) -> Any:
        """Send one command and return the result of its answer, or raise it as HostError."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"op": op, **fields}) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def ping(self) -> None:
        self.call("ping")

    def kill(self) -> int:
        """End the plugin as go-plugin's Client.Kill does; returns how many milliseconds that took."""
        result = self.call("kill")
        assert result["exited"]
        return result["ms"]

    def stdio(self, stdout: str = "", stderr: str = "") -> tuple[str, str]:
        """All that the plugin printed so far, once it contains the given texts or after 5 seconds."""
        result = self.call("stdio", stdout=stdout, stderr=stderr)
        return result["stdout"], result["stderr"]

    def logs(self, contains: str = "") -> list[dict[str, Any]]:
        """What the host's logger got so far, as hclog's JSON, once that contains the text or after 5 seconds."""
        return self.call("logs", contains=contains)

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"{self._command[0]} ended without an answer"
        answer = json.loads(line)
        if not answer["ok"]:
            raise HostError(answer["error"], answer.get("code", ""))
        return answer["result"]

    def _end(self) -> None:
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            with contextlib.suppress(BrokenPipeError):  # of the last command's bytes, which nobody will read
                process.stdin.close()
            process.wait(_END_SECONDS)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise
        finally:
            process.stdout.close()


class JSHost(GoHost):
    """jshost: a host of JavaScript module plugins."""

    def manifest(self) -> dict[str, Any]:
        """The manifest in protobuf's JSON form."""
        return self.call("manifest")

    def invoke(self, export: str, *args: Any, timeout: float = 5.0) -> Any:
        """Call an export, or a method as `object.method`; `timeout` is in seconds."""
        name, _, method = export.partition(".")
        return self.call("invoke", export=name, method=method, args=args, timeout_ms=round(timeout * 1000))


class KVHost(GoHost):
    """kvhost: a host of key-value plugins."""

    def put(self, key: str, value: str) -> None:
        self.call("put", key=key, value=value)

    def get(self, key: str) -> str:
        return self.call("get", key=key)
