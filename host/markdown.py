"""The Markdown of the help pages as text for a terminal.

Rule 1: headings, paragraphs, lists, fenced code and tables, with `code`, **strong** and [links](to) in the text; the
pages use nothing else of Markdown.
Rule 2: without colours the text is the same, and code keeps its back quotes where it stands in a line.
"""
from __future__ import annotations

import itertools
import re
import textwrap
from collections.abc import Callable, Iterator, Sequence

from .terminal import Paint

__all__ = ["render", "table_rows"]

_FENCE = "```"
_BULLET = re.compile(r"(\s*)([-*]|\d+\.) +(.*)")
_INLINE = re.compile(r"`([^`]+)`|\*\*([^*]+)\*\*|\[([^\]]+)\]\([^)]*\)")
_MARK = "\x00"  # a blank at which no line is broken
_LEAST_COLUMN = 12


def render(source: str, paint: Paint, width: int) -> str:
    """The text of a page, in lines of at most `width` columns, but for code."""
    return "\n".join(_Page(paint, width).lines(source.splitlines())).strip("\n") + "\n"


def table_rows(source: str, heading: str) -> list[tuple[str, ...]]:
    """The rows of the first table below `heading`, as they stand in the source; the heads of its columns left out."""
    lines = iter(source.splitlines())
    for line in lines:
        if line.lstrip("#").strip() == heading and line.startswith("#"):
            break
    rows: list[tuple[str, ...]] = []
    for line in lines:
        if line.startswith("|"):
            rows.append(_cells(line))
        elif rows:
            break
    return rows[2:]


class _Page:
    def __init__(self, paint: Paint, width: int) -> None:
        self._paint = paint
        self._width = width

    def lines(self, source: Sequence[str]) -> Iterator[str]:
        position = 0
        while position < len(source):
            kind, end = _block(source, position)
            yield from kind(self, source[position:end])
            position = end

    def blank(self, block: Sequence[str]) -> Iterator[str]:
        yield ""

    def heading(self, block: Sequence[str]) -> Iterator[str]:
        level, text = block[0].partition(" ")[::2]
        yield self._paint(text.upper() if len(level) == 1 else text, "bold", "cyan" if len(level) == 1 else "yellow")

    def code(self, block: Sequence[str]) -> Iterator[str]:
        for line in block[1:-1]:
            yield f"    {self._paint(line, 'green')}".rstrip()

    def table(self, block: Sequence[str]) -> Iterator[str]:
        rows = [_cells(line) for number, line in enumerate(block) if number != 1]
        widths = self._column_widths(rows)
        for number, row in enumerate(rows):
            if number == 1:
                yield self._paint("  ".join("─" * size for size in widths), "dim")
            cells = [self._wrap(cell, size) for cell, size in zip(row, widths, strict=True)]
            for parts in itertools.zip_longest(*cells, fillvalue=""):
                padded = [self._padded(part, size) for part, size in zip(parts, widths, strict=True)]
                yield "  ".join(padded).rstrip()
            if 0 < number < len(rows) - 1 and max(map(len, cells)) > 1:
                yield ""

    def item(self, block: Sequence[str]) -> Iterator[str]:
        match = _BULLET.match(block[0])
        assert match is not None
        indent, bullet, text = match.groups()
        margin = indent + " " * (len(bullet) + 1)
        begin = f"{indent}{self._paint('•' if bullet in '-*' else bullet, 'cyan')} "
        for line in self._wrap(" ".join([text, *(line.strip() for line in block[1:])]), self._width - len(margin)):
            yield begin + self._shown(line)
            begin = margin

    def paragraph(self, block: Sequence[str]) -> Iterator[str]:
        for line in self._wrap(" ".join(line.strip() for line in block), self._width):
            yield self._shown(line)

    def _wrap(self, text: str, width: int) -> list[str]:
        """`text` in lines. What is code stays together if it fits, and otherwise is code in each of its lines."""
        room = max(width, _LEAST_COLUMN)
        long = any(len(match[0]) > room for match in _INLINE.finditer(text))

        def hold(match: re.Match[str]) -> str:
            return match[0] if len(match[0]) > room else match[0].replace(" ", _MARK)

        # Lines that get a back quote at either end need room for them.
        lines = textwrap.wrap(_INLINE.sub(hold, text), room - 2 * long, break_on_hyphens=False)
        return [line.replace(_MARK, " ") for line in _closed(lines)] or [""]

    def _shown(self, text: str) -> str:
        return _INLINE.sub(self._inline, text)

    def _inline(self, match: re.Match[str]) -> str:
        code, strong, link = match.groups()
        if code is not None:
            return self._paint(code, "green") if self._paint.on else match[0]
        return self._paint(strong, "bold") if strong is not None else self._paint(link, "underline")

    def _padded(self, text: str, size: int) -> str:
        plain = _INLINE.sub(self._bare, text)
        return self._shown(text) + " " * (size - len(plain))

    def _bare(self, match: re.Match[str]) -> str:
        """What takes columns of something with marks around it."""
        code, strong, link = match.groups()
        return (code if self._paint.on else match[0]) if code is not None else strong or link

    def _column_widths(self, rows: Sequence[Sequence[str]]) -> list[int]:
        """The natural widths, the widest made narrower until all of them fit."""
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        room = self._width - 2 * (len(widths) - 1)
        while sum(widths) > room and max(widths) > _LEAST_COLUMN:
            widths[widths.index(max(widths))] -= 1
        return widths


_Kind = Callable[[_Page, Sequence[str]], Iterator[str]]


def _block(source: Sequence[str], start: int) -> tuple[_Kind, int]:
    """What begins at this line, and the number of the line behind it."""
    line = source[start]
    if not line.strip():
        return _Page.blank, start + 1
    if line.startswith("#"):
        return _Page.heading, start + 1
    if line.startswith(_FENCE):
        end = next(number for number in range(start + 1, len(source)) if source[number].startswith(_FENCE))
        return _Page.code, end + 1
    if line.startswith("|"):
        return _Page.table, _end(source, start, lambda other: other.startswith("|"))
    kind = _Page.item if _BULLET.match(line) else _Page.paragraph
    return kind, _end(source, start, _continues)


def _continues(line: str) -> bool:
    return bool(line.strip()) and not line.startswith(("#", "|", _FENCE)) and not _BULLET.match(line)


def _end(source: Sequence[str], start: int, belongs: Callable[[str], bool]) -> int:
    end = start + 1
    while end < len(source) and belongs(source[end]):
        end += 1
    return end


def _closed(lines: Sequence[str]) -> Iterator[str]:
    """The lines with code that is broken between them as code in each."""
    begin = ""
    for line in lines:
        text = begin + line
        begin = "`" if text.count("`") % 2 else ""
        yield text + begin


def _cells(line: str) -> tuple[str, ...]:
    return tuple(cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", line.strip().strip("|")))
