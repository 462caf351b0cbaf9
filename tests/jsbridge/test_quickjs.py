from __future__ import annotations

import pytest

from jsbridge._dukpy import JSRuntimeError
from jsbridge._quickjs import Interpreter


def test_a_script_sees_its_variables_and_python() -> None:
    requests: list[tuple[bytes, bytes]] = []

    def dispatch(name: bytes, arguments: bytes) -> bytes | None:
        requests.append((name, arguments))
        return None if name == b"nothing" else b'{"answer": 1}'

    interpreter = Interpreter(dispatch)

    assert interpreter.run("call_python('ask', dukpy.x, 'é').answer", {"x": [1]}) == 1
    assert interpreter.run("typeof call_python('nothing')", {}) == "undefined"
    assert requests == [(b"ask", '[[1],"é"]'.encode()), (b"nothing", b"[]")]


def test_json_may_go_in_and_out() -> None:
    interpreter = Interpreter(lambda name, arguments: None)

    assert interpreter.evaluate(b"dukpy.a", b'{"a": [1]}') == b"[1]"
    assert interpreter.evaluate(b"undefined", b"{}") is None


def test_an_error_of_a_script_is_told_as_text() -> None:
    with pytest.raises(JSRuntimeError, match="RangeError: x"):
        Interpreter(lambda name, arguments: None).run("throw new RangeError('x')", {})
