from __future__ import annotations

import math
import threading
from types import MappingProxyType, SimpleNamespace
from typing import Any

import pytest

from goplugin.core.errors import ConfigError, RemoteError
from goplugin.core.status import Code
from jsbridge.contract import ExportKind, ExportSpec, MethodSpec, ModuleManifest
from jsbridge.engine import JSError
from jsbridge.native import native_module
from jsbridge.registry import NativeError
from jsbridge.sdk import Call, Module
from tests.jsbridge.scripts import Session
from tests.support import requirement


def install(session: Session, name: str, module: object) -> None:
    """Let scripts of `session` require `module`."""
    native = native_module(name, module)
    session.registry.natives.add(name, lambda: native)


def double(value: float, times: int = 1) -> float:
    """Double a number.

    As many times as wanted."""
    return value * 2**times


@requirement("jm.native")
def test_functions_values_and_objects_are_what_a_script_requires(session: Session) -> None:
    install(session, "m", {"double": double, "pi": 3.5, "list": [1, {"a": None}], "text": {"upper": str.upper, "n": 7}})

    assert session.engine.eval("var m = require('m'); [m.double(2), m.pi, m.list, m.text.upper('a'), m.text.n]") == [
        4, 3.5, [1, {"a": None}], "A", 7,
    ]
    assert session.engine.eval("[Object.keys(m), Object.keys(m.text), require('m') === m]") == [
        ["double", "pi", "list", "text"], ["upper", "n"], True,
    ]
    assert session.engine.eval("[m.double.name, m.double.length, typeof m.double]") == ["double", 0, "function"]


@requirement("jm.native")
def test_a_module_of_python_is_one_of_javascript(session: Session) -> None:
    install(session, "math", math)

    assert session.engine.eval("var m = require('math'); [m.sqrt(16), m.floor(2.5), m.inf, m.gcd(12, 18)]") == [
        4, 2, math.inf, 6,
    ]
    assert session.engine.eval("String(m.nan)") == "NaN"


def test_any_object_has_its_public_attributes(session: Session) -> None:
    class Counter:
        limit = 10

        def __init__(self) -> None:
            self.count = 0
            self.parts = SimpleNamespace(reset=self._reset, step=2)

        def increment(self) -> int:
            self.count += 1
            return self.count

        def _reset(self) -> None:
            self.count = 0

    counter = Counter()
    install(session, "counter", counter)

    assert session.engine.eval("var c = require('counter'); c.increment(); [c.increment(), c.limit, c.parts.step]") == [
        2, 10, 2,
    ]
    assert session.engine.eval("c.parts.reset(); Object.keys(c).sort()") == ["count", "increment", "limit", "parts"]
    assert counter.count == 0


def test_what_a_module_declares_as_public_is_exported(session: Session) -> None:
    install(session, "m", SimpleNamespace(__all__=["shown"], shown=1, hidden=2))

    assert session.engine.eval("Object.keys(require('m'))") == ["shown"]


@requirement("jm.native")
def test_a_module_of_the_sdk_works_as_in_its_plugin(session: Session) -> None:
    module = Module("plugin:demo", version="v1", doc="Demo")
    text = module.object("text", doc="Texts")

    @module.function
    def kind(value: Any) -> str:
        "Name a type."
        return type(value).__name__

    @text.method
    def repeat(call: Call) -> str:
        return call.string(0) * int(call.number(1))

    @module.function
    def fail() -> None:
        raise RemoteError(Code.NOT_FOUND, "no such thing")

    install(session, "demo", module)

    assert session.engine.eval("var d = require('demo'); [d.kind(1), d.kind([1]), d.text.repeat('ab', 2)]") == [
        "float", "list", "abab",
    ]
    error = session.error("d.fail()")
    assert (error.name, error.message, error.code) == (
        "GoError", "rpc error: code = NotFound desc = no such thing", "NotFound",
    )
    assert session.error("d.text.repeat(1)").message == (
        "rpc error: code = Unknown desc = sdk call argument 0 expected string, got float64"
    )
    assert native_module("demo", module).manifest == module.manifest()._replace(module_name="demo")


def test_values_cross_as_copies(session: Session) -> None:
    kept: list[Any] = []

    def keep(value: Any) -> Any:
        kept.append(value)
        return value

    install(session, "m", {"keep": keep, "list": kept})

    code = "var m = require('m'), sent = {a: [1, 2.5, null, NaN]}, back = m.keep(sent); back.a.push(1); sent.a.length"
    assert session.engine.eval(code) == 4
    assert kept[0]["a"][:3] == [1, 2.5, None]
    assert [type(item) for item in kept[0]["a"]] == [int, float, type(None), float]
    assert session.engine.eval("require('m').list") == []


@pytest.mark.parametrize(("value", "text"), [((1, 2), [1, 2]), ([b"ab"], [[97, 98]]), (True, True), (1 << 60, 2.0**60)])
def test_a_result_is_converted_as_that_of_a_plugin(session: Session, value: Any, text: Any) -> None:
    install(session, "m", {"get": lambda: value})

    assert session.engine.eval("require('m').get()") == text


