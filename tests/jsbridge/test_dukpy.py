from __future__ import annotations

import jsbridge._duktape
import jsbridge._quickjs
from jsbridge._dukpy import IS_DUKTAPE, Interpreter


def test_the_interpreter_is_that_of_the_engine_that_is_installed() -> None:
    module = jsbridge._duktape if IS_DUKTAPE else jsbridge._quickjs

    assert Interpreter is module.Interpreter
