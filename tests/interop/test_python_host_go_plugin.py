"""goplugin's client, and the host program, with plugins made of the published go-plugin module."""
from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
import time
from pathlib import Path

import anyio
import pytest

from goplugin import Client, ClientConfig, Code, IncompatibleVersionError, PluginLostError, RemoteError
from jsbridge.contract import DISPENSE_NAME, HANDSHAKE, InvokeRequest
from jsbridge.manifest import validate_manifest
from jsbridge.plugin import JSModulePlugin, RemoteModule
from tests.support import requirement

from .echo_rules import GRACE_MS, MEBIBYTE, VALUES
from .gopeers import GoPeers
from .plugins import kv

pytestmark = [pytest.mark.go, pytest.mark.anyio, requirement("gp.cross-language")]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Sink(io.BytesIO):
    """A binary file that can be waited on."""

    def __init__(self) -> None:
        super().__init__()
        self._written = anyio.Event()

    def write(self, data: object) -> int:
        self._written.set()
        return super().write(data)  # type: ignore[arg-type]  # bytes, as every binary file takes

    async def wait_for(self, text: bytes) -> None:
        with anyio.fail_after(5.0):
            while text not in self.getvalue():
                await self._written.wait()
                self._written = anyio.Event()


@pytest.fixture
def config(go: GoPeers) -> ClientConfig:
    return ClientConfig(handshake=HANDSHAKE, plugins={DISPENSE_NAME: JSModulePlugin()}, command=[str(go.jsplugin)])


async def module_of(client: Client) -> RemoteModule:
    module = await client.dispense(DISPENSE_NAME)
    assert isinstance(module, RemoteModule)
    return module


async def invoke(client: Client, export: str, *args: object, within: float = 5.0) -> object:
    name, _, method = export.partition(".")
    request = InvokeRequest(export_name=name, method_name=method, args=args)
    module = await module_of(client)
    return (await module.invoke(request, timeout=within)).result


async def test_the_manifest_of_a_go_plugin_is_valid(config: ClientConfig) -> None:
    async with Client(config) as client:
        manifest = await (await module_of(client)).get_manifest(timeout=5.0)

    validate_manifest(manifest)
    assert (manifest.module_name, manifest.version) == ("plugin:echo", "v1")
    assert [export.name for export in manifest.exports][:3] == ["ping", "pid", "math"]
    assert [method.name for method in manifest.exports[2].method_specs] == ["add"]


async def test_a_value_comes_back_as_it_was(config: ClientConfig) -> None:
    async with Client(config) as client:
        assert [await invoke(client, "ping", value) for value in VALUES] == VALUES
        assert await invoke(client, "math.add", 2, 0.5) == 2.5


async def test_go_tells_special_numbers_by_name(config: ClientConfig) -> None:
    async with Client(config) as client:
        assert await invoke(client, "ping", float("nan")) == "NaN"
        assert await invoke(client, "ping", [float("-inf")]) == ["-Infinity"]


@pytest.mark.parametrize("text", ["no such luck", "", "two\nlines", "h\u00e9 100%"])
async def test_an_error_of_the_plugin_keeps_code_and_text(config: ClientConfig, text: str) -> None:
    async with Client(config) as client:
        with pytest.raises(RemoteError) as plain:
            await invoke(client, "fail", text)
        with pytest.raises(RemoteError) as status:
            await invoke(client, "status", text)

    assert (plain.value.code, plain.value.message) == (Code.UNKNOWN, text)
    assert (status.value.code, status.value.message) == (Code.NOT_FOUND, text)


@requirement("jm.timeouts")
async def test_a_call_that_ran_out_of_time_leaves_the_plugin_usable(config: ClientConfig) -> None:
    async with Client(config) as client:
        with pytest.raises(RemoteError) as caught:
            await invoke(client, "sleep", 60_000, within=0.05)

        assert caught.value.code is Code.DEADLINE_EXCEEDED
        assert await invoke(client, "ping", "still here") == "still here"


@requirement("jm.timeouts")
async def test_the_deadline_of_a_call_reaches_the_plugin(config: ClientConfig) -> None:
    async with Client(config) as client:
        remaining = await invoke(client, "deadline", within=5.0)

    assert isinstance(remaining, float)
    assert 0 < remaining <= 5000


@requirement("gp.grpc.limits")
async def test_a_result_may_be_larger_than_grpcs_default_limit(config: ClientConfig) -> None:
    async with Client(config) as client:
        assert await invoke(client, "big", 5 * MEBIBYTE) == "x" * (5 * MEBIBYTE)


async def test_a_go_plugin_refuses_an_argument_above_grpcs_default_limit(config: ClientConfig) -> None:
    async with Client(config) as client:
        with pytest.raises(RemoteError, match="received message larger than max") as caught:
            await invoke(client, "ping", "x" * (5 * MEBIBYTE))

        assert caught.value.code is Code.RESOURCE_EXHAUSTED
        assert await invoke(client, "ping", "still here") == "still here"


