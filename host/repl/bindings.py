"""What has been declared in a session, as source text that declares it again."""
from __future__ import annotations

import json
from typing import Any, NamedTuple

__all__ = ["Binding", "Captured", "Unkept", "parse"]


class Binding(NamedTuple):
    """One name; `lexical` if `let` declares it and not `var`. `source` is an expression with its value."""

    name: str
    lexical: bool
    source: str

    @property
    def statement(self) -> str:
        """What declares it again."""
        return f"{'let' if self.lexical else 'var'} {self.name} = ({self.source}\n);"


class Unkept(NamedTuple):
    """A name whose value has no source text, and why."""

    name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name} ({self.reason})"


class Captured(NamedTuple):
    """All names that were declared, in that order."""

    bindings: tuple[Binding, ...] = ()
    unkept: tuple[Unkept, ...] = ()


def parse(text: str, *, without: frozenset[str] = frozenset()) -> Captured:
    """What `$repl.bindings` of probe.js says; without the names that are the REPL's own."""
    found: list[dict[str, Any]] = [entry for entry in json.loads(text) if entry["name"] not in without]
    return Captured(
        tuple(Binding(**entry) for entry in found if "source" in entry),
        tuple(Unkept(**entry) for entry in found if "reason" in entry),
    )
