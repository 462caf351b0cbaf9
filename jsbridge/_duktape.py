"""Duktape, the engine of dukpy 0.5: JavaScript of 2009 (ES5) with a few later additions.

What is used of dukpy is what _quickjs.py names, without the module loaders: there is no `import()`.

Facts that shape this module, from dukpy's C sources and by experiment:
- `call_python` hands its arguments over in reverse order; the shim gives it one.
- Texts are CESU-8: a character beyond U+FFFF is two surrogates of three bytes each, and one may stand alone. What goes
  in is ASCII therefore, as Python's json writes it, and what comes out is read with care.
- A result that is undefined or null comes out as `{}`.
- What is thrown and not caught must be an object: dukpy reads a property of it outside of any handler, and with `null`
  the process hangs for ever. The shim catches everything.
- JSON is read and written up to 1,000 levels deep.
- No signal handler runs while JavaScript does, nothing limits the heap, and nothing but the end of the process ends an
  endless loop.
"""
from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ._extension import create_context, eval_string, package_directory

__all__ = ["Interpreter", "to_es5"]


class Interpreter:
    """One Duktape heap. `dispatch(name, arguments)` answers the script's `call_python(name, argument)`.

    `arguments` is JSON, a list of one, and so is the reply, or None for `undefined`. `dispatch` must not raise.
    """

    def __init__(self, dispatch: Callable[[bytes, bytes], bytes | None]) -> None:
        self._ctx = create_context()
        self._check_exported_function_exists = bool     # true for every name
        self._dispatch = dispatch

    def _call_python(self, name: bytes, arguments: bytes) -> bytes | None:
        return self._dispatch(name, _utf8(arguments))

    def run(self, code: str, variables: Mapping[str, Any]) -> Any:
        """Evaluate `code` as a script that sees `variables` as the global `dukpy`; {} for `undefined`.

        Raises JSRuntimeError.
        """
        result = self.evaluate(code.encode(), json.dumps(variables).encode())
        return None if result is None else json.loads(result)

    def evaluate(self, code: bytes, variables: bytes) -> bytes | None:
        """`run`, from JSON to JSON."""
        result = eval_string(self, code, variables)
        return None if result is None else _utf8(result)


def _utf8(cesu8: bytes) -> bytes:
    """The text with its pairs of surrogates as one character each; what stands alone becomes U+FFFD."""
    if cesu8.isascii():
        return cesu8
    return cesu8.decode("utf-8", "surrogatepass").encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def to_es5(name: str, source: str) -> dict[str, Any]:
    """`source` in ES5, its lines where they were: {"code": text}, or {"message": text, "line", "column"} of an error.

    Source: Babel 6, which dukpy brings with it: the syntax of ES2015 and rest and spread of objects. What ES2015 has
    beside its syntax (Promise, Map, iterators) is not made up for.
    """
    reply: dict[str, Any] = _babel().run(_TRANSFORM, {"source": source, "options": {**_OPTIONS, "filename": name}})
    return reply


@functools.cache
def _babel() -> Interpreter:
    """The compiler, which takes 0.15 s to load; it keeps nothing of what it compiles."""
    interpreter = Interpreter(lambda name, arguments: None)
    source = Path(package_directory(), "jsmodules", "babel-6.26.0.min.js").read_text("utf-8")
    interpreter.run(source + "; 0", {})
    return interpreter


_OPTIONS = {
    "presets": [["es2015", {"loose": True, "modules": False}]],     # loose: for-of over arrays needs no iterators
    "plugins": ["transform-object-rest-spread", "syntax-trailing-function-commas"],
    "retainLines": True,
    "sourceType": "script",
    "babelrc": False,
    "parserOpts": {"allowReturnOutsideFunction": True},     # a file is the body of a function
}
_TRANSFORM = """(function () {
    try {
        return { code: Babel.transform(dukpy.source, dukpy.options).code };
    } catch (error) {
        var position = error.loc || {}, text = String(error.message).split("\\n")[0];
        text = text.slice(text.indexOf(dukpy.options.filename + ": ") === 0 ? dukpy.options.filename.length + 2 : 0);
        text = text.replace(/ \\(\\d+:\\d+\\)$/, "");
        return { message: text, line: position.line || 1, column: (position.column || 0) + 1 };
    }
})()"""
