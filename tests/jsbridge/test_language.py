"""What docs/javascript-engines.md says of the engines, measured: a test for every row of its tables that has code."""
from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from jsbridge._dukpy import IS_DUKTAPE
from tests.jsbridge.scripts import Session
from tests.support import requirement

PAGE = Path(__file__).parents[2] / "docs" / "javascript-engines.md"
ROW = re.compile(
    r"^\| (?P<feature>.+?) \| (?P<quickjs>\w+) \| (?P<duktape>\w+) \| (?P<ticks>`+)(?P<code>.+)(?P=ticks) \|$"
)
ROWS = [match for match in map(ROW.match, PAGE.read_text("utf-8").splitlines()) if match]


@requirement("ow.engines")
@pytest.mark.parametrize("row", [pytest.param(match, id=match["feature"]) for match in ROWS])
def test_the_engine_is_what_the_page_says(session: Session, row: re.Match[str]) -> None:
    code = row["code"].strip().replace("\\|", "|")

    assert measured(session, code) == row["duktape" if IS_DUKTAPE else "quickjs"]


def measured(session: Session, code: str) -> str:
    parses = session.engine.eval(f"try {{ Boolean(new Function({json.dumps(code)})) }} catch (error) {{ false }}")
    try:
        value = session.engine.eval(code)
    except Exception:  # noqa: BLE001 - whatever it is, the engine cannot do it
        return "no"
    if value is not True:
        return "no"
    return "yes" if parses or not IS_DUKTAPE else "compiled"


def test_the_page_has_rows() -> None:
    assert len(ROWS) > 40
