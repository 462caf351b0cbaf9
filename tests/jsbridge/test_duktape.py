"""The interpreter on Duktape, where that is installed (scripts/duktape), and the compiler on either engine."""
from __future__ import annotations

from typing import Any

import pytest

from jsbridge._duktape import Interpreter, to_es5
from jsbridge._extension import IS_DUKTAPE, JSRuntimeError

on_duktape = pytest.mark.skipif(not IS_DUKTAPE, reason="dukpy 0.6 has no Duktape")


@on_duktape
def test_a_script_sees_its_variables_and_python() -> None:
    requests: list[tuple[bytes, bytes]] = []

    def dispatch(name: bytes, arguments: bytes) -> bytes | None:
        requests.append((name, arguments))
        return None if name == b"nothing" else b'{"answer": 1}'

    interpreter = Interpreter(dispatch)

    assert interpreter.run("call_python('ask', dukpy.x).answer", {"x": [1]}) == 1
    assert interpreter.run("typeof call_python('nothing')", {}) == "undefined"
    assert requests == [(b"ask", b"[[1]]"), (b"nothing", b"[]")]


@on_duktape
def test_texts_beyond_the_basic_plane_are_whole() -> None:
    asked: list[bytes] = []
    interpreter = Interpreter(lambda name, arguments: asked.append(arguments))

    code = "call_python('ask', dukpy.x); [dukpy.x, dukpy.x.length, '\\ud800']"

    assert interpreter.run(code, {"x": "\U0001f600"}) == ["\U0001f600", 2, "\ufffd"]
    assert asked == ['["\U0001f600"]'.encode()]


@on_duktape
def test_an_error_of_a_script_is_told_as_text() -> None:
    with pytest.raises(JSRuntimeError, match="RangeError: x"):
        Interpreter(lambda name, arguments: None).run("throw new RangeError('x')", {})


@pytest.mark.parametrize(
    ("source", "result"),
    [
        ("let x = 1", {"code": "var x = 1;"}),
        ("a\n\n(() => b)", {"code": "a(\n\nfunction () {return b;});"}),
        ("return { ...x }", None),
        ("var 5", {"message": "Unexpected token", "line": 1, "column": 5}),
        ("a\n?.b", {"message": "Unexpected token", "line": 2, "column": 2}),
        ("await x", {"message": "Unexpected token, expected ;", "line": 1, "column": 7}),
    ],
)
def test_later_syntax_becomes_es5(source: str, result: dict[str, Any] | None) -> None:
    reply = to_es5("/dir/main.js", source)

    assert reply == result if result else "code" in reply
