"""A checkup: everything that in practice keeps plugins from being found, started or used.

Each function looks at one thing and gives what it found, what is right included. Nothing is changed.
"""
from __future__ import annotations

import os
import re
import shlex
import stat
import sys
import tempfile
from collections.abc import Collection, Iterator, Sequence
from importlib import metadata
from typing import TYPE_CHECKING

from goplugin.core.hclog import readable

from .discovery import DEFAULT_ROOT, PATTERN, discover, plugin_directories
from .errors import LoadError
from .executables import ERROR, NOTE, OK, WARNING, Finding, examine, interpreter_of, near_miss

if TYPE_CHECKING:
    from .report import Failure, LoadReport

__all__ = ["directories", "environment", "files", "plugins", "sockets"]

_LEAST_PYTHON = (3, 11)
_OPTIONAL = {"wasmtime": "plugins as WebAssembly", "prompt_toolkit": "the REPL in a terminal"}
_OWN_COOKIE = "GO_GO_GOJA_PLUGIN"
_WRONG_COOKIE = ("This binary is a plugin", "not meant to be executed directly")
_MISSING = re.compile(r"No module named '?([\w.]+)")
_REQUIREMENT = re.compile(r"([\w.-]+)([^;]*)(;.*)?")
_BOUND = re.compile(r"(>=|<=|==|<|>)\s*([\d.]+)")


def environment() -> Iterator[Finding]:
    """The interpreter, the packages, the directory for sockets. After an error here nothing can be loaded."""
    python = f"Python {'.'.join(map(str, sys.version_info[:3]))} ({sys.executable})"
    if sys.version_info < _LEAST_PYTHON:
        yield Finding(ERROR, f"{python} is too old", f"use {'.'.join(map(str, _LEAST_PYTHON))} or later")
    else:
        yield Finding(OK, python)
    try:
        requirements = metadata.requires("goplugin") or []
    except metadata.PackageNotFoundError:
        yield Finding(NOTE, "goplugin is not installed, but imported from its directory")
        requirements = []
    for requirement in requirements:
        match = _REQUIREMENT.fullmatch(requirement)
        if match is not None and "extra" not in (match[3] or ""):
            yield _package(match[1], match[2])
    yield from map(_optional_package, _OPTIONAL)
    directory = tempfile.gettempdir()
    if not os.access(directory, os.W_OK | os.X_OK):
        text = f"nothing can be written to {directory}, where plugins listen"
        yield Finding(ERROR, text, "set TMPDIR to a directory of yours")


def _package(name: str, bounds: str) -> Finding:
    fix = f"{shlex.quote(sys.executable)} -m pip install {shlex.quote(name + bounds.strip())}"
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        return Finding(ERROR, f"the package {name} is missing", fix)
    if not all(_fits(version, operator, bound) for operator, bound in _BOUND.findall(bounds)):
        return Finding(ERROR, f"{name} {version} is installed, and {bounds.strip()} is needed", fix)
    return Finding(OK, f"{name} {version}")


def _optional_package(name: str) -> Finding:
    try:
        return Finding(OK, f"{name} {metadata.version(name)}, for {_OPTIONAL[name]}")
    except metadata.PackageNotFoundError:
        fix = f"{shlex.quote(sys.executable)} -m pip install {name}, if that is wanted"
        return Finding(NOTE, f"the package {name} is missing, for {_OPTIONAL[name]}", fix)


def _fits(version: str, operator: str, bound: str) -> bool:
    found, wanted = _numbers(version), _numbers(bound)
    found += (0,) * (len(wanted) - len(found))
    order = (found > wanted) - (found < wanted)
    return {">=": order >= 0, "<=": order <= 0, "==": order == 0, "<": order < 0, ">": order > 0}[operator]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version.partition("+")[0]))


def directories(explicit: Sequence[str]) -> Iterator[Finding]:
    """Whether there is somewhere to look for plugins."""
    found = plugin_directories(explicit)
    if not found:
        yield _no_default()
    for directory in found:
        quoted = shlex.quote(directory)
        if not os.path.lexists(directory):
            fix = f"mkdir -p {quoted}, or correct --plugin-dir"
            yield Finding(ERROR, f"the directory {directory} does not exist", fix)
        elif not os.path.isdir(directory):
            yield Finding(ERROR, f"{directory} is no directory", "--plugin-dir takes the directory that plugins are in")
        elif not os.access(directory, os.R_OK | os.X_OK):
            yield Finding(ERROR, f"the directory {directory} may not be read by you", f"chmod u+rx {quoted}")
        else:
            yield from _directory(directory, explicit=any(text.strip() for text in explicit))


def _no_default() -> Finding:
    root = os.path.expanduser(DEFAULT_ROOT)
    if os.path.islink(root):
        fix = f"say --plugin-dir {shlex.quote(os.path.realpath(root))}, or move the plugins"
        return Finding(ERROR, f"{root} is a link, and is not followed", fix)
    if os.path.exists(root):
        return Finding(ERROR, f"{root} is no directory", "move it away")
    fix = "`make install-modules` puts six examples there; or name another with --plugin-dir"
    return Finding(WARNING, f"there is no directory {root}", fix)


