"""Positions in stacks, and the global scope of code that is typed piece by piece; see jsbridge/shim/sources.js."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jsbridge.engine import UNDEFINED, JSError
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


def test_a_stack_names_files_and_lines_and_no_frame_of_ours(session: Session, tmp_path: Path) -> None:
    (tmp_path / "lib.js").write_text("exports.f = function f() {\n  null.x\n}\n")
    main = tmp_path / "main.js"
    main.write_text("// first\nvar lib = require('./lib')\nfunction run() { lib.f() }\n\nrun()\n")

    error = error_of(session, main)

    root = tmp_path.resolve()
    assert error.stack.splitlines() == [
        "TypeError: cannot read property 'x' of null",
        f"    at f ({root}/lib.js:2:3)",
        f"    at run ({root}/main.js:3:22)",
        f"    at <anonymous> ({root}/main.js:5:1)",
    ]


def error_of(session: Session, path: Path) -> JSError:
    with pytest.raises(JSError) as caught:
        session.engine.run_file(path)
    return caught.value


def test_a_column_in_the_first_line_does_not_count_what_we_put_before_it(session: Session, tmp_path: Path) -> None:
    main = tmp_path / "main.js"
    main.write_text("null.x")

    assert "main.js:1:1" in error_of(session, main).stack
    assert "<eval>:1:14" in session.error("let a = 1;   null.x").stack


def test_a_syntax_error_names_its_line(session: Session, tmp_path: Path) -> None:
    main = tmp_path / "main.js"
    main.write_text("var a\n\nvar 5\n")

    assert f"{main.resolve()}:3:" in error_of(session, main).stack


def test_pieces_have_positions_of_their_own(session: Session) -> None:
    session.engine.eval("function f() {\n\n  null.x\n}")

    assert session.error("\nf()").stack.splitlines()[1:] == ["    at f (<eval>:3:3)", "    at <eval>:2:1"]


def test_code_that_a_script_evaluates_itself_is_anonymous(session: Session) -> None:
    assert "    at <eval>:1" in session.error("eval('null.x')").stack
    assert "<anonymous>:1:1" in session.error("eval('null.x')").stack
