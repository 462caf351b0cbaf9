"""The global object; see jsbridge/shim/globals.js."""
from __future__ import annotations

import pytest

from tests.jsbridge.scripts import Session

LAZY = ["TextEncoder", "TextDecoder", "atob", "btoa", "Buffer"]


def test_the_global_object_has_two_names(session: Session) -> None:
    assert session.engine.eval("global === globalThis && globalThis === this") is True


@pytest.mark.parametrize("name", LAZY)
def test_what_few_scripts_need_is_there_when_it_is_used(session: Session, name: str) -> None:
    assert session.engine.eval(f"[{name!r} in globalThis, typeof {name}, {name} === {name}, {name}.name]") == [
        True, "function", True, name,
    ]
    assert session.engine.eval(f"Object.keys(globalThis).indexOf({name!r})") == -1


@pytest.mark.parametrize("name", LAZY)
def test_a_script_may_give_the_name_another_value(session: Session, name: str) -> None:
    session.engine.eval(f"var {name} = 1; var seen = {name}; globalThis.{name} = 2")

    assert session.engine.eval(f"[seen, {name}]") == [1, 2]


def test_a_script_may_declare_the_name_for_itself(session: Session) -> None:
    session.engine.eval("let Buffer = 5; function atob() { return 6 }")

    assert session.engine.eval("[Buffer, atob()]") == [5, 6]


def test_an_error_in_a_part_names_it(session: Session) -> None:
    assert "<buffer>:" in session.error("Buffer.from(5)").stack
