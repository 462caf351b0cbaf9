from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf import struct_pb2

from goplugin.context import CallContext
from goplugin.core.errors import ConfigError, PluginLostError, RemoteError
from goplugin.core.status import Code
from jsbridge.contract import ExportKind, ExportSpec, InvokeRequest, InvokeResponse, MethodSpec, ModuleManifest
from jsbridge.manifest import validate_manifest
from jsbridge.sdk import Call, Module
from tests.support import requirement


def invoke(module: Module, export: str, method: str = "", *args: Any) -> Any:
    """What JavaScript would see: both messages cross the wire."""
    request = InvokeRequest.FromString(InvokeRequest(export, method, args).SerializeToString())
    return InvokeResponse.FromString(module.invoke(request).SerializeToString()).result


def error_of(module: Module, export: str, method: str = "", *args: Any) -> RemoteError:
    with pytest.raises(RemoteError) as caught:
        module.invoke(InvokeRequest(export, method, args))
    return caught.value


def refusal_of(define: Callable[[], object]) -> str:
    with pytest.raises(ConfigError) as caught:
        define()
    return str(caught.value)


def demo() -> Module:
    module = Module(
        " plugin:demo ", version=" v1 ", doc=" A demo. ", capabilities=["b", " a", "", "b", "  ", "a"]
    )

    @module.function
    def greet(call: Call) -> str:  # pyright: ignore[reportUnusedFunction]
        """Greet somebody.

        At length:
            with an indented line.
        """
        return "hello, " + call.string_default(0, "world")

    math = module.object("math", doc="Numbers")

    @math.method(summary="Sum", doc="Adds.", tags=["x", " y ", "x", ""])
    def add(a: float, b: float) -> float:  # pyright: ignore[reportUnusedFunction]
        return a + b

    @math.method
    def negate(a: float) -> float:  # pyright: ignore[reportUnusedFunction]
        """The number
        below zero.

        Or above it.
        """
        return -a

    @module.function(name="envSummary", doc="What is set")
    def env_summary() -> None:  # pyright: ignore[reportUnusedFunction]
        """Not shown."""

    return module


# --- the manifest --------------------------------------------------------------------------------------------------


@requirement("jm.sdk.module", "jm.sdk.function", "jm.sdk.object", "jm.sdk.method")
def test_the_manifest_says_what_was_defined_in_that_order() -> None:
    manifest = demo().manifest()

    validate_manifest(manifest)
    assert manifest == ModuleManifest(
        module_name="plugin:demo",
        version="v1",
        doc="A demo.",
        capabilities=("b", "a"),
        exports=(
            ExportSpec("greet", ExportKind.FUNCTION, "Greet somebody.\n\nAt length:\n    with an indented line."),
            ExportSpec(
                "math",
                ExportKind.OBJECT,
                "Numbers",
                (
                    MethodSpec("add", "Sum", "Adds.", ("x", "y")),
                    MethodSpec("negate", "The number below zero.", "The number\nbelow zero.\n\nOr above it."),
                ),
            ),
            ExportSpec("envSummary", ExportKind.FUNCTION, "What is set"),
        ),
    )


def test_a_lone_text_is_one_word() -> None:
    module = Module("plugin:m", capabilities="examples")
    module.object("o").method(tags="kv")(invoke)

    assert module.manifest().capabilities == ("examples",)
    assert module.manifest().exports[0].method_specs[0].tags == ("kv",)


def test_a_decorator_leaves_the_function_as_it_is() -> None:
    module = Module("plugin:m")

    def function(x: str) -> str:
        return x

    assert module.function(function) is function
    assert module.function(name="again")(function) is function
    assert module.object("o").method(function) is function


def test_a_module_without_exports_is_fine() -> None:
    assert Module("plugin:m").manifest() == ModuleManifest("plugin:m")


@requirement("ow.bytes")
def test_functions_that_return_bytes_are_among_the_capabilities() -> None:
    module = Module("plugin:m", capabilities=["examples"])

    @module.function
    def digest(data: bytes) -> bytes:
        return data

    module.function(name="lambda", returns=bytes)(lambda: b"")
    module.function(name="name")(lambda: "")
    module.object("o").method(name="m", returns=bytes)(lambda: b"")

    assert module.manifest().capabilities == (
        "examples", "goplugin.bytes/1:digest", "goplugin.bytes/1:lambda", "goplugin.bytes/1:o.m",
    )
    assert invoke(module, "digest", "", "AP8=") == "AP8="
    assert invoke(module, "o", "m") == ""


# --- what cannot be defined ----------------------------------------------------------------------------------------


