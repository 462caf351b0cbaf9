"""Where plugins are looked for, and which files there are plugins.

Rule 1: explicit directories replace the default tree, and only the default tree is searched recursively.
Rule 2: the pattern is matched against names, never against paths, so a directory may be called anything.
Rule 3: nothing is opened or executed here; a file that matches but cannot be run is skipped, with the reason.
Rule 4: a module in WebAssembly has a name of its own, which a Go host does not look for, and need not be executable.
Rule 5: what an editor keeps beside a plugin, an older version of it, is skipped as well.
Source: go-go-goja pkg/hashiplugin/host, ResolveDiscoveryDirectories and Discover, whose texts the reasons are. There
a file that cannot be run stops the host, which is what `strict` asks for, and a backup is a plugin like others.
"""
from __future__ import annotations

import fnmatch
import os
import stat
from collections.abc import Iterable

import attrs

from goplugin.core.environ import go_quote

from .errors import PolicyError

__all__ = [
    "DEFAULT_ROOT", "PATTERN", "WASM_PATTERN", "Discovery", "Skipped", "discover", "is_wasm", "plugin_directories",
]

DEFAULT_ROOT = "~/.go-go-goja/plugins"
PATTERN = "goja-plugin-*"
WASM_PATTERN = "goja-wasm-*.wasm"
_BACKUP_SUFFIXES = ("~", ".bak", ".orig", ".rej", ".swp", "#")


@attrs.frozen
class Skipped:
    """A file that matches the pattern and is not started, and why."""

    path: str
    reason: str

    @property
    def short(self) -> str:
        """Its name, and in a few words why."""
        _, found, why = self.reason.rpartition(f"{go_quote(self.path)} is ")
        return f"{os.path.basename(self.path)} ({why if found else self.reason.rpartition(': ')[2]})"


@attrs.frozen
class Discovery:
    """What one look at the directories found; every path is absolute, links are not resolved, all is sorted."""

    directories: tuple[str, ...] = ()
    candidates: tuple[str, ...] = ()
    skipped: tuple[Skipped, ...] = ()


def plugin_directories(explicit: Iterable[str] = ()) -> tuple[str, ...]:
    """The directories to search: the explicit ones, or the default tree if there is none that is not blank.

    A leading `~` is the home directory (`~user` is not expanded). Existence is not checked here.
    """
    given = {os.path.abspath(_expand_home(text.strip())) for text in explicit if text.strip()}
    return tuple(sorted(given)) if given else _tree(_expand_home(DEFAULT_ROOT))


def is_wasm(path: str) -> bool:
    """Whether the file is loaded as WebAssembly and not run: its name ends in `.wasm`."""
    return path.endswith(".wasm")


def discover(directories: Iterable[str], *, strict: bool = False) -> Discovery:
    """Every plugin candidate directly inside `directories`.

    A directory that is missing, unreadable or no directory has no candidates. Raises PolicyError for the first file
    that would be skipped if `strict`.
    """
    directories = tuple(directories)
    candidates: list[str] = []
    skipped: list[Skipped] = []
    for path in sorted({path for directory in directories for path in _matches(directory)}):
        reason = _why_not(path)
        if reason is None:
            candidates.append(path)
        elif strict:
            raise PolicyError(reason)
        else:
            skipped.append(Skipped(path, reason))
    return Discovery(directories, tuple(candidates), tuple(skipped))


def _expand_home(path: str) -> str:
    """`path` with a leading `~` or `~/` replaced by the home directory."""
    if path == "~" or path.startswith("~/"):
        return os.path.expanduser("~") + path[1:]
    return path


def _tree(root: str) -> tuple[str, ...]:
    """`root` and every directory below it; no link is followed, not even `root` itself."""
    if os.path.islink(root):
        return ()
    return tuple(sorted(directory for directory, _, _ in os.walk(root)))


def _matches(directory: str) -> list[str]:
    try:
        names = os.listdir(directory)
    except OSError:
        return []
    return [os.path.join(directory, name) for name in names if _is_match(name)]


def _is_match(name: str) -> bool:
    bare = name.removeprefix("#")   # Emacs puts a name that it saves by itself between number signs
    patterns = (PATTERN, WASM_PATTERN, *(WASM_PATTERN + suffix for suffix in _BACKUP_SUFFIXES))
    return any(fnmatch.fnmatchcase(bare, pattern) for pattern in patterns)


def _why_not(path: str) -> str | None:
    """Why the file is not to be run as a plugin, or None if it is."""
    name = os.path.basename(path)
    if name.startswith("#") or name.endswith(_BACKUP_SUFFIXES):
        return f"plugin candidate {go_quote(path)} is an editor's backup"
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        return f"stat plugin candidate {go_quote(path)}: stat {path}: {(error.strerror or str(error)).lower()}"
    if not stat.S_ISREG(mode):
        return f"plugin candidate {go_quote(path)} is not a regular file"
    if not mode & 0o111 and not is_wasm(path):
        return f"plugin candidate {go_quote(path)} is not executable"
    return None
