from __future__ import annotations

import subprocess
import sys

import dukpy
import pytest

from jsbridge._dukpy import Interpreter, JSRuntimeError


def test_the_extension_is_loaded_without_its_package() -> None:
    script = "import sys, jsbridge.engine; print(*{'dukpy', 'tarfile', 'urllib.request'} & sys.modules.keys())"

    assert subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout == "\n"


def test_the_extension_is_the_same_for_the_package() -> None:
    assert dukpy.JSRuntimeError is JSRuntimeError
    assert dukpy.evaljs("dukpy.a + 1", a=1) == 2


def test_a_script_sees_its_variables_and_python() -> None:
    requests: list[tuple[bytes, bytes]] = []

    def dispatch(name: bytes, arguments: bytes) -> bytes | None:
        requests.append((name, arguments))
        return None if name == b"nothing" else b'{"answer": 1}'

    interpreter = Interpreter(dispatch)

    assert interpreter.run("call_python('ask', dukpy.x, 'é').answer", {"x": [1]}) == 1
    assert interpreter.run("typeof call_python('nothing')", {}) == "undefined"
    assert requests == [(b"ask", '[[1],"é"]'.encode()), (b"nothing", b"[]")]


def test_an_error_of_a_script_is_told_as_text() -> None:
    with pytest.raises(JSRuntimeError, match="RangeError: x"):
        Interpreter(lambda name, arguments: None).run("throw new RangeError('x')", {})
