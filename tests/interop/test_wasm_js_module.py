"""A JavaScript module that Go built, on the published module, from examples/wasm/jsgreeter: values and errors."""
from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest

from goplugin.core.errors import PluginLostError, RemoteError
from goplugin.core.status import Code
from jsbridge.contract import ExportKind, InvokeRequest
from jsbridge.manifest import validate_manifest
from jsbridge.wasm import WasmModule
from tests.support import requirement

from .gopeers import CACHE
from .wasm_guests import WasmGuests

pytestmark = pytest.mark.go


@pytest.fixture(scope="module")
def jsgreeter(guests: WasmGuests) -> Iterator[WasmModule]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("XDG_CACHE_HOME", str(CACHE))    # compiled once for all runs
        module = WasmModule(str(guests.jsgreeter))
    with module:
        yield module


@requirement("ow.wasm-module")
def test_its_manifest_is_one_of_a_module(jsgreeter: WasmModule) -> None:
    manifest = jsgreeter.get_manifest()

    validate_manifest(manifest)
    assert manifest.module_name == "plugin:examples:wasm-greeter"
    assert [(export.name, export.kind, len(export.method_specs)) for export in manifest.exports] == [
        ("greet", ExportKind.FUNCTION, 0), ("echo", ExportKind.FUNCTION, 0), ("strings", ExportKind.OBJECT, 2),
    ]


@requirement("ow.wasm-module")
@pytest.mark.parametrize(
    ("export", "method", "arguments", "result"),
    [
        ("greet", "", ("Ada",), "Hello, Ada!"),
        ("greet", "", ("",), "Hello, !"),
        ("strings", "upper", ("größer",), "GRÖßER"),
        ("strings", "join", (", ", "a", "b"), "a, b"),
    ],
)
def test_functions_and_methods_are_called(
    jsgreeter: WasmModule, export: str, method: str, arguments: tuple[str, ...], result: str
) -> None:
    assert jsgreeter.invoke(InvokeRequest(export, method, arguments)).result == result


@pytest.mark.parametrize(
    "value",
    [
        None, True, False, 0.0, -1.5, 2.0**53, 5e-324, 1.7976931348623157e308, "", "Grüße\0\n", "\U0001f600", [], {},
        [None, [True, [1.0, ["x"]]]], {"": None, "k": {"l": [{}, {"m": 1.0}]}}, "x" * 100_000, [0.0] * 10_000,
    ],
    ids=lambda value: repr(value)[:30],
)
def test_every_kind_of_value_is_what_it_was_when_it_comes_back(jsgreeter: WasmModule, value: Any) -> None:
    assert jsgreeter.invoke(InvokeRequest("echo", "", (value,))).result == value


def test_a_number_that_json_has_no_word_for_is_a_text_to_this_module(jsgreeter: WasmModule) -> None:
    """It has its arguments from Go's Value.AsInterface, which promises values that JSON can have."""
    numbers = [math.nan, math.inf, -math.inf]

    assert jsgreeter.invoke(InvokeRequest("echo", "", (numbers,))).result == ["NaN", "Infinity", "-Infinity"]


@pytest.mark.parametrize(
    ("export", "method", "arguments", "text"),
    [
        ("greet", "", (), "argument 1 is missing"),
        ("greet", "", (1.0,), "argument 1 is 1, not a text"),
        ("strings", "join", (", ", None), "argument 2 is <nil>, not a text"),
        ("strings", "lower", ("x",), 'unsupported export "strings.lower"'),
        ("strings", "", ("x",), 'unsupported export "strings"'),
        ("Grüße", "", (), 'unsupported export "Grüße"'),
    ],
)
def test_an_error_of_a_function_is_that_of_a_handler_and_the_module_goes_on(
    jsgreeter: WasmModule, export: str, method: str, arguments: tuple[Any, ...], text: str
) -> None:
    with pytest.raises(RemoteError) as raised:
        jsgreeter.invoke(InvokeRequest(export, method, arguments))

    assert not isinstance(raised.value, PluginLostError)
    assert (raised.value.code, raised.value.message) == (Code.UNKNOWN, text)
    assert jsgreeter.invoke(InvokeRequest("greet", "", ("again",))).result == "Hello, again!"