@requirement("jm.sdk.validation")
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("", "plugin manifest module name is empty"),
        (" ", "plugin manifest module name is empty"),
        ("echo", 'plugin module "echo" must use namespace "plugin:"'),
    ],
)
def test_a_bad_name_is_refused_at_once(name: str, text: str) -> None:
    assert refusal_of(lambda: Module(name)) == f"sdk module definition invalid: {text}"


@requirement("jm.sdk.validation")
def test_a_name_that_is_taken_is_refused_at_once() -> None:
    module = demo()
    text = 'sdk module definition invalid: plugin module "plugin:demo" has duplicate export "greet"'

    assert refusal_of(lambda: module.function(name=" greet ")(invoke)) == text
    assert refusal_of(lambda: demo().object("greet")) == text


@requirement("jm.sdk.validation")
def test_a_method_that_is_defined_twice_is_refused_at_once() -> None:
    thing = Module("plugin:m").object("o")
    thing.method(name="m")(invoke)

    assert refusal_of(lambda: thing.method(name=" m")(invoke)) == 'sdk object method "m" is duplicated'


@requirement("jm.sdk.validation")
def test_an_object_without_methods_is_refused_when_the_manifest_is_made() -> None:
    module = Module("plugin:m")
    module.object("o")

    assert refusal_of(module.manifest) == (
        'sdk module definition invalid: object export "o" in module "plugin:m" must define methods'
    )


@requirement("jm.sdk.validation")
def test_an_empty_name_is_refused() -> None:
    module = Module("plugin:m")
    module.object("o").method(name=" ")(invoke)

    assert refusal_of(module.manifest) == (
        'sdk module definition invalid: object export "o" in module "plugin:m" has an empty method name'
    )
    assert refusal_of(lambda: Module("plugin:m").function(name="")(invoke)) == (
        'sdk module definition invalid: plugin module "plugin:m" has an export with empty name'
    )


@requirement("jm.sdk.validation")
def test_a_handler_that_is_none_is_refused() -> None:
    nothing: Any = None

    assert refusal_of(lambda: Module("plugin:m").function(name="f")(nothing)) == (
        'sdk function export "f" in module "plugin:m" has nil handler'
    )
    assert refusal_of(lambda: Module("plugin:m").object("o").method(name="m")(nothing)) == (
        'sdk method "m" in export "o" module "plugin:m" has nil handler'
    )


def test_an_async_handler_is_refused_where_it_is_defined() -> None:
    module = Module("plugin:m")

    def define() -> None:
        @module.function
        async def fetch(call: Call) -> None: ...  # pyright: ignore[reportUnusedFunction]

    assert refusal_of(define) == (
        'sdk function export "fetch" in module "plugin:m" is an async function; a handler is a plain function'
    )


# --- calls ---------------------------------------------------------------------------------------------------------


@requirement("jm.sdk.function", "jm.sdk.object", "jm.sdk.method")
def test_functions_and_methods_answer() -> None:
    module = demo()

    assert invoke(module, "greet", "", "Manuel") == "hello, Manuel"
    assert invoke(module, "math", "add", 2, 3) == 5
    assert invoke(module, "envSummary") is None


def test_names_are_trimmed_before_the_dispatch() -> None:
    assert invoke(demo(), " math ", "\tadd", 2, 3) == 5


def test_the_call_knows_its_names() -> None:
    module = Module("plugin:m")

    @module.object("o").method
    def m(call: Call) -> Any:  # pyright: ignore[reportUnusedFunction]
        return [call.export_name, call.method_name, len(call)]

    assert invoke(module, "o", "m", None) == ["o", "m", 1]


def test_the_call_knows_the_context_that_the_server_gives() -> None:
    module = Module("plugin:m")

    @module.function
    def remaining(call: Call) -> Any:  # pyright: ignore[reportUnusedFunction]
        return call.context.time_remaining()

    context = CallContext(deadline=time.monotonic() + 60)

    assert 59 < module.invoke(InvokeRequest("remaining"), context).result <= 60
    assert module.invoke(InvokeRequest("remaining")).result is None


@requirement("jm.sdk.results")
@pytest.mark.parametrize(("export", "method"), [("nope", ""), ("math", ""), ("math", "nope"), ("greet", "x"), ("", "")])
def test_a_pair_of_names_that_is_not_defined_is_an_error(export: str, method: str) -> None:
    error = error_of(demo(), export, method)

    assert error.code is Code.UNKNOWN
    assert error.message == f'sdk invoke: unsupported export "{export}" method "{method}"'


