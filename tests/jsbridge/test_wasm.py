from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest
import wasmtime

from goplugin.core.errors import LaunchError, PluginLostError, RemoteError
from goplugin.core.status import Code
from goplugin.wasm import MissingExportError, VersionMismatchError
from jsbridge.cancellation import Cancellation
from jsbridge.contract import ExportKind, InvokeRequest
from jsbridge.manifest import validate_manifest
from jsbridge.wasm import WasmModule
from tests.support import requirement

SUMMER = Path(__file__).parents[2] / "examples" / "wasm" / "summer" / "summer.wat"


@pytest.fixture(scope="module")
def source() -> str:
    return SUMMER.read_text("utf-8")


def write(directory: Path, source: str) -> str:
    path = directory / "goja-wasm-test.wasm"
    path.write_bytes(wasmtime.wat2wasm(source))
    return str(path)


@pytest.fixture
def summer(tmp_path: Path, source: str) -> Iterator[WasmModule]:
    with WasmModule(write(tmp_path, source)) as module:
        yield module


@requirement("ow.wasm-module")
def test_a_file_tells_its_manifest_as_a_process_does(summer: WasmModule) -> None:
    manifest = summer.get_manifest()

    validate_manifest(manifest)
    assert manifest.module_name == "plugin:examples:summer"
    assert [(export.name, export.kind) for export in manifest.exports] == [("sum", ExportKind.FUNCTION)]


@requirement("ow.wasm-module")
@pytest.mark.parametrize("numbers", [(), (1.0,), (1.0, 2.0, 3.5), (-0.0,), (1e308, 1e308), (math.inf, 1.0)])
def test_a_call_takes_and_gives_values(summer: WasmModule, numbers: tuple[float, ...]) -> None:
    assert summer.invoke(InvokeRequest("sum", "", numbers)).result == sum(numbers)


@pytest.mark.parametrize(
    ("request_of", "text"),
    [
        (InvokeRequest("sum", "", ("1",)), "every argument has to be a number"),
        (InvokeRequest("sums", "", ()), "unsupported export"),
        (InvokeRequest("", "", ()), "unsupported export"),
    ],
)
def test_an_error_is_that_of_a_handler(summer: WasmModule, request_of: InvokeRequest, text: str) -> None:
    with pytest.raises(RemoteError) as raised:
        summer.invoke(request_of)

    assert (raised.value.code, raised.value.message) == (Code.UNKNOWN, text)
    assert summer.invoke(InvokeRequest("sum", "", (1.0,))).result == 1.0


@requirement("wa.sandbox")
def test_a_call_that_takes_too_long_is_over_and_so_is_the_module(tmp_path: Path, source: str) -> None:
    endless = source.replace("(if (i32.eqz (call $is_sum", "(loop $forever (br $forever)) (if (i32.eqz (call $is_sum")
    with WasmModule(write(tmp_path, endless)) as module:
        with pytest.raises(RemoteError, match="context deadline exceeded") as raised:
            module.invoke(InvokeRequest("sum", "", ()), timeout=0.1)
        assert raised.value.code is Code.DEADLINE_EXCEEDED
        with pytest.raises(PluginLostError):
            module.invoke(InvokeRequest("sum", "", ()))


def test_a_call_that_was_cancelled_before_it_began_is_not_made(summer: WasmModule) -> None:
    cancel = Cancellation()
    cancel.cancel()

    with pytest.raises(RemoteError) as raised:
        summer.invoke(InvokeRequest("sum", "", ()), cancel=cancel)
    assert raised.value.code is Code.CANCELLED


def test_a_module_that_is_closed_takes_no_calls(tmp_path: Path, source: str) -> None:
    with WasmModule(write(tmp_path, source)) as module:
        module.close()

    with pytest.raises(PluginLostError, match="closed"):
        module.get_manifest()


@pytest.mark.parametrize(
    ("change", "kind", "text"),
    [
        (("(result i64) (i64.const 1))", "(result i64) (i64.const 2))"), VersionMismatchError, "host: 1, plugin: 2"),
        (("js_module_service_invoke", "invoke"), MissingExportError, "js_module_service_invoke is not exported"),
        (("js_module_service_api_version", "v"), MissingExportError, "js_module_service_api_version is not exported"),
        (('"malloc"', '"alloc"'), MissingExportError, "malloc is not exported"),
    ],
)
def test_a_file_that_is_no_such_module_is_refused(
    tmp_path: Path, source: str, change: tuple[str, str], kind: type[Exception], text: str
) -> None:
    with pytest.raises(kind, match=text):
        WasmModule(write(tmp_path, source.replace(*change)))


def test_a_file_that_is_no_module_at_all_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "goja-wasm-x.wasm"
    path.write_bytes(b"#!/bin/sh\n")

    with pytest.raises(LaunchError, match="not a WebAssembly module"):
        WasmModule(str(path))
