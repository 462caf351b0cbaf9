from __future__ import annotations

import io
import os
import time
from pathlib import Path

import pytest
import wasmtime

from goplugin.core.errors import ConfigError, LaunchError
from goplugin.wasm import (
    CALL_SIGNATURE,
    HostModule,
    Module,
    ServiceSpec,
    Signature,
    WasmConfig,
    compiling,
    errors,
)
from tests.goplugin.wasm.modules import (
    BENCH,
    ECHO,
    HEAP,
    SILENT,
    UNCACHED,
    VERSION,
    answering,
    assemble,
    bench_bytes,
    bench_module,
)
from tests.support import requirement

EMPTY = BENCH._replace(methods=())
VOID = Signature((), ())


def started(*parts: str, config: WasmConfig = UNCACHED) -> bytes:
    """What a module answers to an empty request, whose start function sets the global $answer."""
    answer = """
      (global $answer (mut i32) (i32.const 46))
      (func (export "bench_answer") (param i32 i32) (result i64)
        (i32.store8 (i32.const 512) (global.get $answer))
        (i64.const 0x00000200_00000001))
    """
    module = Module.load(assemble(*(part for part in parts if "import" in part), HEAP, VERSION, answer, *(
        part for part in parts if "import" not in part
    )), config)  # fmt: skip
    with module.instantiate(EMPTY) as instance:
        return instance.call("bench_answer", b"")


def sets(name: str, letter: str) -> str:
    return f'(func (export "{name}") (global.set $answer (i32.const {ord(letter)})))'


# --- Load ---


@requirement("wa.load")
def test_a_module_comes_from_a_path_from_bytes_or_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "greeter.wasm"
    path.write_bytes(bench_bytes())

    with open(path, "rb") as file:
        sources = path, str(path), bench_bytes(), file, io.BytesIO(bench_bytes())
        modules = [Module.load(source, UNCACHED) for source in sources]

    assert [module.name for module in modules] == [
        "greeter.wasm", "greeter.wasm", "wasm module", "greeter.wasm", "wasm module",
    ]  # fmt: skip
    for module in modules:
        with module.instantiate(BENCH, hosts=[SILENT]) as instance:
            assert instance.call("bench_echo", b"x") == b"x"


@requirement("wa.load")
@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "^wasm module is not a WebAssembly module$"),
        (b"\x7fELF", "^wasm module is not a WebAssembly module$"),
        (b"(module)", "^wasm module is not a WebAssembly module$"),
        (b"\0asm\x0d\0\1\0", "^wasm module is a component, not a core module$"),
        (b"\0asm\1\0\0\0junk", "^wasm module is not a valid module: "),
        (bench_bytes()[:-10], "^wasm module is not a valid module: "),
    ],
)
def test_what_is_no_module_is_refused(content: bytes, text: str) -> None:
    with pytest.raises(LaunchError, match=text):
        Module.load(content, UNCACHED)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LaunchError, match=r"^the module cannot be read: .*No such file") as caught:
        Module.load(tmp_path / "greeter.wasm", UNCACHED)

    assert isinstance(caught.value.__cause__, FileNotFoundError)


@pytest.mark.parametrize("field", ["(memory i64 1)", "(memory 1) (memory 1)", "(tag)", "(type (struct))"])
def test_what_no_plugin_needs_is_closed(field: str) -> None:
    with pytest.raises(LaunchError, match="is not a valid module"):
        Module.load(assemble(field), UNCACHED)


# --- The cache ---


@pytest.fixture
def cached(tmp_path: Path) -> WasmConfig:
    return WasmConfig(cache_dir=str(tmp_path / "cache"))


