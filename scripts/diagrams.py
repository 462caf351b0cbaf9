"""Writes the state diagrams into docs/: below each `<!-- diagram: MODULE -->` the table of that module, as mermaid.

A module's table is TRANSITIONS, a dict of (state, event) to state; its first state is where it begins.
"""
from __future__ import annotations

import enum
import importlib
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from scripts.generated import ROOT, write_or_check

__all__ = ["DOCS", "diagram", "with_diagrams"]

DOCS = ROOT / "docs"
MARKER = re.compile(r"<!-- diagram: (?P<module>[\w.]+) -->\n(?:\n```mermaid\n.*?```\n)?", re.DOTALL)

Transitions = Mapping[tuple[enum.Enum, enum.Enum], enum.Enum]


def diagram(transitions: Transitions) -> str:
    """The table as a mermaid state diagram."""
    sources = [source for source, _ in transitions]
    lines = ["stateDiagram-v2", f"    [*] --> {sources[0].name}"]
    lines += [f"    {source.name} --> {target.name}: {event.value}" for (source, event), target in transitions.items()]
    ends = dict.fromkeys(target.name for target in transitions.values() if target not in sources)
    lines += [f"    {end} --> [*]" for end in ends]
    return "\n".join(lines)


def with_diagrams(text: str) -> str:
    """`text` with the diagrams as the code has them now."""

    def replace(match: re.Match[str]) -> str:
        transitions: Transitions = importlib.import_module(match["module"]).TRANSITIONS
        return f"<!-- diagram: {match['module']} -->\n\n```mermaid\n{diagram(transitions)}\n```\n"

    return MARKER.sub(replace, text)


if __name__ == "__main__":
    pages = {path: path.read_text("utf-8") for path in sorted(DOCS.glob("*.md"))}
    drawn = {path: with_diagrams(text) for path, text in pages.items() if MARKER.search(text)}
    sys.exit(write_or_check(Path(__file__).name, drawn))
