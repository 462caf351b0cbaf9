"""Plugins as WebAssembly: what a call, a function of the host, a start and a JavaScript module's function cost."""
from __future__ import annotations

from collections.abc import Iterator

import pytest

from goplugin.wasm import fast
from jsbridge.contract import InvokeRequest
from jsbridge.wasm import WasmModule

from .fixture import Benchmark
from .guests import Guests, GuestsUnavailableError, prepare_guests
from .stacks.goplugin_wasm import WasmHost


@pytest.fixture(scope="module")
def guests(tmp_path_factory: pytest.TempPathFactory) -> Guests:
    try:
        return prepare_guests(str(tmp_path_factory.mktemp("guests")))
    except GuestsUnavailableError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def host(guests: Guests) -> Iterator[WasmHost]:
    host = WasmHost(str(guests.built.everything), guests.generated)
    yield host
    host.close()


def test_call(benchmark: Benchmark, host: WasmHost) -> None:
    reply = benchmark(host.greeter.Greet, host.request)

    assert reply.text == "Hello, Ada"


def test_call_on_the_public_api(benchmark: Benchmark, guests: Guests, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fast, "available", lambda: False)
    host = WasmHost(str(guests.built.everything), guests.generated)
    try:
        reply = benchmark(host.greeter.Greet, host.request)
    finally:
        host.close()

    assert reply.text == "Hello, Ada"


def test_call_with_two_functions_of_the_host(benchmark: Benchmark, host: WasmHost) -> None:
    reply = benchmark(host.greeter.GreetInWordsOfTheHost, host.request)

    assert reply.text == "How do you do, Ada (5 words)"


def test_load_from_a_warm_cache(benchmark: Benchmark, host: WasmHost) -> None:
    assert benchmark(host.load_module).name == "everything.wasm"


def test_start_an_instance(benchmark: Benchmark, host: WasmHost) -> None:
    benchmark(lambda: host.new_instance().close())


def test_function_of_a_js_module(benchmark: Benchmark, guests: Guests) -> None:
    with WasmModule(str(guests.built.jsgreeter)) as module:
        reply = benchmark(module.invoke, InvokeRequest("echo", "", ("x" * 40,)))

    assert reply.result == "x" * 40
