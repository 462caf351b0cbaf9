"""A Go program with a yamux session to us; its main.go says what it does."""
from __future__ import annotations

import contextlib
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

__all__ = ["YamuxPeer", "connected"]

GREETING = b"hello"


class YamuxPeer:
    """The program: `ask` sends it a command and returns its answer."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._input = cast("IO[str]", process.stdin)
        self._output = cast("IO[str]", process.stdout)

    def tell(self, command: str) -> None:
        self._input.write(command + "\n")
        self._input.flush()

    def answer(self) -> str:
        return self._output.readline().rstrip("\n")

    def ask(self, command: str) -> str:
        self.tell(command)
        return self.answer()


@contextlib.contextmanager
def connected(program: Path, role: str) -> Iterator[tuple[YamuxPeer, socket.socket]]:
    """The program in this role, and the connection to it, which the caller has to close."""
    with tempfile.TemporaryDirectory() as directory, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        path = f"{directory}/socket"
        listener.bind(path)
        listener.listen()
        command = [program, role, path]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            try:
                connection, _ = listener.accept()
                yield YamuxPeer(process), connection
            finally:
                process.kill()
