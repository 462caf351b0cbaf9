"""Plugins for the host's tests: real executables, good ones and bad ones, written into a test's directory."""
from __future__ import annotations

import os
import sys
from pathlib import Path

from jsbridge.contract import ModuleManifest
from scripts.install_modules import executable_text

__all__ = ["add_echo", "add_manifest", "add_python", "add_shell", "children"]

_ECHO = '''\
"""Answers tests."""
import os
import sys
import time

from jsbridge.sdk import Call, Module, serve_module

module = Module({name!r}, version="v1", doc="Answers tests.", capabilities=["tests"])
strings = module.object("strings", doc="Works on text.")
process = module.object("process")


@module.function
def ping(call: Call) -> object:
    """Give the first argument back."""
    return call.value(0) if len(call) else None


@module.function
def fail(text: str) -> None:
    raise ValueError(text)


@strings.method(tags=["case"])
def upper(text: str) -> str:
    """Make it louder."""
    return text.upper()


@process.method
def pid() -> int:
    return os.getpid()


@process.method
def crash(text: str) -> None:
    os.write(2, text.encode())
    os._exit(7)


@process.method
def sleep(seconds: float) -> None:
    time.sleep(seconds)


{before}
serve_module(module)
'''

_MANIFEST = '''\
"""Says of itself whatever the test wants."""
from goplugin import ServeConfig, serve
from jsbridge.contract import *
from jsbridge.plugin import JSModulePlugin


class Liar:
    def manifest(self):
        {before}
        return {manifest!r}


serve(ServeConfig(handshake=HANDSHAKE, plugins={{DISPENSE_NAME: JSModulePlugin(Liar())}}))
'''


def add_shell(directory: Path, name: str, script: str) -> str:
    """An executable `goja-plugin-NAME` that runs `script` under /bin/sh; returns its path, as all of these do."""
    return _add(directory, name, f"#!/bin/sh\n{script}\n")


def add_python(directory: Path, name: str, source: str) -> str:
    """One that runs `source`, which begins with its docstring, as an installed plugin does."""
    return _add(directory, name, executable_text(source, sys.executable))


def add_echo(directory: Path, name: str, module: str, before: str = "") -> str:
    """A good plugin that offers `module`; `before` is run in front of its handshake."""
    return add_python(directory, name, _ECHO.format(name=module, before=before))


def add_manifest(directory: Path, name: str, manifest: ModuleManifest, before: str = "pass") -> str:
    """A plugin with this manifest, valid or not; `before` is run whenever it is asked for."""
    return add_python(directory, name, _MANIFEST.format(manifest=manifest, before=before))


def children() -> set[int]:
    """The processes this one has started that have not been waited for."""
    return {int(path.name) for path in Path("/proc").glob("[0-9]*") if _parent(path) == os.getpid()}


def _parent(process: Path) -> int:
    try:
        return int((process / "stat").read_bytes().rpartition(b")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):  # it has just ended
        return 0


def _add(directory: Path, name: str, text: str) -> str:
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"goja-plugin-{name}"
    path.write_text(text)
    path.chmod(0o755)
    return os.fspath(path)
