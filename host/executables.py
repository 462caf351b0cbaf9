"""What a file in a plugin directory looks like, and why it would not start: looked at, never run.

Each thing that is wrong is a `Finding`, with what to do about it.
"""
from __future__ import annotations

import os
import platform
import re
import shlex
import shutil
import stat
from collections.abc import Iterator
from typing import NamedTuple

from goplugin.core.executable import HEAD_SIZE, Binary, Script, recognize

from .discovery import PATTERN, is_wasm

__all__ = ["Finding", "examine", "interpreter_of", "near_miss"]

OK, NOTE, WARNING, ERROR = "ok", "note", "warning", "error"
_WASM_MAGIC = b"\0asm"
_LONGEST_FIRST_LINE = 255  # bytes of it that Linux reads
_X86, _ARM = ("EM_X86_64", "EM_386", "CpuAmd64"), ("EM_AARCH64", "CpuArm64")
_RUNS = {"x86_64": _X86, "amd64": _X86, "aarch64": _ARM, "arm64": _ARM}
"""What a machine runs, in the words of goplugin.core.executable; of other machines nothing is said."""
_INSTALLED = re.compile(r"'''exec' (.*) -P -m goplugin run ")  # scripts/install_modules.py writes it
_LOOKS_LIKE_ONE = re.compile(r"\.?goja[-_. ]?plugin|plugin[-_]|.*[-_]plugin\b", re.IGNORECASE)


class Finding(NamedTuple):
    """One line of a checkup. `fix` is what to do, empty where nothing is; `path` the file that it is about, if any."""

    level: str
    text: str
    fix: str = ""
    path: str = ""


def examine(path: str) -> Iterator[Finding]:
    """What keeps the plugin at `path`, an executable file, from being started; what makes it unsafe."""
    for finding in _examine(path):
        yield finding._replace(path=path)


def _examine(path: str) -> Iterator[Finding]:
    quoted = shlex.quote(path)
    mode = os.stat(path).st_mode
    if mode & stat.S_IWOTH:
        yield Finding(WARNING, f"{path} can be changed by anybody", f"chmod o-w {quoted}")
    if is_wasm(path):
        yield from _examine_wasm(path)
        return
    if not os.access(path, os.R_OK | os.X_OK):
        yield Finding(ERROR, f"{path} may not be read and executed by you", f"chmod a+rx {quoted}, or run as its owner")
        return
    with open(path, "rb") as file:
        head = file.read(HEAD_SIZE)
    kind = recognize(head)
    if isinstance(kind, Script):
        yield from _examine_script(path, kind, head)
    elif isinstance(kind, Binary):
        runs = _RUNS.get(platform.machine().lower(), ())
        if runs and not any(machine in kind.machine for machine in runs):
            text = f"{path} is built for {kind.machine}, and this machine is {platform.machine()}"
            yield Finding(ERROR, text, "build it for this machine")
    else:
        text = f"{path} is neither a program nor a script: it has no `#!` line"
        yield Finding(ERROR, text, "begin it with `#!/path/to/python`, or install it with scripts/install_modules.py")


def interpreter_of(path: str) -> str:
    """The program that runs the script at `path`; "" for what is none, or cannot be read."""
    try:
        with open(path, "rb") as file:
            head = file.read(HEAD_SIZE)
    except OSError:
        return ""
    installed = _installed_for(head)
    kind = recognize(head)
    return installed or (_program(kind) if isinstance(kind, Script) else "")


def near_miss(name: str) -> str:
    """The name that a file seems to be meant to have, if it looks like a plugin's and is not; otherwise ""."""
    if not _LOOKS_LIKE_ONE.match(name):
        return ""
    rest = re.sub(r"(?i)^\.?goja[-_. ]?plugin[-_. ]*|^plugin[-_]|[-_]plugin\b", "", name).strip("-_. ") or "NAME"
    return PATTERN.replace("*", rest)


def _examine_wasm(path: str) -> Iterator[Finding]:
    """It is loaded, not run, so it has to be readable and nothing else."""
    if not os.access(path, os.R_OK):
        yield Finding(ERROR, f"{path} may not be read by you", f"chmod a+r {shlex.quote(path)}, or run as its owner")
        return
    with open(path, "rb") as file:
        if file.read(len(_WASM_MAGIC)) != _WASM_MAGIC:
            yield Finding(ERROR, f"{path} is no WebAssembly, though its name says so", "build it again, or rename it")


def _examine_script(path: str, script: Script, head: bytes) -> Iterator[Finding]:
    quoted = shlex.quote(path)
    line = head.partition(b"\n")[0]
    if line.endswith(b"\r"):
        text = f"{path} has a first line that ends in CRLF: the interpreter's name ends in a carriage return"
        yield Finding(ERROR, text, f"sed -i 's/\\r$//' {quoted}")
        return
    if len(line) > _LONGEST_FIRST_LINE:
        text = f"{path} has a first line of {len(line)} bytes, and the system reads {_LONGEST_FIRST_LINE} of it"
        yield Finding(ERROR, text, "install it with scripts/install_modules.py, which has no such limit")
        return
    installed = _installed_for(head)
    if installed and not shutil.which(installed):
        text = f"{path} was installed for an interpreter that is not there: {installed}"
        yield Finding(ERROR, text, "install it again")
    yield from _examine_interpreter(path, script)


def _examine_interpreter(path: str, script: Script) -> Iterator[Finding]:
    correct = "correct its first line: `#!/path/to/python`"
    if not os.path.exists(script.interpreter):
        yield Finding(ERROR, f"{path} wants an interpreter that does not exist: {script.interpreter}", correct)
    elif not os.access(script.interpreter, os.X_OK):
        yield Finding(ERROR, f"{path} wants an interpreter that you may not run: {script.interpreter}", correct)
    elif not shutil.which(_program(script)):
        program = _program(script)
        yield Finding(ERROR, f"{path} wants {program}, which is not in PATH", f"install {program}, or {correct}")


def _program(script: Script) -> str:
    """The interpreter, or what `env` is to look for in PATH."""
    if os.path.basename(script.interpreter) != "env":
        return script.interpreter
    words = [word for word in script.argument.split() if not word.startswith("-") and "=" not in word]
    return words[0] if words else script.interpreter


def _installed_for(head: bytes) -> str:
    """The interpreter that our installer wrote into the file."""
    match = _INSTALLED.search(head.decode("utf-8", "replace"))
    return shlex.split(match[1])[0] if match else ""
