"""The global object of a script, and errors that nobody catches; see jsbridge/shim/main.js."""
from __future__ import annotations

import pytest

from jsbridge.engine import DukpyEngine
from jsbridge.registry import ModuleRegistry
from tests.jsbridge.scripts import Session


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("", ""),
        ("'a', 1, null, undefined, true", "a 1 null undefined true"),
        ("'a b', {c: 'd'}, ['e']", 'a b { c: "d" } [ "e" ]'),
        ("{a: 1}, 'b'", "{ a: 1 } b"),
        ("'%s is %d years, %i, %f', 'Ann', 42.5, 42.9, '1.5', 'more'", "Ann is 42.5 years, 42, 1.5 more"),
        ("'%j %o %O %c.', {a: 1}, ['x'], 'y', 'color: red'", '{"a":1} [ "x" ] "y" .'),
        ("'100%', 5", "100% 5"),
        ("'%s %s', 'a'", "a %s"),
        ("'%%s'", "%%s"),
        ("'%% %s', 1", "% 1"),
        ("'%d', {}", "NaN"),
        (r"'a\ud800'", "a\ufffd"),
    ],
)
def test_console_formats_as_nodes_does(session: Session, arguments: str, line: str) -> None:
    session.engine.eval(f"console.log({arguments})")

    assert session.stdout == [line + "\n"]


def test_each_level_of_the_console_has_its_stream(session: Session) -> None:
    session.engine.eval("for (var level of ['log', 'info', 'debug', 'warn', 'error']) console[level](level)")

    assert session.stdout == ["log\n", "info\n", "debug\n"]
    assert session.stderr == ["warn\n", "error\n"]


def test_the_console_writes_to_this_process_unless_told_otherwise(capsys: pytest.CaptureFixture[str]) -> None:
    DukpyEngine(ModuleRegistry()).eval("console.log('out'); console.error('err')")

    assert capsys.readouterr() == ("out\n", "err\n")


def test_a_stack_that_a_script_prints_has_real_positions(session: Session) -> None:
    session.engine.eval("function f() { return new Error('x') }\n\nconsole.log(f().stack); console.log(f())")

    assert "    at f (<eval>:1:" in session.stdout[0]
    assert session.stdout[1].startswith("Error: x\n    at f (<eval>:1:")
    assert "<dukpy>" not in "".join(session.stdout)
    assert "<input>" not in "".join(session.stdout)


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