@pytest.fixture
def compilations(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the modules that were compiled."""
    sizes: list[int] = []

    class Compiled(wasmtime.Module):
        def __init__(self, engine: wasmtime.Engine, wasm: bytes) -> None:
            sizes.append(len(wasm))
            super().__init__(engine, wasm)

    monkeypatch.setattr(compiling.wasmtime, "Module", Compiled)
    return sizes


def test_a_module_is_compiled_once(cached: WasmConfig, compilations: list[int]) -> None:
    for _ in range(2):
        with Module.load(bench_bytes(), cached).instantiate(BENCH, hosts=[SILENT]) as instance:
            assert instance.call("bench_echo", b"x") == b"x"

    assert len(compilations) == 1


def test_other_content_and_other_settings_are_compiled_anew(cached: WasmConfig, compilations: list[int]) -> None:
    Module.load(bench_bytes(), cached)
    Module.load(bench_bytes(), WasmConfig(cache_dir=cached.cache_dir, fuel=1))
    Module.load(assemble(HEAP), cached)

    assert len(compilations) == 3


@pytest.mark.parametrize("content", [b"", b"\x7fELF junk"])
def test_what_is_damaged_in_the_cache_is_compiled_anew(
    cached: WasmConfig, compilations: list[int], content: bytes
) -> None:
    Module.load(bench_bytes(), cached)
    [path] = Path(cached.cache_dir or "").glob("*.code")
    path.write_bytes(content)

    for _ in range(2):
        Module.load(bench_bytes(), cached)

    assert len(compilations) == 2


def test_what_another_build_of_the_engine_compiled_is_compiled_anew(
    cached: WasmConfig, compilations: list[int]
) -> None:
    Module.load(bench_bytes(), cached)
    [path] = Path(cached.cache_dir or "").glob("*.code")
    compiling.CompiledCache(cached.cache_dir or "").put(path.stem, b"\x7fELF of another build")

    Module.load(bench_bytes(), cached)

    assert len(compilations) == 2


@requirement("wa.config")
def test_an_engine_of_ones_own_is_not_cached(tmp_path: Path, compilations: list[int]) -> None:
    def without_simd(config: wasmtime.Config) -> None:
        config.wasm_relaxed_simd = False
        config.wasm_simd = False

    config = WasmConfig(cache_dir=str(tmp_path / "cache"), engine=without_simd)
    for _ in range(2):
        Module.load(bench_bytes(), config)
    with pytest.raises(LaunchError, match="SIMD"):
        Module.load(assemble("(func (drop (v128.const i64x2 0 0)))"), config)

    assert len(compilations) == 3
    assert not (tmp_path / "cache").exists()


def test_nothing_is_cached_where_nobody_knows_whose_a_file_is(
    cached: WasmConfig, compilations: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "getuid")   # as on Windows

    for _ in range(2):
        Module.load(bench_bytes(), cached)

    assert len(compilations) == 2


def test_the_cache_of_the_user_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    Module.load(assemble(HEAP))

    assert os.listdir(tmp_path / "goplugin" / "wasm")


# --- Start ---


@requirement("wa.old")
@pytest.mark.parametrize(
    ("functions", "answer"),
    [
        ([sets("_initialize", "i")], b"i"),
        ([sets("_start", "s")], b"s"),
        ([sets("_start", "s"), sets("_initialize", "i")], b"i"),
        ([], b"."),
    ],
)
def test_a_module_is_started_as_its_toolchain_wants_it(machine: str, functions: list[str], answer: bytes) -> None:
    assert started(*functions) == answer


EXIT = '(import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))'


@requirement("wa.old")
def test_a_command_may_end_with_code_0_and_goes_on_as_a_plugin(machine: str) -> None:
    start = '(func (export "_start") (global.set $answer (i32.const 115)) (call $exit (i32.const 0)))'

    assert started(EXIT, start) == b"s"


@requirement("wa.trap")
def test_a_module_that_ends_itself_as_it_starts_is_refused(machine: str) -> None:
    with pytest.raises(LaunchError, match=r"^wasm module: unexpected exit_code: 3$") as caught:
        started(EXIT, '(func (export "_start") (call $exit (i32.const 3)))')

    assert caught.value.exit_code == 3


@requirement("wa.trap")
@pytest.mark.parametrize("start", ['(func (export "_initialize") unreachable)', "(func $f unreachable) (start $f)"])
def test_a_module_that_crashes_as_it_starts_is_refused(machine: str, start: str) -> None:
    with pytest.raises(LaunchError, match=r"^wasm module did not start: .*unreachable") as caught:
        started(start)

    assert isinstance(caught.value.__cause__, errors.TrapError)


@requirement("wa.sandbox")
@pytest.mark.parametrize("start", ['(func (export "_initialize") (loop br 0))', "(func $f (loop br 0)) (start $f)"])
def test_a_module_has_its_time_to_start(machine: str, start: str) -> None:
    with pytest.raises(errors.TimeLimitError):
        started(start, config=WasmConfig(cache_dir="", time_limit=0.05))


@requirement("wa.sandbox")
def test_a_module_that_begins_with_too_much_memory_is_refused(machine: str) -> None:
    module = Module.load(assemble('(memory (export "memory") 20000)'), UNCACHED)

    with pytest.raises(errors.MemoryLimitError, match="exceeds memory limits"):
        module.instantiate()


def test_a_module_without_memory_is_no_plugin(machine: str) -> None:
    with pytest.raises(errors.MissingExportError, match=r"^memory is not exported$"):
        Module.load(assemble("(memory 1)"), UNCACHED).instantiate()


# --- What it has to have ---


@requirement("wa.version")
def test_another_version_is_refused() -> None:
    with pytest.raises(errors.VersionMismatchError, match=r"^API version mismatch, host: 1, plugin: 2$"):
        bench_module().instantiate(BENCH._replace(version=1), hosts=[SILENT])


@requirement("wa.version")
@pytest.mark.parametrize(
    ("spec", "text"),
    [
        (ServiceSpec("Greeter"), "^greeter_api_version is not exported$"),
        (BENCH._replace(methods=("Echo", "SayHello")), "^bench_say_hello is not exported$"),
    ],
)
def test_a_service_has_to_be_there(spec: ServiceSpec, text: str) -> None:
    with pytest.raises(errors.MissingExportError, match=text):
        bench_module().instantiate(spec, hosts=[SILENT])


def test_a_lazy_service_misses_a_method_when_it_is_called() -> None:
    spec = BENCH._replace(methods=("Echo", "SayHello"), lazy=True)

    with bench_module().instantiate(spec, hosts=[SILENT]) as instance:
        assert instance.call("bench_echo", b"x") == b"x"
        with pytest.raises(errors.MissingExportError, match=r"^bench_say_hello is not exported$"):
            instance.call("bench_say_hello", b"")


def test_several_services_may_live_in_one_module() -> None:
    other = '(func (export "other_api_version") (result i64) (i64.const 7))'
    module = Module.load(assemble(HEAP, VERSION, ECHO, other), UNCACHED)

    with module.instantiate(BENCH._replace(methods=("Echo",)), ServiceSpec("Other", 7)) as instance:
        assert instance.call("bench_echo", b"x") == b"x"


# --- Functions of the host ---


@requirement("wa.hostfunc")
def test_what_the_module_imports_has_to_be_offered() -> None:
    with pytest.raises(LaunchError, match=r"^wasm module imports what no host module offers: env\.answer$"):
        bench_module().instantiate(BENCH)


def test_what_is_missing_is_named_without_harm_to_whoever_reads_it() -> None:
    imports = [f'(import "env" "f{number}" (func))' for number in range(30)]
    module = Module.load(assemble('(import "env" "a\\1b[31m" (func))', *imports, HEAP), UNCACHED)

    with pytest.raises(LaunchError, match=r"offers: 'env\.a\\x1b\[31m', env\.f0, .*, env\.f18, and 11 more$"):
        module.instantiate()


@requirement("wa.hostfunc")
def test_a_host_may_offer_more_than_is_imported(machine: str) -> None:
    more = HostModule("json-parser", {"parse_json": lambda request: b"parsed"})

    with bench_module().instantiate(BENCH, hosts=[more, answering(lambda request: b"answer")]) as instance:
        assert instance.call("bench_ask", b"") == b"answer"


@requirement("wa.hostfunc")
def test_several_host_modules_have_names_of_their_own(machine: str) -> None:
    imports = """
      (import "env" "answer" (func $one (param i32 i32) (result i64)))
      (import "json-parser" "answer" (func $two (param i32 i32) (result i64)))
    """
    exports = """
      (func (export "bench_one") (param i32 i32) (result i64) (call $one (local.get 0) (local.get 1)))
      (func (export "bench_two") (param i32 i32) (result i64) (call $two (local.get 0) (local.get 1)))
    """
    module = Module.load(assemble(imports, HEAP, VERSION, exports), UNCACHED)
    hosts = [answering(lambda request: b"1"), HostModule("json-parser", {"answer": lambda request: b"2"})]

    with module.instantiate(EMPTY, hosts=hosts) as instance:
        assert [instance.call(f"bench_{name}", b"") for name in ("one", "two")] == [b"1", b"2"]


def test_two_functions_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"^two host modules offer env\.answer"):
        bench_module().instantiate(BENCH, hosts=[SILENT, SILENT])


def test_an_import_that_is_no_function_of_the_contract_is_refused() -> None:
    module = Module.load(assemble('(import "env" "answer" (func (param f64)))', HEAP), UNCACHED)

    with pytest.raises(LaunchError, match=r"imports env\.answer as \(f64\) -> \(\), which is not \(i32, i32\)"):
        module.instantiate(hosts=[SILENT])


def test_a_host_that_raises_while_the_module_starts_is_told_as_such(machine: str) -> None:
    imports = '(import "env" "answer" (func $answer (param i32 i32) (result i64)))'
    start = '(func (export "_initialize") (drop (call $answer (i32.const 0) (i32.const 0))))'
    module = Module.load(assemble(imports, HEAP, start), UNCACHED)

    def fail(request: bytes) -> bytes:
        raise LookupError("no such key")

    with pytest.raises(errors.HostFunctionError, match="no such key"):
        module.instantiate(hosts=[answering(fail)])


def test_fuel_is_counted_from_the_start_or_not_at_all() -> None:
    with pytest.raises(ConfigError, match="fuel has to be counted from the start"):
        bench_module().instantiate(BENCH, hosts=[SILENT], config=WasmConfig(fuel=1))


# --- Inspect ---


def test_a_module_can_be_inspected_without_its_host() -> None:
    inspection = bench_module().inspect()

    [service] = inspection.services
    assert (service.name, service.version) == ("bench", 2)
    assert {"bench_echo", "bench_spin"} <= set(service.methods)
    assert "bench_api_version" not in service.methods
    assert inspection.imports["env", "answer"] == CALL_SIGNATURE
    assert ("wasi_snapshot_preview1", "fd_write") in inspection.imports
    assert inspection.exports["malloc"] == Signature(("i32",), ("i32",))
    assert inspection.size == len(bench_bytes())
    assert inspection.producers == {}


def test_each_method_belongs_to_the_service_with_the_longest_name() -> None:
    exports = [
        f'(func (export "{name}_api_version") (result i64) (i64.const {version}))'
        f'(func (export "{name}_say") (param i32 i32) (result i64) (i64.const 0))'
        for name, version in (("foo", 1), ("foo_bar", 2))
    ]

    services = Module.load(assemble(HEAP, *exports), UNCACHED).inspect().services

    assert [(service.name, service.version, service.methods) for service in services] == [
        ("foo", 1, ("foo_say",)), ("foo_bar", 2, ("foo_bar_say",)),
    ]  # fmt: skip


@pytest.mark.parametrize("start", ["unreachable", "(call $answer (i32.const 0) (i32.const 0)) drop", "(loop br 0)"])
def test_a_module_that_does_not_start_alone_has_no_known_version(start: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("goplugin.wasm.module._INSPECTION_SECONDS", 0.05)
    imports = '(import "env" "answer" (func $answer (param i32 i32) (result i64)))'
    module = Module.load(assemble(imports, HEAP, VERSION, f'(func (export "_initialize") {start})'), UNCACHED)

    began = time.monotonic()
    [service] = module.inspect().services

    assert service.version is None
    assert time.monotonic() - began < 4


def test_thousands_of_slow_versions_are_not_all_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("goplugin.wasm.module._INSPECTION_SECONDS", 0.1)
    slow = "(local $n i32) (loop (br_if 0 (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) {})))"
    body = f"{slow.format('(i32.const 10000000)')} (i64.const 1)"
    exports = [f'(func (export "s{number}_api_version") (result i64) {body})' for number in range(2000)]
    module = Module.load(assemble(HEAP, *exports), UNCACHED)

    began = time.monotonic()
    services = module.inspect().services

    assert len(services) == 2000
    assert services[-1].version is None
    assert time.monotonic() - began < 4


def test_a_module_that_counts_fuel_can_be_inspected() -> None:
    assert bench_module(fuel=True).inspect().services[0].version == 2
