"""goplugin.sync's client with plugins made of the published go-plugin module."""
from __future__ import annotations

import io
import os
import subprocess
import sys
import time

import pytest

from goplugin import Code, GRPCClient, GRPCPlugin, IncompatibleVersionError, PluginLostError, PluginSet, RemoteError
from goplugin.sync import Client, ClientConfig, stub
from jsbridge.contract import DISPENSE_NAME, HANDSHAKE, InvokeRequest
from jsbridge.manifest import validate_manifest
from jsbridge.plugin import BlockingModule, JSModulePlugin
from tests.support import requirement

from .echo_rules import MEBIBYTE, VALUES
from .gopeers import GoPeers
from .plugins import kv

pytestmark = [pytest.mark.go, requirement("gp.cross-language")]


@pytest.fixture
def config(go: GoPeers) -> ClientConfig:
    return ClientConfig(handshake=HANDSHAKE, plugins={DISPENSE_NAME: JSModulePlugin()}, command=[str(go.jsplugin)])


def module_of(client: Client) -> BlockingModule:
    module = client.dispense(DISPENSE_NAME)
    assert isinstance(module, BlockingModule)
    return module


def invoke(client: Client, export: str, *args: object, within: float = 5.0) -> object:
    name, _, method = export.partition(".")
    return module_of(client).invoke(InvokeRequest(name, method, args), timeout=within).result


# --- a module of JavaScript's ----------------------------------------------------------------------------------------


def test_a_go_plugin_is_started_called_and_ended(config: ClientConfig) -> None:
    with Client(config) as client:
        client.ping(timeout=5.0)
        manifest = module_of(client).get_manifest(timeout=5.0)
        assert [invoke(client, "ping", value) for value in VALUES] == VALUES
        assert invoke(client, "pid") == int(client.id)
        started = time.monotonic()

    validate_manifest(manifest)
    assert client.exit_code == 0
    assert time.monotonic() - started < 1.5  # it did as it was told


def test_an_error_of_the_plugin_keeps_code_and_text(config: ClientConfig) -> None:
    with Client(config) as client:
        with pytest.raises(RemoteError) as plain:
            invoke(client, "fail", "no such luck")
        with pytest.raises(RemoteError) as status:
            invoke(client, "status", "h\u00e9 100%")

    assert (plain.value.code, plain.value.message) == (Code.UNKNOWN, "no such luck")
    assert (status.value.code, status.value.message) == (Code.NOT_FOUND, "h\u00e9 100%")


@requirement("jm.timeouts")
@pytest.mark.parametrize("seconds", [0.02, 0.05, 0.1])
def test_a_call_that_ran_out_of_time_says_so_whoever_notices_first(config: ClientConfig, seconds: float) -> None:
    with Client(config) as client:
        for _ in range(10):
            with pytest.raises(RemoteError) as caught:
                invoke(client, "sleep", 60_000, within=seconds)
            assert (caught.value.code, caught.value.message) == (Code.DEADLINE_EXCEEDED, "context deadline exceeded")
        assert invoke(client, "ping", "still here") == "still here"


@requirement("gp.grpc.limits")
def test_a_result_may_be_larger_than_grpcs_default_limit(config: ClientConfig) -> None:
    with Client(config) as client:
        assert invoke(client, "big", 5 * MEBIBYTE) == "x" * (5 * MEBIBYTE)


@requirement("gp.grpc.stdio")
def test_what_a_go_plugin_prints_reaches_the_sinks(go: GoPeers) -> None:
    stdout, stderr = io.BytesIO(), io.BytesIO()
    config = ClientConfig(
        handshake=HANDSHAKE,
        plugins={DISPENSE_NAME: JSModulePlugin()},
        command=[str(go.jsplugin)],
        sync_stdout=stdout,
        sync_stderr=stderr,
    )
    with Client(config) as client:
        invoke(client, "print", "x" * 3000 + "\n", "to stderr\n")
        deadline = time.monotonic() + 5.0
        while not (stdout.getvalue().endswith(b"\n") and stderr.getvalue().endswith(b"\n")):
            assert time.monotonic() < deadline
            time.sleep(0.01)

    assert (stdout.getvalue(), stderr.getvalue()) == (b"x" * 3000 + b"\n", b"to stderr\n")


@requirement("gp.crash")
def test_a_go_plugin_that_crashes_is_lost(config: ClientConfig) -> None:
    with Client(config) as client:
        for _ in range(2):
            with pytest.raises(PluginLostError):
                invoke(client, "crash")
        with pytest.raises(PluginLostError):
            client.ping(timeout=5.0)


# --- the key-value example -------------------------------------------------------------------------------------------


class KVPlugin(GRPCPlugin):
    """The store `kv` for hosts that block: the stub is the one of those that do not."""

    def grpc_client(self, client: GRPCClient) -> object:
        return stub(lambda channel: kv.KVStub(GRPCClient(channel)), client.channel)


def kv_config(go: GoPeers, *, offered: list[int], served: str) -> ClientConfig:
    sets: dict[int, PluginSet] = {version: {"kv": KVPlugin()} for version in offered}
    return ClientConfig(
        handshake=kv.HANDSHAKE, versioned_plugins=sets, command=[str(go.kvplugin), "-versions", served]
    )


@requirement("gp.version.sets")
def test_both_sides_agree_on_the_highest_common_version(go: GoPeers) -> None:
    with Client(kv_config(go, offered=[2, 1, 4], served="3,1,2")) as client:
        store = client.dispense("kv")

        store.put(kv.Message(b"key", b"value"))

        assert client.negotiated_version == 2
        assert store.get(kv.Message(b"version"), timeout=5.0) == kv.Message(b"2")
        assert store.get(kv.Message(b"key")) == kv.Message(b"value")
        with pytest.raises(RemoteError, match="code = NotFound desc = no such key: other"):
            store.get(kv.Message(b"other"))


@requirement("gp.version.human")
def test_a_go_plugin_without_a_common_version_is_refused_and_leaves_nothing(
    go: GoPeers, private_tmpdir: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", private_tmpdir["TMPDIR"])
    client = Client(kv_config(go, offered=[7], served="2,3"))

    with pytest.raises(IncompatibleVersionError, match=r"Plugin version: 2, Client versions: \[7\]"):
        client.start()

    assert client.exited
    assert os.listdir(private_tmpdir["TMPDIR"]) == []


def test_a_host_that_is_interrupted_leaves_no_go_plugin(go: GoPeers) -> None:
    program = f"""
import sys, threading
from goplugin import HandshakeConfig, GRPCPlugin
from goplugin.sync import Client, ClientConfig
handshake = HandshakeConfig{tuple(kv.HANDSHAKE)!r}
with Client(ClientConfig(handshake=handshake, command=sys.argv[1:], plugins={{"kv": GRPCPlugin()}})) as client:
    print(client.id, flush=True)
    threading.Event().wait()
"""
    with subprocess.Popen(
        [sys.executable, "-c", program, str(go.kvplugin), "-versions", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as host:
        assert host.stdout is not None
        plugin = int(host.stdout.readline())
        os.killpg(host.pid, 2)  # as a terminal's Ctrl-C does
        host.wait(10.0)

    with pytest.raises(ProcessLookupError):
        os.kill(plugin, 0)
