"""The `// go:plugin` lines above a service: what the generator is to do with it.

    // go:plugin type=plugin version=2
    // go:plugin type=host module=env

Rule 1: only the comment that is attached to the service counts. Of each line that begins with `go:plugin` the words
`key=value` are taken in their order; later ones win.
Rule 2: `module` is taken only behind `type=host`. It is upstream's rule, and both generators must agree; what it drops
is worth a warning.
Source: knqyf263/go-plugin gen/main.go.
"""
from __future__ import annotations

import re
from typing import NamedTuple

from ..abi import DEFAULT_HOST_MODULE
from .errors import CodegenError

__all__ = ["HOST", "PLUGIN", "Annotation", "documentation", "read_annotation"]

PLUGIN, HOST = "plugin", "host"
_MARK = "go:plugin"
_DECIMAL = re.compile(r"[+-]?[0-9]+")
_LARGEST_VERSION = 2**63 - 1


class Annotation(NamedTuple):
    """`kind` is PLUGIN or HOST; `version` is of a plugin's service, `module` of a host's.

    `ignored`: the words that mean nothing here.
    """

    kind: str
    version: int = 1
    module: str = DEFAULT_HOST_MODULE
    ignored: tuple[str, ...] = ()


def read_annotation(comment: str) -> Annotation | None:
    """What a service's comment says; None if it is an ordinary service. Raises CodegenError for what cannot be."""
    kind, version, module, ignored = "", 1, DEFAULT_HOST_MODULE, list[str]()
    for word in _words(comment):
        key, equals, value = word.partition("=")
        if key == "type" and equals:
            if value not in (PLUGIN, HOST):
                raise CodegenError(f'unknown go-plugin type "{value}": it is {PLUGIN} or {HOST}')
            kind = value
        elif key == "version" and equals:
            version = _version(value)
        elif key == "module" and equals and kind == HOST:
            module = value
        else:
            ignored.append(word)
    return Annotation(kind, version, module, tuple(ignored)) if kind else None


def documentation(comment: str) -> str:
    """A comment without the lines for us, and without the blanks that comments begin their lines with."""
    lines = [line.removeprefix(" ").rstrip() for line in comment.splitlines()]
    return "\n".join(line for line in lines if not line.lstrip().startswith(_MARK)).strip()


def _words(comment: str) -> list[str]:
    lines = [line.strip() for line in comment.splitlines()]
    return [word for line in lines if line.startswith(_MARK) for word in line.split()[1:]]


def _version(text: str) -> int:
    if not _DECIMAL.fullmatch(text) or not 0 <= int(text) <= _LARGEST_VERSION:
        raise CodegenError(f"invalid version: {text!r} is no decimal number from 0 to 2^63-1")
    return int(text)
