"""console.table; see jsbridge/shim/parts/table.js. The tables are those that Node prints, but for its quotes."""
from __future__ import annotations

import pytest

from tests.jsbridge.scripts import Session

ROWS = """\
┌─────────┬─────┬──────────┬──────────┐
│ (index) │ a   │ b        │ Values   │
├─────────┼─────┼──────────┼──────────┤
│ 0       │ 1   │          │          │
│ 1       │ "x" │ [Object] │          │
│ 2       │     │          │ "scalar" │
│ 3       │     │          │ null     │
└─────────┴─────┴──────────┴──────────┘
"""

COLUMNS = """\
┌─────────┬───┬───┐
│ (index) │ b │ z │
├─────────┼───┼───┤
│ first   │ 2 │   │
└─────────┴───┴───┘
"""

MAP = """\
┌───────────────────┬─────┬──────────┐
│ (iteration index) │ Key │ Values   │
├───────────────────┼─────┼──────────┤
│ 0                 │ "k" │ { a: 1 } │
└───────────────────┴─────┴──────────┘
"""

SET = """\
┌───────────────────┬────────┐
│ (iteration index) │ Values │
├───────────────────┼────────┤
│ 0                 │ 5      │
└───────────────────┴────────┘
"""

EMPTY = """\
┌─────────┐
│ (index) │
├─────────┤
└─────────┘
"""


@pytest.mark.parametrize(
    ("arguments", "table"),
    [
        ("[{a: 1}, {a: 'x', b: {c: 1, d: 2, e: 3}}, 'scalar', null]", ROWS),
        ("{first: {a: 1, b: 2}}, ['b', 'z']", COLUMNS),
        ("[]", EMPTY),
        ("'text'", "text\n"),
        ("null", "null\n"),
    ],
)
def test_a_table_has_a_row_for_each_member_and_a_column_for_each_key(
    session: Session, arguments: str, table: str
) -> None:
    session.engine.eval(f"console.table({arguments})")

    assert "".join(session.stdout) == table


@pytest.mark.parametrize(("data", "table"), [("new Map([['k', {a: 1}]])", MAP), ("new Set([5])", SET)])
def test_a_collection_is_listed_as_it_iterates(session: Session, data: str, table: str) -> None:
    session.engine.eval(f"console.table({data})")

    assert "".join(session.stdout) == table


@pytest.mark.parametrize(("value", "name"), [("[[long, long]]", "[Array]"), ("[{a: [long, long]}]", "[Object]")])
def test_what_does_not_fit_in_a_line_is_named(session: Session, value: str, name: str) -> None:
    session.engine.eval(f"var long = new Array(60).join('x'); console.table([{value}])")

    assert name in "".join(session.stdout)