def test_bytes_are_a_uint8array(session: Session) -> None:
    module = Module("plugin:bytes")

    @module.function
    def pack(number: int) -> bytes:
        return bytes([number])

    install(session, "plain", {"pack": lambda number: bytes([number]), "constant": b"ab"})
    install(session, "sdk", module)

    code = "[require('plain').pack(7), require('plain').constant, require('sdk').pack(8)]"
    shown = "function (bytes) { return [bytes instanceof Uint8Array, bytes[0]] }"
    assert session.engine.eval(f"{code}.map({shown})") == [[True, 7], [True, 97], [True, 8]]


def test_a_result_that_cannot_cross_is_an_error_in_the_script(session: Session) -> None:
    install(session, "m", {"get": lambda: {"a": object()}, "o": {"get": lambda: {1: 2}}})

    error = session.error("require('m').get()")
    assert (error.name, error.message) == ("TypeError", "convert result of m.get: unsupported result type object")
    assert session.error("require('m').o.get()").message == "convert result of m.o.get: unsupported map key type int"


@requirement("jm.native")
@pytest.mark.parametrize(
    ("error", "name", "message", "code"),
    [
        (ValueError("bad"), "ValueError", "bad", None),
        (KeyError("k"), "KeyError", "'k'", None),
        (FileNotFoundError(2, "No such file", "x"), "FileNotFoundError", "[Errno 2] No such file: 'x'", "ENOENT"),
        (OSError("odd"), "OSError", "odd", None),
        (ConfigError("no"), "ConfigError", "no", None),
        (JSError("RangeError: x", name="RangeError", message="x", code="E_X"), "RangeError", "x", "E_X"),
        (JSError("Uncaught 5", message="5"), "JSError", "5", None),
    ],
)
def test_an_exception_is_an_error_of_its_name_with_its_cause(
    session: Session, error: Exception, name: str, message: str, code: str | None
) -> None:
    def fail() -> None:
        raise error

    install(session, "m", {"fail": fail})

    thrown = session.error("require('m').fail()")

    assert (thrown.name, thrown.message, thrown.code) == (name, message, code)
    assert isinstance(thrown.__cause__, NativeError)
    assert thrown.__cause__.__cause__ is error
    seen = "try { require('m').fail() } catch (e) { [e instanceof Error, e.name, e.code === undefined, 'plugin' in e] }"
    assert session.engine.eval(seen) == [True, name, code is None, False]


def test_a_code_that_is_no_text_stays_behind(session: Session) -> None:
    class Coded(Exception):
        def __init__(self, code: object) -> None:
            super().__init__("coded")
            self.code = code

    def fail(code: object) -> None:
        raise Coded(code)

    install(session, "m", {"fail": fail})

    assert session.error("require('m').fail('E_TEXT')").code == "E_TEXT"
    assert session.error("require('m').fail(5)").code is None


def test_an_asynchronous_call_is_made_on_another_thread(session: Session) -> None:
    def where() -> bool:
        return threading.get_ident() == here

    here = threading.get_ident()
    install(session, "m", {"where": where})

    assert session.engine.eval("var m = require('m'); await Promise.all([m.where(), m.where.async()])") == [True, False]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3)])
def test_what_is_no_exception_ends_the_script(session: Session, error: BaseException) -> None:
    def stop() -> None:
        raise error

    install(session, "m", {"stop": stop})

    with pytest.raises(type(error)) as caught:
        session.engine.eval("try { require('m').stop() } catch (e) {} 'survived'")
    assert caught.value is error


def test_arguments_beyond_the_parameters_are_dropped(session: Session) -> None:
    def count(*values: Any) -> int:
        return len(values)

    install(session, "m", {"double": double, "count": count, "max": max})

    assert session.engine.eval("var m = require('m'); [[1, 2].map(m.double), m.count(1, 2, 3), m.max(1, 5, 2)]") == [
        [1, 4], 3, 5,
    ]
    assert session.error("m.double()").name == "TypeError"


@pytest.mark.parametrize(
    ("module", "text"),
    [
        (..., "native module member m has nothing for JavaScript: Ellipsis"),
        ({"a": Ellipsis}, "native module member m.a has nothing for JavaScript: Ellipsis"),
        ({"a": {"b": ...}}, "native module member m.a.b cannot cross to JavaScript: unsupported result type ellipsis"),
        ({"a": {"b": {"c": len}}}, "native module member m.a.b cannot cross to JavaScript: unsupported result type "),
        ({1: 2}, "native module member m has a name that is no text: 1"),
        ({"a": {2: len}}, "native module member m.a has a name that is no text: 2"),
    ],
)
def test_what_is_no_module_is_refused(module: Any, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        native_module("m", module)

    assert str(caught.value).startswith(text)


def test_an_async_function_is_refused() -> None:
    async def later() -> None: ...

    with pytest.raises(ConfigError, match=r"m\.later is an async function"):
        native_module("m", {"later": later})


def test_a_mapping_need_not_be_a_dict(session: Session) -> None:
    install(session, "m", MappingProxyType({"inner": MappingProxyType({"n": 1})}))

    assert session.engine.eval("require('m').inner.n") == 1


def test_the_manifest_lists_the_functions() -> None:
    module = native_module("m", {"double": double, "pi": 3.5, "o": {"double": double, "k": 1}, "empty": {"k": 1}})
    doc = "Double a number.\n\nAs many times as wanted."

    assert module.manifest == ModuleManifest(
        "m",
        exports=(
            ExportSpec("double", ExportKind.FUNCTION, doc),
            ExportSpec("o", ExportKind.OBJECT, method_specs=(MethodSpec("double", "Double a number.", doc),)),
        ),
    )
