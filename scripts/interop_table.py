"""Writes docs/interop-matrix.md: the cells of tests/interop/test_matrix.py.

They are read from the source of the tests, not from a test run, so that `--check` costs no imports: PAIRS, TRANSPORTS
and the test functions, with their docstrings.
"""
from __future__ import annotations

import ast
import sys
from pathlib import Path

from scripts.generated import ROOT, write_or_check

__all__ = ["table"]

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


if __name__ == "__main__":
    sys.exit(write_or_check(Path(__file__).name, {TABLE: table(MATRIX.read_text("utf-8"))}))
