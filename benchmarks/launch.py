"""Launching and serving for the stacks that are no go-plugin libraries: the least that a Go host accepts too."""
from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

from goplugin.core.handshake import format_handshake, parse_handshake

from .service import HANDSHAKE

__all__ = ["LaunchedPlugin", "announce", "socket_path"]

def socket_path() -> str:
    """Where this process may listen."""
    return os.path.join(os.environ.get("TMPDIR", "/tmp"), f"bench{os.getpid()}")


def announce(path: str) -> None:
    """Tell the host that a server listens on `path`."""
    sys.stdout.write(format_handshake(1, "unix", path) + "\n")
    sys.stdout.flush()


class LaunchedPlugin:
    """A plugin process that has said where it listens."""

    def __init__(self, command: Sequence[str]) -> None:
        environment = {**os.environ, HANDSHAKE.magic_cookie_key: HANDSHAKE.magic_cookie_value}
        self._process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        self.pid = self._process.pid
        self.address = parse_handshake(line.strip(), versions=(1,), allowed_protocols=("grpc",)).address

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
