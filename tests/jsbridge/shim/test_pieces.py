"""The global scope of code that is typed piece by piece, and await at its top level; see jsbridge/shim/pieces.js."""
from __future__ import annotations

from typing import Any

import pytest

from jsbridge.engine import UNDEFINED
from tests.jsbridge.scripts import Session


@pytest.mark.parametrize(
    "declaration",
    [
        "let x = 1",
        "const x = 1",
        "var x = 1",
        "x = 1",
        "let y = 0, x = 1",
        "const {a: {x}} = {a: {x: 1}}",
        "let [, ...[x]] = [0, 1]",
        "let\n/* comment */ x\n= 1",
        "const z = 'let x = 2', x = 1; { let x = 3 } for (let x of []);",
        "'use strict'; let x = 1",
        "// 'let' and `class`\nlet x = 1 // end",
    ],
)
def test_a_variable_stays_for_the_next_piece(session: Session, declaration: str) -> None:
    session.engine.eval(declaration)

    assert session.engine.eval("x") == 1


def test_functions_and_classes_stay(session: Session) -> None:
    session.engine.eval("function f() { return 1 } class C { m() { return 2 } } async function g() {}")

    assert session.engine.eval("[f(), new C().m(), typeof g]") == [1, 2, "function"]


@pytest.mark.parametrize("code", ["{ let x = 1 }", "for (let x = 1; false;);", "(function () { let x })()", "'let x'"])
def test_an_inner_variable_does_not_stay(session: Session, code: str) -> None:
    session.engine.eval(code)

    assert session.engine.eval("typeof x") == "undefined"


def test_a_variable_is_one_for_all_pieces_and_their_closures(session: Session) -> None:
    session.engine.eval("let count = 1; function grow() { count++ }")
    session.engine.eval("grow(); count += 10")

    assert session.engine.eval("grow(); count") == 13


def test_a_constant_cannot_be_assigned_later(session: Session) -> None:
    session.engine.eval("const x = 1")

    assert session.error("x = 2").name == "TypeError"
    assert session.engine.eval("x") == 1


def test_a_name_may_be_declared_again(session: Session) -> None:
    for code in ("let x = 1", "const x = 2", "class x {}", "let x = 3"):
        session.engine.eval(code)

    assert session.engine.eval("x") == 3


def test_a_variable_whose_piece_failed_may_be_declared_again(session: Session) -> None:
    session.error("let x = null.y")

    assert session.error("x").name == "ReferenceError"
    assert session.engine.eval("let x = 5; x") == 5


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("let x = 1", UNDEFINED),
        ("let x = 1; x + 1", 2),
        ("if (true) 5; else 6", 5),
        ("function f() {}", UNDEFINED),
        ("1; var y = 2", 1),
        ("", UNDEFINED),
        ("// nothing", UNDEFINED),
    ],
)
def test_a_piece_has_the_value_of_its_last_expression(session: Session, code: str, value: Any) -> None:
    assert session.engine.eval(code) == value


def test_looking_for_names_runs_nothing(session: Session) -> None:
    session.engine.eval("var ran = 0")

    assert session.error("let x = 1; }, ran++, function () {").name == "SyntaxError"
    assert session.engine.eval("class D { [ran++]() {} } ran") == 1


# --- await -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("await 5", 5),
        ("await Promise.resolve(5);", 5),
        ("await 1; await 2 // the last", 2),
        ("await 1\nawait 2\n/* the end */;", 2),
        ("const a = await 1, b = await 2; a + b", 3),
        ("let x = await 1\nx\n  + 1", 2),
        ("const list = [await 1,\n 2]\nlist\n  .concat(3)\n  .length", 3),
        ("'await; ' + await 1", "await; 1"),
        ("await 1; `a;\n${1}`", "a;\n1"),
        ("{ await 1 } 5", 5),
        ("await 1; let o = {}\n[0]", UNDEFINED),
        ("try { await 1 } catch (e) {}\n[1]", [1]),
        ("let q = 1\n-await 1", UNDEFINED),
        ("await 1; -2", -2),
        ("await (1)", 1),
        ("await [1]", [1]),
        ("await -1", -1),
        ("async function f() { await 0 } 5", 5),
        ("if (await 1) { 5 }", UNDEFINED),
        ("let y = await 1", UNDEFINED),
        ("await 1; function f() { return 1 }", UNDEFINED),
        ("await 1; ({ a: 1 })", {"a": 1}),
        ("let n = 0; for await (const i of [1, Promise.resolve(2)]) n += i; n", 3),
        ("(await 1, this === globalThis)", True),
        ("'use strict'; (function () { return this === undefined })() && await 1", 1),
    ],
)
def test_a_piece_may_await(session: Session, code: str, value: Any) -> None:
    assert session.engine.eval(code) == value


def test_await_may_still_be_a_name(session: Session) -> None:
    assert session.engine.eval("var await = 1; await + 1") == 2
    assert session.engine.eval("await + 2") == 3


def test_what_a_piece_that_awaits_declares_stays(session: Session) -> None:
    session.engine.eval("""
        let a = await 1; const { b, ...[c] } = await { b: 2, 0: 3 }; var d = 4;
        function f() { return a++ } class C {} async function g() { let inner }
    """.replace("...[c]", "0: c"))
    session.engine.eval("f()")

    assert session.engine.eval("[a, b, c, d, typeof C, typeof g, typeof inner]") == [
        2, 2, 3, 4, "function", "function", "undefined",
    ]
    assert session.error("b = 5").name == "TypeError"
    assert session.engine.eval("let a = 7, d = await 8; a + d") == 15


def test_a_function_that_was_declared_can_await_later(session: Session) -> None:
    session.engine.eval("const sleep = ms => new Promise(resolve => setTimeout(resolve, ms)); let done = await 0")
    session.engine.eval("sleep(5).then(() => { done = 1 }); null")

    assert session.engine.eval("done") == 1


def test_what_is_thrown_behind_an_await_has_its_place(session: Session) -> None:
    error = session.error("await 1;\n\n  null.x")

    assert error.name == "TypeError"
    assert "<eval>:3:" in error.stack


def test_a_rejection_that_is_awaited_is_thrown_as_it_is(session: Session) -> None:
    assert str(session.error("await Promise.reject(new RangeError('x'))")) == "RangeError: x"
    assert session.error("await Promise.reject({code: 'E'})").code == "E"
    assert session.engine.eval("try { await Promise.reject(1) } catch (e) { globalThis.e = e + 1 }; e") == 2


def test_a_piece_that_awaits_and_cannot_be_parsed_is_a_syntax_error(session: Session) -> None:
    error = session.error("let a = 1\nawait 1; var 5")

    assert error.name == "SyntaxError"
    assert "<eval>:2" in error.stack
    assert session.engine.eval("typeof a") == "undefined"


def test_what_is_awaited_may_be_shown_whatever_it_is(session: Session) -> None:
    assert session.engine.eval_text("await (() => 1)") == "[Function (anonymous)]"
    assert session.error("await (() => 1)").name == "TypeError"
    assert session.engine.eval_text("await undefined") == ""
