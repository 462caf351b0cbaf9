"""Writes docs/requirements.md: the rows of tests/requirements.toml with the tests that claim them.

The claims are read from the source of the tests, not from a test run, so that `--check` costs no imports: a claim is
a call `requirement("row", ...)` in the decorators of a test function or class.
"""
from __future__ import annotations

import ast
import sys
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

from scripts.generated import ROOT, write_or_check

__all__ = ["claims", "table"]

ROWS = ROOT / "tests" / "requirements.toml"
TABLE = ROOT / "docs" / "requirements.md"

Row = dict[str, str]

HEAD = """\
# Requirements

Every feature of the systems this project follows, and of its own beyond them, with the tests that prove it. Written by
`scripts/requirements_table.py` from `tests/requirements.toml` and the tests; a test run fails if a row is done and no
test claims it.
"""


def claims(tests: Path) -> dict[str, list[tuple[str, str]]]:
    """For each row the (file relative to `tests`, test name) that claim it, in the order of files and lines."""
    found: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for path in sorted(tests.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                for row in claimed_by(node.decorator_list):
                    found[row].append((path.relative_to(tests).as_posix(), node.name))
    return found


def claimed_by(decorators: list[ast.expr]) -> Iterator[str]:
    for decorator in decorators:
        for node in ast.walk(decorator):  # a claim may also stand in a pytest.param inside parametrize
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "requirement":
                yield from (str(argument.value) for argument in node.args if isinstance(argument, ast.Constant))


def table(groups: dict[str, dict[str, Row]], claimed: dict[str, list[tuple[str, str]]]) -> str:
    """The whole document as Markdown."""
    lines = [HEAD]
    for title, rows in groups.items():
        counts = Counter(row["status"] for row in rows.values())
        summary = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
        lines += [f"## {title}\n", f"{summary}.\n"]
        lines += ["| id | feature | status | tests |", "|---|---|---|---|"]
        lines += [line(name, row, claimed.get(name, [])) for name, row in rows.items()]
        lines.append("")
    return "\n".join(lines)


def line(name: str, row: Row, tests: list[tuple[str, str]]) -> str:
    status = f"{row['status']}: {row['reason']}" if "reason" in row else row["status"]
    links = "<br>".join(f"[{test.removeprefix('test_')}](../tests/{path})" for path, test in tests)
    return f"| `{name}` | {row['feature']} | {status} | {links} |"


if __name__ == "__main__":
    text = table(tomllib.loads(ROWS.read_text("utf-8")), claims(ROWS.parent))
    sys.exit(write_or_check(Path(__file__).name, {TABLE: text}))
