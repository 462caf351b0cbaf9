"""What a script's global `process` asks of Python; its other half is shim/process.js."""
from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

from goplugin import __version__

__all__ = ["ScriptExit", "ScriptProcess"]

_ARCHITECTURES = {"x86_64": "x64", "AMD64": "x64", "aarch64": "arm64", "i686": "ia32"}  # in Node's words


class ScriptExit(SystemExit):
    """The script called `process.exit(code)`, or came to its end with `process.exitCode` set.

    Like any SystemExit it ends a program that does not catch it, with that code, and nothing below `except Exception`
    takes it for an error.
    """


class ScriptProcess:
    """One script's `process`: `requests` are what it asks, each with what answers."""

    def __init__(self) -> None:
        self.exit_code = 0
        """What the script has set `process.exitCode` to."""
        self.requests: dict[str, Callable[..., Any]] = {
            "exit": self._exit,
            "exitCode": self._set_exit_code,
            "cwd": os.getcwd,
            "about": _about,
        }

    def finish(self) -> None:
        """The main script has come to its end. Raises ScriptExit if it has set an exit code."""
        if self.exit_code:
            raise ScriptExit(self.exit_code)

    def _exit(self, code: int) -> None:
        raise ScriptExit(code)

    def _set_exit_code(self, code: int) -> None:
        self.exit_code = code


def _about() -> dict[str, Any]:
    from importlib import metadata  # slow, and few scripts ask
    from platform import machine, python_version

    return {
        "version": f"v{__version__}",
        "versions": {"goplugin": __version__, "python": python_version(), "dukpy": metadata.version("dukpy")},
        "platform": sys.platform,
        "arch": _ARCHITECTURES.get(machine(), machine()),
        "pid": os.getpid(),
    }
