from __future__ import annotations

import importlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from google.protobuf import descriptor_pool
from google.protobuf.timestamp_pb2 import Timestamp

from goplugin.wasm import HostFunctionError, InstanceLostError, Module, Pool, VersionMismatchError, WasmConfig
from tests.goplugin.wasm.modules import HEAP, assemble
from tests.support import requirement

from .protoc import protoc

HERE = Path(__file__).parent
ECHO = """(param i32 i32) (result i64)
    (i64.or (i64.shl (i64.extend_i32_u (local.get 0)) (i64.const 32)) (i64.extend_i32_u (local.get 1))))"""
UNCACHED = WasmConfig(cache_dir="")


def plugin(version: int = 2) -> bytes:
    """A plugin whose methods give back their request; `import` asks the host for the answer."""
    methods = "".join(f'(func (export "kinds_{name}") {ECHO}' for name in ("echo", "reset", "now", "close"))
    return assemble(
        '(import "kinds" "double" (func $double (param i32 i32) (result i64)))',
        HEAP,
        f'(func (export "kinds_api_version") (result i64) (i64.const {version}))',
        methods,
        '(func (export "kinds_import") (param i32 i32) (result i64) (call $double (local.get 0) (local.get 1)))',
    )


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The directory with the code of kinds.proto, from which modules can be imported."""
    directory = tmp_path_factory.mktemp("kinds")
    for name in ("kinds/mood.proto", "kinds.proto"):
        source = HERE / Path(name).name
        result = protoc(directory, source.read_text("utf-8"), "paths=source_relative", name=name)
        assert (result.returncode, result.stderr) == (0, "")
    out = directory / "out"
    shutil.copy(HERE / "use_kinds.py", out)
    sys.path.insert(0, str(out))
    yield out
    sys.path.remove(str(out))
    for name in ("kinds", "kinds.mood_pb2", "kinds_pb2", "kinds_plugin", "use_kinds"):
        sys.modules.pop(name, None)


@pytest.fixture
def use(generated: Path) -> Any:
    return importlib.import_module("use_kinds")


@pytest.fixture
def loader(generated: Path) -> Any:
    return importlib.import_module("kinds_plugin").KindsPlugin


@pytest.fixture
def messages(generated: Path) -> Any:
    return importlib.import_module("kinds_pb2")


@requirement("wa.codegen.host", "wa.types", "wa.wkt", "wa.call")
def test_a_generated_class_carries_every_kind_of_field_to_a_plugin_and_back(use: Any) -> None:
    answer, now, version = use.load(plugin())

    assert answer == use.everything()
    assert answer.WhichOneof("choice") == "b"
    assert answer.HasField("explicit")
    assert now == Timestamp(seconds=1)
    assert version == 2


@requirement("wa.codegen.host")
def test_generated_code_passes_pyright_strict(generated: Path) -> None:
    (generated / "pyrightconfig.json").write_text(
        '{"typeCheckingMode": "strict", "pythonVersion": "3.11"}', encoding="utf-8"
    )
    result = subprocess.run(
        [sys.executable, "-m", "basedpyright", "-p", str(generated), "--pythonpath", sys.executable],
        capture_output=True, text=True, check=False,
    )

    assert result.returncode == 0, result.stdout


@requirement("wa.codegen.host")
def test_the_comments_of_the_protocol_are_docstrings(loader: Any, use: Any) -> None:
    module = importlib.import_module("kinds_plugin")

    assert module.Kinds.__doc__ == "Takes everything."
    assert loader.Echo.__doc__ == module.Kinds.Echo.__doc__ == "Gives back what it is given."
    assert module.Helpers.Double.__doc__ == '"Doubles" a \\ number.'
    assert module.__all__ == ["Kinds", "KindsPlugin", "KindsPluginAPIVersion", "Helpers"]


@requirement("wa.codegen.host", "wa.types")
def test_messages_are_not_in_the_pool_of_the_process(messages: Any) -> None:
    assert messages.DESCRIPTOR.pool is not descriptor_pool.Default()
    with pytest.raises(KeyError):
        descriptor_pool.Default().FindFileByName("kinds.proto")


@requirement("wa.version")
def test_a_plugin_of_another_version_is_refused(loader: Any, use: Any) -> None:
    with pytest.raises(VersionMismatchError, match="API version mismatch, host: 2, plugin: 1"):
        loader.load(plugin(version=1), use.Doubler(), config=UNCACHED)


@requirement("wa.hostfunc")
def test_a_plugin_calls_what_the_generated_base_class_offers(loader: Any, use: Any, messages: Any) -> None:
    with loader.load(plugin(), use.Doubler(), config=UNCACHED) as loaded:
        assert loaded.import_(messages.All(int=21)) == messages.All(int=42)
        assert loaded.close_(messages.All(int=1)) == messages.All(int=1)
    with pytest.raises(InstanceLostError, match="closed"):
        loaded.Echo(messages.All())


def test_a_method_of_the_host_that_returns_something_else_is_told_so(loader: Any, use: Any, messages: Any) -> None:
    class Careless(use.Doubler):  # pyright: ignore[reportUntypedBaseClass]
        def Double(self, request: Any) -> Any:
            return None

    with loader.load(plugin(), Careless(), config=UNCACHED) as loaded:
        with pytest.raises(HostFunctionError, match=r"Double returned None, not a All") as raised:
            loaded.import_(messages.All(int=1))
        assert isinstance(raised.value.__cause__, TypeError)


def test_a_host_that_lacks_a_method_cannot_be_made(use: Any) -> None:
    helpers = importlib.import_module("kinds_plugin").Helpers

    with pytest.raises(TypeError, match="abstract"):
        type("Half", (helpers,), {"Nothing": lambda self: None})()


def test_a_module_is_compiled_once_for_many_plugins(loader: Any, use: Any, messages: Any) -> None:
    module = Module.load(plugin(), UNCACHED)
    with loader.load(module, use.Doubler()) as one, loader.load(module, use.Doubler()) as other:
        assert one.Echo(messages.All(int=1)) == other.Echo(messages.All(int=1))

    with loader(Pool(module, loader.SERVICE, size=2, hosts=[use.Doubler().host_module()])) as pooled:
        assert pooled.Echo(messages.All(int=3)).int == 3


@requirement("wa.codegen.options")
def test_messages_can_be_left_to_protoc(tmp_path: Path) -> None:
    service = "// go:plugin type=plugin\nservice S { rpc A(M) returns (M) {} }"
    source = f'syntax = "proto3";\nmessage M {{}}\n{service}'

    result = protoc(tmp_path, source, "disable_pb_gen=true", name="greet.proto")

    assert result.returncode == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["greet_plugin.py"]


def test_two_protocols_may_use_the_same_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modules: list[ModuleType] = []
    for kind in ("string", "int32"):
        directory = tmp_path / kind
        directory.mkdir()
        source = f'syntax = "proto3";\npackage greeting;\nmessage GreetRequest {{ {kind} name = 1; }}'
        assert protoc(directory, source).returncode == 0
        monkeypatch.syspath_prepend(directory / "out")
        monkeypatch.delitem(sys.modules, "greet_pb2", raising=False)
        modules.append(importlib.import_module("greet_pb2"))
    monkeypatch.delitem(sys.modules, "greet_pb2")

    texts, numbers = (module.GreetRequest for module in modules)
    assert texts(name="x").SerializeToString() == b"\x0a\x01x"
    assert numbers(name=1).SerializeToString() == b"\x08\x01"


def test_names_of_the_generated_module_itself_are_kept_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    services = [
        "// go:plugin type=plugin\nservice Protocol { rpc A(M) returns (M) {} }",
        "// go:plugin type=plugin\nservice Loaded { rpc A(M) returns (M) {} }",
        '// go:plugin type=host module="odd\\"\nservice HostModule { rpc host_module(M) returns (M) {} }',
    ]
    source = "\n".join(['syntax = "proto3";', "package names;", "message M {}", *services])
    result = protoc(tmp_path, source, name="taken.names.proto")
    assert (result.returncode, result.stderr) == (0, "")
    monkeypatch.syspath_prepend(tmp_path / "out")
    for name in ("taken", "taken.names_pb2", "taken.names_plugin"):
        monkeypatch.delitem(sys.modules, name, raising=False)

    module = importlib.import_module("taken.names_plugin")

    class Host(module.HostModule_):  # pyright: ignore[reportUntypedBaseClass]
        def host_module_(self, request: Any) -> Any:
            return request

    assert module.LoadedPlugin_.SERVICE.name == "Loaded"
    assert module.ProtocolPlugin.SERVICE.name == "Protocol"
    assert all(hasattr(module, name) for name in module.__all__)
    assert Host().host_module().name == '"odd\\"'
    for name in ("taken", "taken.names_pb2", "taken.names_plugin"):
        monkeypatch.delitem(sys.modules, name, raising=False)


def test_a_stub_imports_what_another_file_imports_publicly(tmp_path: Path) -> None:
    head = 'syntax = "proto3";\npackage acme;\n'
    assert protoc(tmp_path, f"{head}message B {{}}", name="b.proto").returncode == 0
    assert protoc(tmp_path, f'{head}import public "b.proto";', name="a.proto").returncode == 0

    assert protoc(tmp_path, f'{head}import "a.proto";\nmessage C {{ B b = 1; }}', name="c.proto").returncode == 0

    stub = (tmp_path / "out" / "c_pb2.pyi").read_text("utf-8")
    assert "import b_pb2\n" in stub
    assert "import a_pb2" not in stub


def test_the_examples_have_what_the_generator_writes_today(tmp_path: Path) -> None:
    examples = Path(__file__).parents[4] / "examples" / "wasm"
    sources = sorted(examples.glob("*/*.proto"))
    assert sources
    for source in sources:
        directory = tmp_path / source.parent.name
        directory.mkdir()
        assert protoc(directory, source.read_text("utf-8"), name=source.name).returncode == 0
        for path in (directory / "out").iterdir():
            assert path.read_bytes() == (source.parent / path.name).read_bytes()
