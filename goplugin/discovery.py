"""Finding plugin executables by a pattern.

The patterns are Go's, because they come with conventions such as `terraform-provider-*` that Go tools have in common:
`*`, `?` and `[a-z]` as usual, `[^a-z]` for all others, a backslash before what means itself. Unlike in a shell, `*` and
`?` match a leading dot as well; `**` is nothing special.
Source: go-plugin discover.go; Go's path/filepath, Glob and Match.
"""
from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator

from .core.errors import ConfigError

__all__ = ["discover"]


def discover(pattern: str, directory: str) -> list[str]:
    """The absolute paths of what matches `pattern` in `directory`, by name within each directory.

    Whether these are executables, and files at all, is not looked at. A directory that cannot be read has nothing.
    Raises ConfigError for a pattern that is none: `syntax error in pattern`.
    """
    steps = [_matcher(part) for part in pattern.split("/") if part not in ("", ".")]
    paths: Iterable[str] = [os.path.abspath(directory)]
    for step in steps:
        paths = [found for path in paths for found in step(path)]
    return list(paths) if steps else []


Matcher = Callable[[str], Iterator[str]]
"""The paths that match one part of a pattern in this directory."""


def _matcher(part: str) -> Matcher:
    if not re.search(r"[*?[\\]", part):
        return lambda directory: _existing(os.path.normpath(os.path.join(directory, part)))
    matches = re.compile(_translate(part), re.DOTALL).fullmatch

    def listed(directory: str) -> Iterator[str]:
        try:
            names = sorted(os.listdir(directory))
        except OSError:
            return
        yield from (os.path.join(directory, name) for name in names if matches(name))

    return listed


def _existing(path: str) -> Iterator[str]:
    if os.path.lexists(path):
        yield path


# One thing of a pattern: a class with its ranges, or any other character, perhaps behind a backslash.
_ITEM = re.compile(r"\[(?P<negated>\^?+)(?P<ranges>(?:{one}(?:-{one})?)+)\]|(?P<plain>\\.|[^\\[])".format(
    one=r"(?:\\.|[^\\\]-])"
), re.DOTALL)
_RANGE = re.compile(r"(\\.|[^\\])(?:-(\\.|[^\\]))?", re.DOTALL)


def _translate(part: str) -> str:
    """One part of a Go pattern as a regular expression. Raises ConfigError."""
    out: list[str] = []
    position = 0
    while position < len(part):
        item = _ITEM.match(part, position)
        if item is None:
            raise ConfigError("syntax error in pattern")
        position = item.end()
        plain = item["plain"]
        if plain is None:
            out.append(_translate_class(item["negated"], item["ranges"]))
        else:
            out.append({"*": ".*", "?": "."}.get(plain) or re.escape(plain[-1]))
    return "".join(out)


def _translate_class(negated: str, ranges: str) -> str:
    """A class of characters. A range whose end comes before its start holds nothing."""
    bounds = [(low[-1], (high or low)[-1]) for low, high in _RANGE.findall(ranges)]
    members = "".join(f"{re.escape(low)}-{re.escape(high)}" for low, high in bounds if low <= high)
    if not members:
        return "." if negated else "(?!)"
    return f"[{negated}{members}]"
