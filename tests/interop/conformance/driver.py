"""The stacks of the conformance suite as programs, and their two roles as Python objects."""
from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..gopeers import GoPeers
from .program import Call, Outcome

__all__ = ["OURS", "STACKS", "Caller", "Certificate", "Server", "Stack"]

_END_SECONDS = 10.0


class Certificate(NamedTuple):
    """Of `localhost` and 127.0.0.1, signed by itself: the paths of two PEM files."""

    certificate: str
    key: str


class Stack(NamedTuple):
    """An implementation of gRPC; `module` is its program here, or None for the one in Go."""

    name: str
    module: str | None
    arguments: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.name

    def command(self, go: Callable[[], GoPeers]) -> list[str]:
        if self.module is None:
            return [str(go().probe)]
        return [sys.executable, "-m", f"{__package__}.{self.module}", *self.arguments]


OURS = [Stack("asyncio", "on_asyncio", ("ours",)), Stack("blocking", "on_threads")]
GRPCLIB = Stack("grpclib", "on_asyncio", ("grpclib",))
STACKS = [*OURS, GRPCLIB, Stack("grpcio", "on_grpcio"), Stack("grpc-go", None)]


class _Program:
    """A program that ends when its stdin does."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def read_line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"{' '.join(self._command)} ended"
        return line

    def write_line(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def close(self) -> None:
        with self._process as process:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(_END_SECONDS)
            finally:
                process.kill()


class Server(_Program):
    """A stack's server; `plain` and `secure` are its targets."""

    def __init__(self, command: Sequence[str], certificate: Certificate) -> None:
        path = Path(tempfile.mkdtemp(), "socket")
        super().__init__([*command, "serve", str(path), *certificate])
        try:
            port = int(self.read_line())
        except BaseException:
            self.close()
            raise
        self.plain = f"unix:{path}"
        self.secure = f"127.0.0.1:{port}"


class Caller(_Program):
    """A stack's client."""

    def __init__(self, command: Sequence[str]) -> None:
        super().__init__([*command, "call"])

    def call(self, target: str, certificate: str, calls: Sequence[Call]) -> list[Outcome]:
        """Make the calls at the same time; `certificate` is what the target has to have, or empty."""
        order: dict[str, Any] = {"target": target, "certificate": certificate}
        self.write_line(json.dumps({**order, "calls": [call.to_json() for call in calls]}))
        return [Outcome.from_json(fields) for fields in json.loads(self.read_line())]
