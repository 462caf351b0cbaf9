"""What `require` hands to the engine: the shape of a module's exports, and the texts of files.

Source: go-go-goja pkg/hashiplugin/host, reify.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from .contract import ModuleManifest

__all__ = ["Shape", "module_shape", "read_source"]

Shape: TypeAlias = "list[tuple[str, str | Shape | dict[str, Any]]]"


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


def read_source(path: str) -> str:
    """The text of a script or JSON file, UTF-8 with or without BOM; a `#!` line becomes a comment.

    Raises OSError, and UnicodeDecodeError if the file is not UTF-8.
    """
    with open(path, encoding="utf-8-sig") as file:
        text = file.read()
    return "//" + text if text.startswith("#!") else text
