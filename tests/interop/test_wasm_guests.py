"""Plugins that Go built on the published module, in our host; and a plugin of ours in the published module's host."""
from __future__ import annotations

import functools
import importlib
import math
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import wasmtime
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.wrappers_pb2 import StringValue

from goplugin.core.errors import ConfigError, LaunchError
from goplugin.wasm import (
    ExitError,
    GuestError,
    HostFunctionError,
    InstanceLostError,
    MemoryLimitError,
    Module,
    Preopen,
    TimeLimitError,
    TrapError,
    VersionMismatchError,
    WasmConfig,
)
from tests.goplugin.wasm.codegen.protoc import protoc
from tests.support import requirement

from .gopeers import CACHE
from .wasm_guests import GREETER, GUESTS, WasmGuests

pytestmark = pytest.mark.go

NAMES = ["Ada", "", "Ada Løvelace", "x" * 300]
Config = functools.partial(WasmConfig, cache_dir=str(CACHE / "wasm"))


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The modules with our generated code for the guests' protocols."""
    directory = tmp_path_factory.mktemp("guests")
    for name in ("everything/everything.proto", "words/words.proto"):
        result = protoc(directory, (GUESTS / name).read_text("utf-8"), name=name)
        assert (result.returncode, result.stderr) == (0, "")
    sys.path.insert(0, str(directory / "out"))
    yield importlib.import_module("everything.everything_plugin")
    sys.path.remove(str(directory / "out"))
    for name in [name for name in sys.modules if name.partition(".")[0] in ("everything", "words")]:
        del sys.modules[name]


@pytest.fixture(scope="module")
def pb(generated: Any) -> Any:
    return importlib.import_module("everything.everything_pb2")


@pytest.fixture(scope="module")
def module(guests: WasmGuests) -> Module:
    return Module.load(guests.everything, Config())


@pytest.fixture(scope="module")
def hosts(generated: Any, pb: Any) -> list[Any]:
    """What the plugin may call: two services, in two modules."""
    words_plugin = importlib.import_module("words.words_plugin")
    words_pb2 = importlib.import_module("words.words_pb2")

    class Host(generated.Host):
        def Ask(self, request: Any) -> Any:
            if request.text == "raise":
                raise ConfigError("nobody is asked that")
            return pb.Text(text=f"How do you do, {request.text}")

        def Blob(self, request: Any) -> Any:
            return pb.Bytes(bytes=bytes(request.number))

    class Words(words_plugin.Words):
        def Count(self, request: Any) -> Any:
            return words_pb2.Total(words=len(request.text.split()))

    return [Host(), Words()]


@pytest.fixture
def load(generated: Any, module: Module, hosts: list[Any]) -> Callable[..., Any]:
    """Starts an instance that is seen as one of its services."""

    def load(service: str, **config: Any) -> Any:
        return getattr(generated, f"{service}Plugin").load(module, *hosts, config=Config(**config))

    return load


def run_host(guests: WasmGuests, *arguments: str | Path) -> list[str]:
    result = subprocess.run([guests.host, *arguments], capture_output=True, text=True, check=True)
    return result.stdout.splitlines()


@requirement("wa.load", "wa.call")
def test_the_hello_world_of_upstreams_tutorial(guests: WasmGuests) -> None:
    script = GREETER / "host.py"

    result = subprocess.run(
        [sys.executable, script, guests.greeter, *NAMES], capture_output=True, text=True, check=True
    )

    assert result.stderr == ""
    assert result.stdout.splitlines() == [f"Hello, {name}!" for name in NAMES]


@requirement("wa.go-host")
def test_upstreams_own_host_runs_our_plugin_and_agrees_on_every_answer(guests: WasmGuests, tmp_path: Path) -> None:
    ours = tmp_path / "greeter.wasm"
    ours.write_bytes(wasmtime.wat2wasm((GREETER / "greeter.wat").read_text("utf-8")))

    answers = run_host(guests, "greeting", ours, *NAMES)

    assert answers == run_host(guests, "greeting", guests.greeter, *NAMES)
    assert answers == [f"Hello, {name}!" for name in NAMES]


