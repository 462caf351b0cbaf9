"""Text with styles, as the REPL shows it: results with the colours of their values, errors, tables.

A `Styled` text is a list of (style, text); the styles are names, which prompt.py gives their colours.
"""
from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from goplugin.core.errors import PluginError
from jsbridge.engine import JSError

from ..failure import error_text, hint
from .evaluator import own_lines
from .syntax import Kind, tokens

__all__ = ["Styled", "code", "error", "plain", "result", "table"]

Styled: TypeAlias = "list[tuple[str, str]]"

_LABEL = re.compile(
    r"(?<![\w\]\)])\[(?:(?:class|Function:) [^\[\]\n]*|Function \(anonymous\)|Circular|Getter(?:/Setter)?|Setter|"
    r"Array|Object(?:: null prototype)?|Arguments|\w+: [^\[\]\n]*)\]|<\d+ empty items?>|\.\.\. \d+ more items?"
)


def plain(text: Styled) -> str:
    """`text` without its styles."""
    return "".join(part for _, part in text)


def code(text: str) -> Styled:
    """JavaScript with the styles of its tokens."""
    return [(token.kind.value, token.text) for token in tokens(text)]


def result(text: str) -> Styled:
    """A result, which the engine has made text of."""
    if re.match(r"\w*Error\b", text):
        return [("error", text)]
    out: Styled = []
    end = 0
    for match in _labels(text):
        out += [*code(text[end : match.start()]), ("label", match[0])]
        end = match.end()
    return [*out, *code(text[end:])]


def error(failure: BaseException) -> Styled:
    """What went wrong: its headline, then the stack or the facts about it, and what to do."""
    if not isinstance(failure, JSError):
        head, _, rest = error_text(failure).partition("\n") if isinstance(failure, PluginError) else (
            str(failure), "", ""
        )
        return [("error", head), *([("note", f"\n{rest}")] if rest else [])]
    head = str(failure)
    frames = [line for line in own_lines(failure.stack).splitlines() if line.startswith("    at ")]
    out: Styled = [("error", head)]
    out += [("stack", f"\n{frame}") for frame in frames]
    facts: BaseException | None = failure
    while facts is not None:
        out += [("note", f"\n  {note}") for note in getattr(facts, "__notes__", ())]
        facts = facts.__cause__
    advice = hint(failure)
    return [*out, ("hint", f"\n  hint: {advice}")] if advice else out


def table(rows: Sequence[Sequence[str]], styles: Sequence[str]) -> Styled:
    """Rows in aligned columns, each column in its style."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    out: Styled = []
    for number, row in enumerate(rows):
        out.append(("", "\n" if number else ""))
        last = max((index for index, cell in enumerate(row) if cell), default=0)
        for index, (cell, size, style) in enumerate(zip(row, widths, styles, strict=True)):
            if index <= last:
                out.append((style, cell))
                out.append(("", " " * (size - len(cell) + 2) if index < last else ""))
    return out


def _labels(text: str) -> Iterator[re.Match[str]]:
    """What stands for a value that has no text, but not inside of strings."""
    strings = [(token.start, token.end) for token in tokens(text) if token.kind is Kind.STRING]
    for match in _LABEL.finditer(text):
        if not any(start < match.start() < end for start, end in strings):
            yield match
