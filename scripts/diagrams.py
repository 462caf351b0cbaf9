"""Writes the state diagrams into docs/: below each `<!-- diagram: MODULE -->` the table of that module, as mermaid.

A module's table is TRANSITIONS, a dict of (state, event) to state; its first state is where it begins.
"""
from __future__ import annotations

import argparse
import enum
import importlib
import re
import sys
from collections.abc import Mapping
from pathlib import Path

__all__ = ["diagram", "main", "with_diagrams"]

DOCS = Path(__file__).resolve().parent.parent / "docs"
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


def main() -> int:
    """Write the documents, or with --check say which are not as they would be written."""
    parser = argparse.ArgumentParser(description="write the state diagrams into docs/")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if something would change")
    check: bool = parser.parse_args().check
    stale = 0
    for path in sorted(DOCS.glob("*.md")):
        text = path.read_text("utf-8")
        new = with_diagrams(text)
        if new != text and check:
            print(f"{path.name}: the diagrams are out of date; run scripts/diagrams.py", file=sys.stderr)
            stale = 1
        elif new != text:
            path.write_text(new, "utf-8")
    return stale


if __name__ == "__main__":
    sys.exit(main())