@requirement("gp.grpc.stdio")
async def test_what_a_go_plugin_prints_reaches_the_sinks(go: GoPeers) -> None:
    stdout, stderr = Sink(), Sink()
    config = ClientConfig(
        handshake=HANDSHAKE,
        plugins={DISPENSE_NAME: JSModulePlugin()},
        command=[str(go.jsplugin)],
        sync_stdout=stdout,
        sync_stderr=stderr,
    )
    async with Client(config) as client:
        await invoke(client, "print", "x" * 3000 + "\n", "to stderr\n")
        await stdout.wait_for(b"\n")
        await stderr.wait_for(b"\n")

    assert (stdout.getvalue(), stderr.getvalue()) == (b"x" * 3000 + b"\n", b"to stderr\n")


@requirement("gp.log.structured")
async def test_what_a_go_plugin_logs_reaches_the_logger(config: ClientConfig, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "plugin")
    async with Client(config) as client:
        await invoke(client, "log", "warn", "a <message>")

    record = next(record for record in caplog.records if "a <message>" in record.getMessage())
    assert record.levelno == logging.WARNING
    assert record.name.startswith("plugin.jsplugin")


async def test_a_go_plugin_sees_the_environment_of_the_protocol(go: GoPeers) -> None:
    config = ClientConfig(
        handshake=HANDSHAKE,
        plugins={DISPENSE_NAME: JSModulePlugin()},
        command=[str(go.jsplugin)],
        env={"ONLY_FOR_THIS_PLUGIN": "yes"},
    )
    names = ["GO_GO_GOJA_PLUGIN", "PLUGIN_MIN_PORT", "PLUGIN_MAX_PORT", "PLUGIN_PROTOCOL_VERSIONS"]
    async with Client(config) as client:
        assert [await invoke(client, "env", name) for name in names] == ["js-module", "10000", "25000", "1"]
        assert await invoke(client, "env", "ONLY_FOR_THIS_PLUGIN") == "yes"
        assert await invoke(client, "env", "PLUGIN_CLIENT_CERT") is None


@requirement("gp.kill", "gp.exited", "gp.grpc.health")
async def test_a_go_plugin_ends_at_once_when_asked_to(config: ClientConfig) -> None:
    client = Client(config)
    handshake = await client.start()
    await client.ping(timeout=5.0)
    assert (client.negotiated_version, client.protocol, client.exited) == (1, "grpc", False)
    assert await invoke(client, "pid") == int(client.id)

    start = time.monotonic()
    await client.kill()

    assert (time.monotonic() - start) * 1000 < GRACE_MS
    assert client.exited
    assert not await anyio.Path(handshake.address).exists()


@requirement("gp.crash")
async def test_the_crash_of_a_go_plugin_is_an_error_of_the_call(config: ClientConfig) -> None:
    async with Client(config) as client:
        for _ in range(2):
            with pytest.raises(PluginLostError) as caught:
                await invoke(client, "crash")
            assert caught.value.code is Code.UNAVAILABLE
        with pytest.raises(PluginLostError):
            await client.ping(timeout=5.0)


# --- the key-value example -------------------------------------------------------------------------------------------


def kv_config(go: GoPeers, *, offered: list[int], served: str) -> ClientConfig:
    return ClientConfig(
        handshake=kv.HANDSHAKE,
        versioned_plugins=kv.plugin_sets(offered),
        command=[str(go.kvplugin), "-versions", served],
    )


@requirement("gp.version.sets")
async def test_both_sides_agree_on_the_highest_common_version(go: GoPeers) -> None:
    async with Client(kv_config(go, offered=[2, 1, 4], served="3,1,2")) as client:
        store = await client.dispense("kv")
        assert isinstance(store, kv.KVStub)

        await store.put(kv.Message(b"key", b"value"))

        assert client.negotiated_version == 2
        assert await store.get(kv.Message(b"version")) == kv.Message(b"2")
        assert await store.get(kv.Message(b"key")) == kv.Message(b"value")


@requirement("gp.version.human")
async def test_a_go_plugin_without_a_common_version_is_refused_and_leaves_nothing(
    go: GoPeers, private_tmpdir: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", private_tmpdir["TMPDIR"])
    client = Client(kv_config(go, offered=[7], served="2,3"))

    with pytest.raises(IncompatibleVersionError) as caught:
        await client.start()

    assert "incompatible API version with plugin. Plugin version: 2, Client versions: [7]" in str(caught.value)
    assert client.exited
    assert os.listdir(private_tmpdir["TMPDIR"]) == []  # not the socket either, though the plugin was killed


# --- the product -----------------------------------------------------------------------------------------------------


def test_javascript_requires_a_go_plugin(go: GoPeers, tmp_path: Path) -> None:
    (tmp_path / "goja-plugin-echo").symlink_to(go.jsplugin)
    code = """
        const echo = require("plugin:echo");
        let failure;
        try { echo.status("no such key"); } catch (error) { failure = [error.code, error.message]; }
        JSON.stringify([echo.ping({a: [1, null]}), echo.math.add(2, 3), failure]);
    """
    command = [sys.executable, "-m", "host", "--plugin-dir", str(tmp_path), "--json", "eval", code]

    ended = subprocess.run(command, stdout=subprocess.PIPE, text=True)

    failure = ["NotFound", "rpc error: code = NotFound desc = no such key"]
    assert (ended.returncode, json.loads(json.loads(ended.stdout))) == (0, [{"a": [1, None]}, 5, failure])