@requirement("wa.hostfunc", "wa.bidirectional")
def test_a_plugin_calls_two_modules_of_the_host_inside_a_call(
    guests: WasmGuests, load: Callable[..., Any], pb: Any
) -> None:
    answers: list[str] = []
    with load("Greeter") as greeter:
        for name in NAMES:
            answers += [greeter.Greet(pb.Text(text=name)).text, greeter.GreetInWordsOfTheHost(pb.Text(text=name)).text]

    assert answers == run_host(guests, "everything", guests.everything, *NAMES)
    assert answers[1] == "How do you do, Ada (5 words)"


@requirement("wa.types")
def test_every_kind_of_field_is_what_it_was_when_it_comes_back(load: Callable[..., Any], pb: Any) -> None:
    everything = pb.All(
        double=math.pi, float=0.5, int32=-(2**31), int64=-(2**63), uint32=2**32 - 1, uint64=2**64 - 1,
        sint32=-1, sint64=-(2**63), fixed32=2**32 - 1, fixed64=2**64 - 1, sfixed32=-1, sfixed64=-(2**63),
        bool=True, string="Grüße\0", bytes=b"\0\xff", inner={"name": "a", "inner": {"name": "b"}}, mood="HAPPY",
        numbers=[1, -1, 0], inners=[{}, {"name": "c"}], by_name={"k": {"name": "d"}}, moods={-1: 1}, explicit=0,
        nested={"name": "e"},
    )
    with load("Kinds") as kinds:
        answer = kinds.Echo(everything)
        empty = kinds.Echo(pb.All())

    assert answer == everything
    assert answer.HasField("explicit")
    assert answer.WhichOneof("choice") == "nested"
    assert empty == pb.All()
    assert not empty.HasField("explicit")


@requirement("wa.wkt")
def test_well_known_types_cross(load: Callable[..., Any], pb: Any) -> None:
    message = pb.WellKnown(string_value={}, int64_value={"value": -1}, bytes_value={"value": b"\0"}, empty={})
    message.any.Pack(Duration(seconds=1))
    message.duration.FromMilliseconds(1500)
    message.timestamp.FromJsonString("2026-11-21T10:00:00.5Z")
    message.struct.update({"a": [1.5, None, {"b": True}]})
    message.value.string_value = "x"
    message.list.extend(["y", 2])
    with load("Kinds") as kinds:
        answer = kinds.EchoWellKnown(message)
        kinds.Nothing()

    assert answer == message
    unpacked = Duration()
    assert AnyMessage.FromString(answer.any.SerializeToString()).Unpack(unpacked)
    assert unpacked.seconds == 1
    assert StringValue.FromString(answer.string_value.SerializeToString()) == StringValue()
    assert answer.HasField("string_value")
    assert not answer.HasField("bool_value")


@pytest.mark.parametrize("text", ["there is no such greeting", "", "Grüße\nover two lines"])
def test_an_error_of_the_plugin_is_its_text_and_the_plugin_goes_on(
    load: Callable[..., Any], pb: Any, text: str
) -> None:
    with load("Trouble") as trouble:
        for _ in range(2):
            with pytest.raises(GuestError) as raised:
                trouble.Fail(pb.Text(text=text))
            assert str(raised.value) == text


@requirement("wa.trap")
@pytest.mark.parametrize(
    ("method", "request_of", "kind", "text"),
    [
        ("Panic", lambda pb: [pb.Text(text="out of greetings")], TrapError, "panic: out of greetings"),
        ("Exit", lambda pb: [pb.Number(number=3)], ExitError, "3"),
        ("Exit", lambda pb: [pb.Number(number=0)], ExitError, "0"),
        ("Deadlock", lambda pb: [], TrapError, "all goroutines are asleep - deadlock!"),
    ],
)
def test_a_plugin_that_crashes_is_lost_and_says_why(
    load: Callable[..., Any], pb: Any, method: str, request_of: Callable[[Any], list[Any]], kind: type, text: str
) -> None:
    with load("Trouble") as trouble:
        with pytest.raises(kind) as raised:
            getattr(trouble, method)(*request_of(pb))
        assert text in str(raised.value)
        with pytest.raises(InstanceLostError, match="no more calls"):
            trouble.Fail(pb.Text(text="x"))


