"""`call MODULE EXPORT[.METHOD] [ARG...]`: one call, without JavaScript.

An argument is JSON; or `-`, the JSON that stands on stdin; or `NAME=VALUE`. All of the last kind are the members of one
object, which stands where the first of them does; such a value is JSON if it can be read as that, and otherwise text.
"""
from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, Any

from goplugin.core.errors import ConfigError

from ..render import json_text
from ..terminal import Progress
from .base import PluginVerb

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Sequence

    from ..runtime import Runtime

__all__ = ["Call", "read_arguments"]

_MEMBER = re.compile(r"([A-Za-z_$][\w$-]*)=(.*)", re.DOTALL)
_STDIN = "-"


class Call(PluginVerb):
    module: str
    export: str
    args: list[str]

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("module", metavar="MODULE", help="the module's name, plugin:...")
        parser.add_argument("export", metavar="EXPORT[.METHOD]", help="a function, or an object's method")
        about = (
            "the arguments: JSON, in which a string has its quotes; NAME=VALUE, all of which make one object; "
            "or -, for JSON from stdin"
        )
        parser.add_argument("args", metavar="ARG", nargs="*", default=[], help=about)

    def prepare(self) -> None:
        self._values = read_arguments(self.args)

    def use(self, runtime: Runtime) -> None:
        from ..report import callables, flat_name

        names = {flat_name(name): name for name in callables(runtime.module(self.module).manifest)}
        export, method = names.get(self.export, (self.export, ""))
        with Progress(f"calling {self.export}"):
            result = runtime.call(self.module, export, method, self._values)
        sys.stdout.write(f"{json_text(result)}\n")  # in one piece even where nothing is buffered


def read_arguments(texts: Sequence[str]) -> list[Any]:
    """The values of a call. Reads stdin if it is asked for; raises ConfigError for what is no argument."""
    values: list[Any] = []
    members: dict[str, Any] | None = None
    for number, text in enumerate(texts, 1):
        member = _MEMBER.fullmatch(text)
        if member is None:
            values.append(_read(number, text))
            continue
        if members is None:
            members = {}
            values.append(members)
        members[member[1]] = _value(member[2])
    return values


def _read(number: int, text: str) -> Any:
    source = text
    if text == _STDIN:
        source, text = sys.stdin.read(), "what stdin has"
    try:
        return _parse(source)
    except (ValueError, RecursionError):
        error = ConfigError(f"argument {number} of the call is not JSON: {text}")
        if source is text:
            error.add_note(f"hint: a string has its own quotes, inside those of the shell: '{json_text(text)}'")
        raise error from None


def _value(text: str) -> Any:
    try:
        return _parse(text)
    except (ValueError, RecursionError):
        return text


def _parse(text: str) -> Any:
    return json.loads(text, parse_constant=_no_constant)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
