"""What `require(name)` finds, in the words of the shim's modules.js.

Rule 1: a registered name is looked up verbatim, before anything else, and never as a path.
Rule 2: `./x`, `../x` and `/x` are files: exactly x, or x.js, x.json, x/index.js, x/index.json, in this order. They are
relative to the file that requires them; in code that is no file, to the working directory, as in `node -e`.
Rule 3: any other name is not found. There is no search path, and the working directory is not one.
Source: Node's documentation of CommonJS modules; go-go-goja pkg/hashiplugin/host, reify.
"""
from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeAlias

from .contract import ModuleManifest

__all__ = ["Shape", "find_file", "is_path", "module_shape", "read_source"]

Shape: TypeAlias = "list[tuple[str, str | Shape]]"


def module_shape(manifest: ModuleManifest, bind: Callable[[str, str], str]) -> Shape:
    """The exports of a validated manifest in its order: (name, call) for functions, (name, methods) for objects.

    `bind(export, method)` gives the name under which the engine is to be called; `method` is empty for a function.
    """
    return [
        (
            export.name,
            [(method.name, bind(export.name, method.name)) for method in export.method_specs]
            if export.method_specs  # an object: validation admits them there, and requires them
            else bind(export.name, ""),
        )
        for export in manifest.exports
    ]


def is_path(name: str) -> bool:
    """Whether `require(name)` means a file."""
    return name.startswith(("./", "../", "/")) or name in (".", "..") or os.path.isabs(name)


def find_file(name: str, directory: str) -> str | None:
    """The real path of the file that the path `name`, seen from `directory`, stands for; None if there is none."""
    path = os.path.join(directory, name)
    for suffix in ("", ".js", ".json", "/index.js", "/index.json"):
        if os.path.isfile(path + suffix):
            return os.path.realpath(path + suffix)
    return None


def read_source(path: str) -> str:
    """The text of a script or JSON file, UTF-8 with or without BOM; a `#!` line becomes a comment.

    Raises OSError, and UnicodeDecodeError if the file is not UTF-8.
    """
    with open(path, encoding="utf-8-sig") as file:
        text = file.read()
    return "//" + text if text.startswith("#!") else text
