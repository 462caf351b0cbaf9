"""What the package loads, and what it says where wasmtime is missing."""
from __future__ import annotations

import subprocess
import sys

import pytest

import goplugin.wasm
from goplugin.core.errors import ConfigError
from goplugin.wasm import WasmConfig, engine, fast, module, services
from tests.goplugin.wasm.modules import UNCACHED, bench_bytes


def run(code: str) -> str:
    command = [sys.executable, "-I", "-W", "error", "-c", code]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def test_every_name_is_there() -> None:
    assert len({getattr(goplugin.wasm, name) for name in goplugin.wasm.__all__}) == len(goplugin.wasm.__all__)
    assert all(callable(getattr(services, name)) for name in services.__all__)


@pytest.mark.parametrize("package", [goplugin.wasm, services])
def test_there_are_no_other_names(package: object) -> None:
    with pytest.raises(AttributeError, match="has no attribute 'other'"):
        package.other  # type: ignore[attr-defined]  # noqa: B018


def test_wasmtime_is_loaded_with_the_first_module() -> None:
    loaded = run(
        "import sys; from goplugin.wasm import *; import goplugin.wasm.services;"
        "print('wasmtime' in sys.modules, 'asyncio' in sys.modules)"
    )

    assert loaded == "False False"


def test_without_wasmtime_the_error_says_what_to_install() -> None:
    message = run(
        "import sys; sys.modules['wasmtime'] = None\n"
        "import goplugin.core.errors, goplugin.wasm\n"
        "try: goplugin.wasm.Module.load(b'\\0asm\\1\\0\\0\\0')\n"
        "except goplugin.core.errors.ConfigError as error: print(error)"
    )

    assert message.startswith("plugins as WebAssembly need the package wasmtime: pip install wasmtime cffi, or ")


def test_what_is_compiled_depends_on_the_settings() -> None:
    assert engine.fingerprint(WasmConfig()) != engine.fingerprint(WasmConfig(fuel=1))
    assert engine.engine_for(WasmConfig()) is engine.engine_for(WasmConfig(env={"A": "1"}))


def test_the_private_parts_of_wasmtime_are_where_they_are_expected() -> None:
    assert fast.available()


@pytest.mark.parametrize("error", [ImportError, AttributeError])
def test_where_they_are_not_the_documented_parts_are_used(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(self: object) -> None:
        raise error

    monkeypatch.setattr(fast._Library, "__init__", missing)  # pyright: ignore[reportPrivateUsage]
    fast._library.cache_clear()  # pyright: ignore[reportPrivateUsage]
    try:
        assert not fast.available()
        with module.Module.load(bench_bytes(), UNCACHED).instantiate(
            hosts=[goplugin.wasm.HostModule(functions={"answer": bytes})]
        ) as instance:
            assert type(instance._machine).__name__ == "PlainMachine"  # pyright: ignore[reportPrivateUsage]
            assert instance.call("bench_ask", b"x") == b"x"
        with pytest.raises(ConfigError, match="has its C library where goplugin does not know of it"):
            fast.FastMachine(instance._machine.store, None)  # type: ignore[arg-type]  # pyright: ignore[reportPrivateUsage]
    finally:
        fast._library.cache_clear()  # pyright: ignore[reportPrivateUsage]
