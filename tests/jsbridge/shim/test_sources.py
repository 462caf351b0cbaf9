"""Positions in stacks; see jsbridge/shim/sources.js, and quickjs.js and duktape.js for what each engine gives."""
from __future__ import annotations

from pathlib import Path

import pytest

from jsbridge.engine import JSError
from tests.jsbridge.scripts import Session


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
