"""The global object of a script, and errors that nobody catches; see jsbridge/shim/main.js."""
from __future__ import annotations

import pytest

from tests.jsbridge.scripts import Session


def test_the_scope_has_what_a_script_needs_and_nothing_of_the_bridge(session: Session) -> None:
    assert session.engine.eval("Object.keys(globalThis)") == ["performance", "console", "process", "require"]
    assert session.engine.eval("[typeof call_python, typeof dukpy]") == ["undefined", "undefined"]


def test_the_environment_is_what_the_engine_is_given() -> None:
    session = Session(env={"NAME": "value"})

    assert session.engine.eval("process.env") == {"NAME": "value"}


def test_the_environment_is_that_of_this_process_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAME", "vàlue")

    assert Session().engine.eval("process.env.NAME") == "vàlue"


@pytest.mark.parametrize(
    ("thrown", "text"),
    [
        ("'boom'", 'Uncaught "boom"'),
        ("5", "Uncaught 5"),
        ("undefined", "Uncaught undefined"),
        ("{code: 7, a: [1]}", "Uncaught { code: 7, a: [ 1 ] }"),
        ("function f() {}", "Uncaught [Function: f]"),
        ("new RangeError('too big')", "RangeError: too big"),
        ("new Error('')", "Error"),
        ("Object.assign(new Error('x'), {name: 'Mine'})", "Mine: x"),
        ("new (class Custom extends Error { name = 'Custom' })('x')", "Custom: x"),
        ("{get code() { throw 1 }}", "Uncaught { code: [Getter] }"),
        ("new Proxy({}, {getPrototypeOf() { throw 1 }})", "Uncaught object that cannot be shown"),
        ("{toString() { throw 1 }, message: 'm'}", "Uncaught {\n  toString: [Function: toString], message: \"m\"\n}"),
    ],
)
def test_anything_may_be_thrown(session: Session, thrown: str, text: str) -> None:
    assert str(session.error(f"throw {thrown}")).split() == text.split()


def test_null_is_also_what_quickjs_throws_without_memory(session: Session) -> None:
    assert str(session.error("throw null")).startswith("Uncaught null (")


def test_the_parts_of_an_error_are_told(session: Session) -> None:
    error = session.error("function f() { throw Object.assign(new TypeError('x'), {code: 'E_X'}) }\nf()")

    assert (error.name, error.message, error.code) == ("TypeError", "x", "E_X")
    assert error.stack.startswith("TypeError: x\n    at f (<eval>:1:")
    assert error.cause_error is None


def test_the_parts_of_a_thrown_value_are_empty(session: Session) -> None:
    error = session.error("throw {code: 'E_X'}")

    assert (error.name, error.message, error.stack, error.code) == ("", '{ code: "E_X" }', "", "E_X")


def test_a_rejection_that_nobody_handles_is_an_error(session: Session) -> None:
    error = session.error("async function f() { null.x }\nf(); 5")

    assert str(error) == "TypeError: cannot read property 'x' of null"
    assert "    at f (<eval>:1:" in error.stack
    assert session.error("Promise.reject('why')").message == "why"


def test_promises_are_settled_before_the_next_piece(session: Session) -> None:
    session.engine.eval("var result; Promise.resolve(1).then(value => { result = value }); null")

    assert session.engine.eval("result") == 1
