"""Which file `require(name)` means: Node's algorithm for CommonJS.

Rule 1: `./x`, `../x` and `/x` are paths, relative to the file that requires them: exactly x, or x.js, x.json, or the
directory x, by the "main" of its package.json or by its index.js or index.json.
Rule 2: any other name is looked for in the `node_modules` beside that file, then in those of the directories above it.
Rule 3: a package with "exports" offers what stands there and nothing else: a path, subpaths, one `*` in each, and the
conditions "require" and "default". "imports", self-references and NODE_PATH are not looked at.
Source: Node's documentation, "Modules: CommonJS modules" and "Modules: Packages".
"""
from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any, cast

from goplugin.core.errors import PluginError

__all__ = ["RequireError", "find_module", "is_path", "lookup_paths"]

_CONDITIONS = ("require", "default")


class RequireError(PluginError):
    """What `require` throws: `code` is Node's name of the error, `properties` are further ones of the Error."""

    def __init__(self, text: str, code: str, **properties: object) -> None:
        super().__init__(text)
        self.code = code
        self.properties = properties


def is_path(name: str) -> bool:
    """Whether `require(name)` names a file by its path."""
    return name.startswith(("./", "../", "/")) or name in (".", "..") or os.path.isabs(name)


def find_module(name: str, directory: str) -> str | None:
    """The real path of the file that `name` means in a file of `directory`; None if there is none.

    Raises RequireError.
    """
    if is_path(name):
        return _find_path(os.path.join(directory, name))
    for modules in lookup_paths(directory):
        if os.path.isdir(modules):
            found = _find_in_package(name, modules) or _find_path(os.path.join(modules, name))
            if found is not None:
                return found
    return None


def lookup_paths(directory: str) -> list[str]:
    """Where packages are looked for, nearest first: `node_modules` of `directory` and of those above it."""
    paths: list[str] = []
    directory = os.path.abspath(directory)
    while True:
        if os.path.basename(directory) != "node_modules":
            paths.append(os.path.join(directory, "node_modules"))
        parent = os.path.dirname(directory)
        if parent == directory:
            return paths
        directory = parent


def _find_path(path: str) -> str | None:
    if os.path.basename(path) not in ("", ".", ".."):  # those are directories only
        found = _find_file(path)
        if found is not None:
            return found
    return _find_directory(path) if os.path.isdir(path) else None


def _find_file(path: str, suffixes: tuple[str, ...] = ("", ".js", ".json")) -> str | None:
    for suffix in suffixes:
        if os.path.isfile(path + suffix):
            return os.path.realpath(path + suffix)
    return None


def _find_directory(path: str) -> str | None:
    index = os.path.join(path, "index")
    main = _package(path).get("main")
    if isinstance(main, str) and main:
        target = os.path.join(path, main)
        found = _find_file(target) or _find_file(os.path.join(target, "index"), (".js", ".json"))
        if found is not None:
            return found
        found = _find_file(index, (".js", ".json"))
        if found is None:
            about = f"Cannot find module '{target}'. Please verify that the package.json has a valid \"main\" entry"
            raise RequireError(about, "MODULE_NOT_FOUND")
        return found
    return _find_file(index, (".js", ".json"))


def _find_in_package(name: str, modules: str) -> str | None:
    """What a package with "exports" gives for `name`; None if there is no such package in `modules`."""
    parts = name.split("/")
    size = 2 if name.startswith("@") else 1
    directory = os.path.join(modules, *parts[:size])
    exports = _package(directory).get("exports") if os.path.isdir(directory) else None
    if exports is None:
        return None
    subpath = "/".join([".", *parts[size:]])
    target = _target(exports, subpath)
    where = os.path.join(directory, "package.json")
    if target is None:
        what = f"Package subpath '{subpath}' is not defined by \"exports\""
        if subpath == ".":
            what = 'No "exports" main defined'
        raise RequireError(f"{what} in {where}", "ERR_PACKAGE_PATH_NOT_EXPORTED")
    if not target.startswith("./") or {"..", "node_modules"} & set(target.split("/")):
        raise RequireError(
            f"Invalid \"exports\" target {json.dumps(target)} defined for '{subpath}' in the package config {where}",
            "ERR_INVALID_PACKAGE_TARGET",
        )
    path = os.path.join(directory, target[2:])
    if not os.path.isfile(path):
        raise RequireError(f"Cannot find module '{path}'", "MODULE_NOT_FOUND")
    return os.path.realpath(path)


def _target(exports: Any, subpath: str) -> str | None:
    """The file that "exports" names for `subpath`, relative to the package; None if it offers no such thing."""
    subpaths: dict[str, Any] = cast("dict[str, Any]", exports) if isinstance(exports, dict) else {}
    if not any(key.startswith(".") for key in subpaths):
        subpaths = {".": cast("Any", exports)}
    if subpath in subpaths and "*" not in subpath:
        return _choose(subpaths[subpath], "")
    for key, match in sorted(_patterns(subpaths, subpath), key=lambda each: each[0].index("*"), reverse=True):
        return _choose(subpaths[key], match)
    return None


def _patterns(subpaths: dict[str, Any], subpath: str) -> Iterator[tuple[str, str]]:
    """The keys that match `subpath`, each with what its `*` stands for."""
    for key in subpaths:
        head, star, tail = key.partition("*")
        if star and len(subpath) > len(head + tail) and subpath.startswith(head) and subpath.endswith(tail):
            yield key, subpath[len(head) : len(subpath) - len(tail)]


def _choose(target: Any, match: str) -> str | None:
    """The first of the alternatives in `target` that is for us."""
    if isinstance(target, str):
        return target.replace("*", match)
    if isinstance(target, list):
        options = [_choose(each, match) for each in cast("list[Any]", target)]
    elif isinstance(target, dict):
        conditions = cast("dict[str, Any]", target)
        options = [_choose(each, match) for name, each in conditions.items() if name in _CONDITIONS]
    else:
        return None
    return next((option for option in options if option is not None), None)


def _package(directory: str) -> dict[str, Any]:
    """The package.json of `directory`; empty if there is none."""
    path = os.path.join(directory, "package.json")
    try:
        with open(path, encoding="utf-8-sig") as file:
            package = json.load(file)
    except OSError:
        return {}
    except ValueError as error:
        raise RequireError(f"Invalid package config {path}. {error}", "ERR_INVALID_PACKAGE_CONFIG") from error
    if not isinstance(package, dict):
        raise RequireError(f"Invalid package config {path}.", "ERR_INVALID_PACKAGE_CONFIG")
    return cast("dict[str, Any]", package)