@requirement("wa.sandbox")
def test_a_plugin_that_never_ends_is_stopped(load: Callable[..., Any], pb: Any) -> None:
    with load("Trouble") as trouble, load("Trouble") as other:
        with pytest.raises(TimeLimitError):
            trouble.Spin(timeout=0.2)
        with pytest.raises(GuestError, match="alive"):
            other.Fail(pb.Text(text="alive"))


@requirement("wa.sandbox")
def test_a_plugin_that_hoards_memory_gets_no_more_than_its_limit(load: Callable[..., Any], pb: Any) -> None:
    with load("Trouble", memory_limit=64 << 20) as trouble, pytest.raises(MemoryLimitError):
        trouble.Hoard()


def test_an_exception_of_the_host_ends_the_call_and_is_its_cause(load: Callable[..., Any], pb: Any) -> None:
    with load("Greeter") as greeter:
        with pytest.raises(HostFunctionError, match="nobody is asked that") as raised:
            greeter.GreetInWordsOfTheHost(pb.Text(text="raise"))
        assert isinstance(raised.value.__cause__, ConfigError)
        assert greeter.Greet(pb.Text(text="again")).text == "Hello, again"


def test_answers_of_the_host_do_not_fill_the_memory_of_the_plugin(
    generated: Any, module: Module, hosts: list[Any], pb: Any
) -> None:
    """Upstream's host leaks each of them: 2,000 of 100 kB are 260 MB of linear memory there."""
    instance = module.instantiate(generated.GreeterPlugin.SERVICE, hosts=[host.host_module() for host in hosts])
    with generated.GreeterPlugin(instance) as greeter:
        for _ in range(20):
            assert greeter.Drain(pb.Blobs(count=100, size=100_000)).number == 10_000_000
        assert instance.memory_size < 64 << 20


@requirement("wa.fs")
def test_files_are_there_only_where_they_are_allowed(load: Callable[..., Any], pb: Any, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("content")
    with load("System") as nothing, pytest.raises(GuestError, match="Bad file number"):
        nothing.Read(pb.Text(text="/a"))
    with load("System", dirs=[Preopen(str(tmp_path))]) as reading:
        assert reading.Read(pb.Text(text="/a")).text == "content"
        with pytest.raises(GuestError, match="No such file or directory"):
            reading.Read(pb.Text(text="/../../etc/passwd"))
        with pytest.raises(GuestError, match="not permitted"):
            reading.Write(pb.File(name="/a", content="other"))
    with load("System", dirs=[Preopen(str(tmp_path), "/data", writable=True)]) as writing:
        writing.Write(pb.File(name="/data/b", content="new"))
    assert (tmp_path / "a").read_text() == "content"
    assert (tmp_path / "b").read_text() == "new"


@requirement("wa.stdio", "wa.config")
def test_output_environment_and_arguments_are_what_the_configuration_says(
    load: Callable[..., Any], pb: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "x")
    out: list[bytes] = []
    err: list[bytes] = []
    with load("System", stdout=out.append, stderr=err.append, env={"GREETING": "hi"}, args=["plugin", "-v"]) as system:
        system.Print(pb.File(content="to stdout"))
        system.Print(pb.File(name="stderr", content="to stderr"))
        lines = system.Surroundings()

    assert (b"".join(out), b"".join(err)) == (b"to stdout\n", b"to stderr\n")
    assert dict(lines.environment) == {"GREETING": "hi"}
    assert list(lines.arguments) == ["plugin", "-v"]


@requirement("wa.version")
def test_the_module_says_which_services_it_has(module: Module, generated: Any, hosts: list[Any]) -> None:
    inspection = module.inspect()

    versions = {service.name: service.version for service in inspection.services}
    assert versions == {"greeter": 1, "kinds": 3, "trouble": 1, "system": 1}
    assert ("env", "ask") in inspection.imports
    assert ("words", "count") in inspection.imports
    assert inspection.producers["language"] == ("Go",)
    old = generated.KindsPlugin.SERVICE._replace(version=4)
    with pytest.raises(VersionMismatchError, match="API version mismatch, host: 4, plugin: 3"):
        module.instantiate(old, hosts=[host.host_module() for host in hosts])


def test_a_host_that_does_not_offer_what_the_plugin_imports_is_told_what(module: Module, generated: Any) -> None:
    with pytest.raises(LaunchError, match=r"env.*ask|words.*count|env.*blob"):
        generated.GreeterPlugin.load(module)
