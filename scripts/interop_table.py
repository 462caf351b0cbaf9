"""Writes docs/interop-matrix.md: the cells of tests/interop/test_matrix.py.

They are read from the source of the tests, not from a test run, so that `--check` costs no imports: PAIRS, TRANSPORTS
and the test functions, with their docstrings.
"""
from __future__ import annotations

import argparse
import ast
import sys
from pathlib import Path

__all__ = ["main", "table"]

ROOT = Path(__file__).resolve().parent.parent
MATRIX = ROOT / "tests" / "interop" / "test_matrix.py"
TABLE = ROOT / "docs" / "interop-matrix.md"

HEAD = """\
# Interop matrix

Every feature of go-plugin over gRPC, with every pair of a host and a plugin, over every transport: {transports}.
That is {cells} cells, each a test of [test_matrix.py](../tests/interop/test_matrix.py), and each of them passes, or
`make test` fails. Go is the published module. Written by `scripts/interop_table.py` from the tests.
"""


def table(source: str) -> str:
    """The whole document as Markdown, for the source of the tests."""
    tree = ast.parse(source)
    pairs, transports = literal(tree, "PAIRS"), literal(tree, "TRANSPORTS")
    tests = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
    lines = [HEAD.format(transports=", ".join(transports), cells=len(tests) * len(pairs) * len(transports))]
    lines += ["| | " + " | ".join(pairs.values()) + " |", "|---" * (len(pairs) + 1) + "|"]
    cells = " | ".join([f"all {len(transports)}"] * len(pairs))
    lines += [f"| {title(test)} | {cells} |" for test in tests]
    lines.append("")
    lines += [f"- {title(test)}: {' '.join(note.split())}" for test in tests if (note := ast.get_docstring(test))]
    return "\n".join([*lines, ""])


def title(test: ast.FunctionDef) -> str:
    return test.name.removeprefix("test_").replace("_", " ")


def literal(tree: ast.Module, name: str) -> dict[str, str]:
    """The dict that the module assigns to `name`."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == name:
            return ast.literal_eval(node.value)
    raise ValueError(f"{name} is not assigned")


def main() -> int:
    parser = argparse.ArgumentParser(description="Write docs/interop-matrix.md.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the file is not up to date")
    check: bool = parser.parse_args().check
    text = table(MATRIX.read_text("utf-8"))
    if not check:
        TABLE.write_text(text, "utf-8")
    elif not TABLE.exists() or TABLE.read_text("utf-8") != text:
        print("error: docs/interop-matrix.md is out of date; run scripts/interop_table.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
