"""Horizontal bars as SVG: enough for a page that shows which of some things is longer."""
from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

__all__ = ["Bar", "bar_chart"]

_WIDTH, _ROW, _LABELS, _VALUES = 860, 24, 290, 90
_STYLE = """\
text { font-family: system-ui, sans-serif; font-size: 13px; fill: #24292f }
.title { font-weight: 600; font-size: 15px }
.note, .value { fill: #57606a }
.ours { fill: #2f81f7 } .go { fill: #00add8 } .other { fill: #afb8c1 }
.spread { stroke: #24292f; stroke-width: 1.5 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .note, .value { fill: #9198a1 } .other { fill: #545d68 } .spread { stroke: #e6edf3 }
}"""


class Bar(NamedTuple):
    """`kind` is ours, go or other; the spread from `low` to `high` is drawn as a line over the bar's end."""

    label: str
    kind: str
    value: float
    low: float
    high: float
    text: str


def bar_chart(title: str, note: str, bars: Sequence[Bar]) -> str:
    """The text of an SVG file. All bars begin at zero."""
    top, room = 56, _WIDTH - _LABELS - _VALUES
    height = top + _ROW * len(bars) + 8
    scale = room / max(max(bar.value, bar.high) for bar in bars)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}">',
        f"<style>{_STYLE}</style>",
        f'<text class="title" x="8" y="20">{escape(title)}</text>',
        f'<text class="note" x="8" y="40">{escape(note)}</text>',
    ]
    for number, bar in enumerate(bars):
        y = top + _ROW * number
        end = _LABELS + max(bar.value, bar.high) * scale
        low, high = (_LABELS + edge * scale for edge in (bar.low, bar.high))
        lines += [
            f'<text x="{_LABELS - 8}" y="{y + 15}" text-anchor="end">{escape(bar.label)}</text>',
            f'<rect class="{bar.kind}" x="{_LABELS}" y="{y + 3}" width="{bar.value * scale:.1f}" height="{_ROW - 8}"/>',
            f'<line class="spread" x1="{low:.1f}" x2="{high:.1f}" y1="{y + 11}" y2="{y + 11}"/>',
            f'<text class="value" x="{end + 8:.1f}" y="{y + 15}">{escape(bar.text)}</text>',
        ]
    return "\n".join([*lines, "</svg>", ""])