def _directory(directory: str, *, explicit: bool) -> Iterator[Finding]:
    mode = os.stat(directory).st_mode
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        text = f"anybody may put programs into {directory}, which are run as you"
        yield Finding(WARNING, text, f"chmod o-w {shlex.quote(directory)}")
    found = discover([directory])
    yield Finding(OK, f"{directory}: {len(found.candidates)} plugin{'' if len(found.candidates) == 1 else 's'}")
    if explicit and not found.candidates:
        below = [entry.path for entry in os.scandir(directory) if entry.is_dir() and discover([entry.path]).candidates]
        if below:
            text = f"there are plugins below {directory}, which is not searched recursively"
            yield Finding(WARNING, text, f"--plugin-dir {','.join(map(shlex.quote, sorted(below)))}")


def files(explicit: Sequence[str]) -> Iterator[Finding]:
    """What the files there look like."""
    found = discover(plugin_directories(explicit))
    for skipped in found.skipped:
        yield Finding(WARNING, f"skipped: {skipped.reason}", _fix_of(skipped.path, skipped.reason))
    for path in found.candidates:
        yield from examine(path)
    for directory in found.directories:
        yield from _near_misses(directory)


def _fix_of(path: str, reason: str) -> str:
    quoted = shlex.quote(path)
    if reason.endswith("is not executable"):
        return f"chmod +x {quoted}"
    if reason.endswith("backup"):
        return f"rm {quoted}, or rename it if it is meant to be used"
    return f"rm {quoted}" if os.path.islink(path) else f"move {quoted} elsewhere"


def _near_misses(directory: str) -> Iterator[Finding]:
    try:
        entries = sorted(os.scandir(directory), key=lambda entry: entry.name)
    except OSError:
        return
    candidates = {os.path.basename(path) for path in discover([directory]).candidates}
    for entry in entries:
        if entry.name in candidates or not entry.is_file() or not entry.stat().st_mode & 0o111:
            continue
        meant = near_miss(entry.name)
        if meant and not entry.name.startswith(("#", PATTERN[:-1])):
            text = f"{entry.path} does not match {PATTERN}, so it is not looked at"
            fix = f"mv {shlex.quote(entry.path)} {shlex.quote(os.path.join(directory, meant))}, if it is a plugin"
            yield Finding(WARNING, text, fix)


def plugins(
    report: LoadReport, allow: Sequence[str] = (), *, faulty: Collection[str] = ()
) -> Iterator[Finding]:
    """What loading them came to. Of the files that are `faulty` it is known already why they do not start."""
    for module in report.loaded:
        yield Finding(OK, f"{module.module_name} {module.version}".rstrip(), path=module.path)
    for failure in report.failures:
        if failure.path not in faulty:
            yield Finding(ERROR, _text_of(failure), _remedy(failure), failure.path)
    for refused in report.refused:
        fix = f"--allow-plugin-module {refused.module_name}, if it is wanted"
        yield Finding(NOTE, f"{refused.reason} <- {refused.path}", fix, refused.path)
    offered = [module.module_name for module in report.loaded] + [failure.module_name for failure in report.failures]
    for name in allow:
        if name not in offered:
            text = f"the allowlist has {name}, which no plugin offers"
            yield Finding(WARNING, text, "correct the name, or install the plugin")
    yield Finding(NOTE, report.summary())


def _text_of(failure: Failure) -> str:
    """The error, without go-plugin's list of what it usually means: here the causes are looked at one by one."""
    error = failure.error
    if not isinstance(error, LoadError):
        return str(error)
    cause = str(error.cause).partition("\nThis usually means")[0]
    return f"{error.stage}: {cause}" + (f"\nplugin stderr: {readable(error.stderr)}" if error.stderr else "")


def _remedy(failure: Failure) -> str:
    from .failure import hint

    text = str(failure.error)
    if any(words in text for words in _WRONG_COOKIE):
        return f"it is a plugin of another program, for it does not know the cookie {_OWN_COOKIE}: move it away"
    missing = _MISSING.search(text)
    if missing is not None and missing[1].partition(".")[0] not in ("goplugin", "jsbridge"):
        python = interpreter_of(failure.path) or "python"
        return f"{shlex.quote(python)} -m pip install {missing[1].partition('.')[0]}"
    return hint(failure.error)


def sockets() -> Iterator[Finding]:
    """Socket files of plugins that ended without removing them. Linux only: what is bound is read from /proc."""
    try:
        with open("/proc/net/unix", encoding="utf-8", errors="replace") as table:
            bound = {line.split()[-1] for line in table}
    except OSError:
        return
    stale = [path for path in _socket_files(tempfile.gettempdir()) if path not in bound]
    for path in stale:
        yield Finding(WARNING, f"{path} is left of a plugin that is gone", f"rm {shlex.quote(path)}")
    if not stale:
        yield Finding(OK, "no socket of an ended plugin is left")


def _socket_files(directory: str) -> Iterator[str]:
    """The sockets in `directory`, and one level below it, that plugins of this user have made."""
    for entry in sorted(os.scandir(directory), key=lambda entry: entry.name):
        if not entry.name.startswith("plugin") or entry.stat(follow_symlinks=False).st_uid != os.getuid():
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from (path for path in sorted(_paths(entry.path)) if stat.S_ISSOCK(os.lstat(path).st_mode))
        elif stat.S_ISSOCK(entry.stat(follow_symlinks=False).st_mode):
            yield entry.path


def _paths(directory: str) -> list[str]:
    return [os.path.join(directory, name) for name in os.listdir(directory)]
