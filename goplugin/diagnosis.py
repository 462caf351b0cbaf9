"""Why a plugin may have printed no handshake: what the file looks like that was to be run.

It is for people who look for the cause, so it is best effort: what cannot be found out is left out.
Source: go-plugin internal/cmdrunner, Diagnose, whose text this is; the interpreter of a script is looked at here as
well, because a script whose interpreter is missing fails with the words of a script that is missing itself.
"""
from __future__ import annotations

import contextlib
import os
import shutil
import stat
import sys
from collections.abc import Iterator

from .core.environ import go_quote
from .core.executable import HEAD_SIZE, Binary, Script, recognize

__all__ = ["diagnose"]

_CAUSES = """This usually means
  the plugin was not compiled for this architecture,
  the plugin is missing dynamic-link libraries necessary to run,
  the plugin is not executable by this process due to file permissions, or
  the plugin failed to negotiate the initial go-plugin protocol handshake"""

# What `uname -m` says, in Go's words.
_GOARCH = {
    "x86_64": "amd64", "AMD64": "amd64", "aarch64": "arm64", "ARM64": "arm64", "i386": "386", "i686": "386",
    "armv6l": "arm", "armv7l": "arm", "loongarch64": "loong64",
}


def diagnose(command: str) -> str:
    """The usual causes, and what there is to say about the executable `command`, a path or a name to be found in PATH.

    Several lines without a newline at the end, to be put behind an error's text. Never raises.
    """
    path = command if os.path.dirname(command) else shutil.which(command) or command
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return _CAUSES
    return "\n".join([_CAUSES, "", "Additional notes about plugin:", *(f"  {note}" for note in _notes(path, status))])


def _notes(path: str, status: os.stat_result) -> Iterator[str]:
    yield f"Path: {path}"
    yield f"Mode: {stat.filemode(status.st_mode)}"
    if sys.platform != "win32":
        yield f"Owner: {_user(status.st_uid)} (current: {_user(os.getuid())})"
        yield f"Group: {_group(status.st_gid)} (current: {_group(os.getgid())})"
    if not stat.S_ISREG(status.st_mode):
        return      # to open a pipe would be to wait for its other end
    kind = None
    with contextlib.suppress(OSError), open(path, "rb") as file:
        kind = recognize(file.read(HEAD_SIZE))
    if isinstance(kind, Binary):
        yield f"{kind.kind} architecture: {kind.machine} (current architecture: {_architecture()})"
    elif isinstance(kind, Script):
        yield from _interpreter_notes(kind)


def _interpreter_notes(script: Script) -> Iterator[str]:
    yield f"Interpreter: {_readable(script.interpreter)}{_problem(script.interpreter)}"
    if os.path.basename(script.interpreter) == "env":
        words = [word for word in script.argument.split() if not word.startswith("-") and "=" not in word]
        for program in words[:1]:
            found = shutil.which(program)
            yield f"Interpreter by env: {_readable(program)} ({found or 'not found in PATH'})"


def _problem(path: str) -> str:
    if not os.path.exists(path):
        return " (does not exist)"
    return "" if os.access(path, os.X_OK) else " (not executable by this process)"


def _readable(text: str) -> str:
    """`text`, quoted if it holds what nobody would see, such as the carriage return of a file from Windows."""
    return text if text.isprintable() else go_quote(text)


def _architecture() -> str:
    import platform

    machine = platform.machine()
    return _GOARCH.get(machine, machine)


def _user(uid: int) -> str:
    import pwd

    with contextlib.suppress(KeyError):
        return f"{uid} [{pwd.getpwuid(uid).pw_name}]"
    return f"{uid} [?]"


def _group(gid: int) -> str:
    import grp

    with contextlib.suppress(KeyError):
        return f"{gid} [{grp.getgrgid(gid).gr_name}]"
    return f"{gid} [?]"
