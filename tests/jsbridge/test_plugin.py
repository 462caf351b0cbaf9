"""The contract between processes: a module served by the SDK, called from JavaScript through a blocking client."""
from __future__ import annotations

import base64
import sys
from collections.abc import Iterator
from typing import Any, cast

import pytest

from goplugin.core.errors import RemoteError
from goplugin.sync import Client, ClientConfig
from jsbridge.contract import DISPENSE_NAME, HANDSHAKE, InvokeRequest
from jsbridge.plugin import BlockingModule, JSModulePlugin
from jsbridge.registry import RegisteredModule
from tests.support import requirement

from .scripts import Session

PLUGIN = '''
import hashlib
from jsbridge.sdk import Call, Module, serve_module

module = Module("plugin:binary")
hashes = module.object("hash")

@module.function
def echo(call: Call) -> object:
    return call.value(0)

@module.function
def reverse(data: bytes) -> bytes:
    return data[::-1]

@module.function
def size(call: Call) -> int:
    return len(call.bytes(0))

@hashes.method
def md5(text: str | None = None) -> bytes | None:
    return None if text is None else hashlib.md5(text.encode()).digest()

@module.function
def remaining(call: Call) -> object:
    return call.context.time_remaining()

serve_module(module)
'''


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BlockingModule]:
    path = tmp_path_factory.mktemp("plugin") / "binary.py"
    path.write_text(PLUGIN)
    config = ClientConfig(
        handshake=HANDSHAKE,
        command=(sys.executable, "-m", "goplugin", "run", str(path)),
        plugins={DISPENSE_NAME: JSModulePlugin()},
    )
    with Client(config) as client:
        yield cast("BlockingModule", client.dispense(DISPENSE_NAME))


@pytest.fixture
def script(session: Session, module: BlockingModule) -> Session:
    """A session that knows `binary`, a module in another process."""

    def invoke(export: str, method: str, args: list[Any], timeout: float | None, cancel: object = None) -> Any:
        return module.invoke(InvokeRequest(export, method, tuple(args)), timeout=timeout).result

    session.registry.add(RegisteredModule(module.get_manifest(), "/plugins/binary", invoke))
    session.engine.eval("var binary = require('plugin:binary'); null")
    return session


@requirement("ow.bytes")
def test_bytes_go_to_a_plugin_and_come_back(script: Session) -> None:
    assert script.engine.eval("binary.reverse(new Uint8Array([1, 2, 255])) instanceof Uint8Array") is True
    assert script.engine.eval("binary.reverse(new Uint8Array([1, 2, 255]).buffer).join()") == "255,2,1"
    assert script.engine.eval("binary.size(new Uint8Array(3))") == 3
    assert script.engine.eval("binary.hash.md5('a').length") == 16
    assert script.engine.eval("binary.hash.md5()") is None
    assert script.engine.eval("binary.reverse(binary.reverse(new Uint8Array(300000))).length") == 300_000


@requirement("ow.bytes")
def test_a_promise_of_bytes_is_one_too(script: Session) -> None:
    script.engine.eval("var data; binary.reverse.async(new Uint8Array([1, 255])).then(value => { data = value }); null")

    assert script.engine.eval("data instanceof Uint8Array && data.join()") == "255,1"


@requirement("ow.bytes")
def test_a_host_that_does_not_know_the_capability_gets_base64_text(module: BlockingModule) -> None:
    assert module.invoke(InvokeRequest("reverse", "", ("AAH/",))).result == base64.b64encode(b"\xff\x01\x00").decode()
    assert module.get_manifest().capabilities == ("goplugin.bytes/1:reverse", "goplugin.bytes/1:hash.md5")


@requirement("ow.bytes")
def test_text_that_is_no_base64_is_an_error_in_javascript(script: Session) -> None:
    assert script.error("binary.size('hello')").message.startswith(
        "rpc error: code = Unknown desc = sdk call argument 0 expected bytes, got text that is no base64: "
    )


@requirement("ow.deep")
@pytest.mark.parametrize("wrap", ["[value]", "{a: value}"])
def test_a_value_of_a_thousand_levels_goes_to_a_plugin_and_comes_back(script: Session, wrap: str) -> None:
    script.engine.eval(f"var value = NaN; for (var i = 0; i < 1000; i++) value = {wrap}; null")
    script.engine.eval("var back = binary.echo(value); null")
    script.engine.eval("for (var levels = 0; typeof back === 'object'; levels++) back = Object.values(back)[0]; null")

    assert script.engine.eval("[levels, back !== back]") == [1000, True]


def test_an_error_keeps_its_code(script: Session) -> None:
    error = script.error("binary.echo()")

    assert error.message == "rpc error: code = Unknown desc = sdk call argument 0 out of range (have 0)"
    assert isinstance(error.cause_error, RemoteError)


def test_a_handler_knows_how_long_its_caller_waits(module: BlockingModule) -> None:
    assert 0 < module.invoke(InvokeRequest("remaining"), timeout=30.0).result <= 30
    assert module.invoke(InvokeRequest("remaining")).result is None