@requirement("jm.sdk.results")
def test_a_result_that_cannot_travel_is_an_error() -> None:
    module = Module("plugin:m")
    module.function(name="f")(lambda: {"a": [object()]})
    module.object("o").method(name="m")(lambda: {1: 2})

    assert error_of(module, "f").message == 'sdk invoke "f"/"": sdk encode result: unsupported result type object'
    assert error_of(module, "o", "m").message == (
        'sdk invoke "o"/"m": sdk encode result: unsupported map key type int'
    )
    assert error_of(module, "f").code is Code.UNKNOWN


@requirement("jm.sdk.results")
def test_a_result_that_is_protobufs_own_value_travels_as_it_is() -> None:
    module = Module("plugin:m")
    module.function(name="number")(lambda: struct_pb2.Value(number_value=math.inf))
    module.function(name="empty")(lambda: struct_pb2.Value())
    module.function(name="nested")(lambda: [struct_pb2.Value()])

    assert invoke(module, "number") == math.inf
    assert invoke(module, "empty") is None
    assert error_of(module, "nested").message == (
        'sdk invoke "nested"/"": sdk encode result: unsupported result type google.protobuf.struct_pb2.Value'
    )


@requirement("ow.bytes")
def test_a_declared_result_that_is_no_bytes_is_an_error() -> None:
    module = Module("plugin:m")
    module.function(name="f", returns=bytes)(lambda: "text")

    error = error_of(module, "f")

    assert (error.code, error.message) == (
        Code.UNKNOWN,
        'sdk function export "f" in module "plugin:m" is declared to return bytes, and has returned str',
    )


def test_what_happens_to_a_result_after_the_call_does_not_travel() -> None:
    module = Module("plugin:m")
    state: dict[str, Any] = {"n": 1}
    module.function(name="f")(lambda: state)

    response = module.invoke(InvokeRequest("f"))
    state["n"] = 2

    assert InvokeResponse.FromString(response.SerializeToString()).result == {"n": 1}


class Custom(Exception):
    pass


@pytest.mark.parametrize(
    ("raised", "code", "message"),
    [
        (ValueError("two\nlines"), Code.UNKNOWN, "two\nlines"),
        (Custom("mine"), Code.UNKNOWN, "mine"),
        (KeyError("k"), Code.UNKNOWN, "'k'"),
        (AssertionError(), Code.UNKNOWN, "AssertionError"),
        (TimeoutError("late"), Code.UNKNOWN, "late"),
        (RemoteError(Code.NOT_FOUND, "no such key", ("detail",)), Code.NOT_FOUND, "no such key"),
        (RemoteError(Code.UNKNOWN, ""), Code.UNKNOWN, ""),
        (PluginLostError("gone"), Code.UNAVAILABLE, "gone"),
    ],
)
def test_what_a_handler_raises_is_an_error_with_its_code(raised: Exception, code: Code, message: str) -> None:
    module = Module("plugin:m")

    @module.function
    def fail(call: Call) -> None:  # pyright: ignore[reportUnusedFunction]
        raise raised

    error = error_of(module, "fail")

    assert (error.code, error.message) == (code, message)
    assert error is raised or error.__cause__ is raised


def test_arguments_that_do_not_fit_are_an_error() -> None:
    error = error_of(demo(), "math", "add", 1.0, "2")

    assert (error.code, error.message) == (Code.UNKNOWN, "sdk call argument 1 expected float64, got string")


def test_a_handler_may_end_the_process() -> None:
    module = Module("plugin:m")
    module.function(name="exit")(lambda: sys.exit(3))

    with pytest.raises(SystemExit):
        module.invoke(InvokeRequest("exit"))


# --- what a plugin pays --------------------------------------------------------------------------------------------

HEAVY = {"asyncio", "attr", "attrs", "dataclasses", "google.protobuf", "grpclib", "inspect", "json", "logging", "ssl"}


def test_defining_and_calling_a_module_loads_nothing_heavy() -> None:
    script = """
import sys
from jsbridge.contract import InvokeRequest, ModuleManifest
from jsbridge.sdk import Call, Module

module = Module("plugin:m")

@module.function
def typed(x: "list[int] | None" = None) -> object:
    return x

@module.function
def untyped(call: Call) -> object:
    return call.args

ModuleManifest.FromString(module.manifest().SerializeToString())
for export in ("typed", "untyped"):
    request = InvokeRequest(export, "", ([1.0],)).SerializeToString()
    module.invoke(InvokeRequest.FromString(request)).SerializeToString()
print(*sys.modules)
"""
    command = [sys.executable, "-I", "-W", "error", "-c", script]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    output = subprocess.run(command, check=True, env=environment, stdout=subprocess.PIPE, text=True).stdout

    assert set(output.split()) & HEAVY == set()
