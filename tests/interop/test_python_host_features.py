"""What a host of ours may do with a plugin that a Go host may not, or that the matrix does not ask of it.

The plugin is Go's with the published module, or our own in either runtime.
"""
from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest

from goplugin import (
    Client,
    ClientConfig,
    ConfigError,
    GRPCPlugin,
    IncompatibleVersionError,
    PluginLostError,
    ReattachConfig,
    RemoteError,
    sync,
)
from goplugin.runner import CommandRunner
from goplugin.tls import KeyPair, client_context, server_context
from tests.goplugin.harness import Sink, asynchronous
from tests.goplugin.sync.harness import cleanly
from tests.goplugin.tls_support import HOST, PLUGIN, STRANGER, plugin_files
from tests.support import requirement

from .gopeers import GoPeers
from .matrix_hosts import AsyncMatrixPlugin, MatrixPlugin
from .plugins.matrix import HANDSHAKE

Configure = Callable[..., ClientConfig]

TRANSPORTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "automtls": {"auto_mtls": True},
    "multiplex": {"multiplex": True},
    "both": {"auto_mtls": True, "multiplex": True},
}

@pytest.fixture(params=["sync", "aio", pytest.param("go", marks=pytest.mark.go)])
def command(request: pytest.FixtureRequest) -> Sequence[str]:
    """Of the plugin."""
    if request.param == "go":
        go: GoPeers = request.getfixturevalue("go")
        return [str(go.matrixplugin)]
    return [sys.executable, "-m", "tests.interop.plugins.matrix_served", request.param]


@pytest.fixture
def configure(command: Sequence[str], private_tmpdir: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Configure:
    monkeypatch.setenv("TMPDIR", private_tmpdir["TMPDIR"])

    def configure(plugin: GRPCPlugin, transport: str, **options: Any) -> ClientConfig:
        handshake, sets = HANDSHAKE._replace(protocol_version=1), {"matrix": plugin}
        return ClientConfig(handshake=handshake, command=command, plugins=sets, **TRANSPORTS[transport], **options)

    return configure


def check_sockets(config: ClientConfig) -> None:
    """Our plugins have left no socket. Go's leave those of their brokers, and in multiplexed mode their own."""
    directory = Path(os.environ["TMPDIR"])
    if "python" not in config.command[0]:
        for path in directory.iterdir():
            path.unlink()
    assert os.listdir(directory) == []


# --- where a plugin listens ------------------------------------------------------------------------------------------


@requirement("gp.listen.unix")
@cleanly
def test_a_plugin_whose_host_has_a_long_tmpdir_listens_all_the_same(
    configure: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("x" * 100)
    long.mkdir()
    monkeypatch.setenv("TMPDIR", str(long))
    with sync.Client(configure(MatrixPlugin(), "plain")) as client:
        matrix = client.dispense("matrix")
        assert matrix.call_back(b"text") == b"text"
        assert matrix.offered(b"text") == b"text"
    assert os.listdir(long) == []


# --- reattaching -----------------------------------------------------------------------------------------------------


def reattached(config: ClientConfig, reattach: ReattachConfig) -> ClientConfig:
    return attrs.evolve(config, command=(), reattach=reattach)


@requirement("gp.reattach", "gp.reattach.upgrade")
@cleanly
def test_a_blocking_host_leaves_a_plugin_to_the_next_one(configure: Configure) -> None:
    config = configure(MatrixPlugin(), "plain")
    first = sync.Client(config)
    first.start()
    stdout = Sink()

    with sync.Client(attrs.evolve(reattached(config, first.detach()), sync_stdout=stdout)) as client:
        matrix = client.dispense("matrix")
        assert matrix.call("Echo", b"text") == b"text"
        assert matrix.call_back(b"text") == b"text"
        assert matrix.offered(b"text") == b"text"
        matrix.call("Print", b"stdout for the next host\n")
        stdout.wait("for the next host\n")

    assert client.exited
    assert first.id == client.id
    check_sockets(config)


@requirement("gp.reattach", "gp.reattach.upgrade")
@asynchronous
async def test_an_asyncio_host_leaves_a_plugin_to_the_next_one(configure: Configure) -> None:
    config = configure(AsyncMatrixPlugin(), "plain")
    first = Client(config)
    await first.start()
    stdout = Sink()

    async with Client(attrs.evolve(reattached(config, await first.detach()), sync_stdout=stdout)) as client:
        matrix = await client.dispense("matrix")
        assert await matrix.call("Echo", b"text") == b"text"
        assert await matrix.call_back(b"text") == b"text"
        assert await matrix.offered(b"text") == b"text"
        await matrix.call("Print", b"stdout for the next host\n")
        await stdout.wait_for("for the next host\n")

    assert client.exited
    check_sockets(config)


# --- run elsewhere ---------------------------------------------------------------------------------------------------

ROOT = Path(__file__).parents[2]


class Elsewhere(CommandRunner):
    """Runs the plugin as a child of a shell, in a directory where its sockets have names without a path."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], directory: str) -> None:
        shell = ["/bin/sh", "-c", 'cd "$0" && "$@"; exit $?', directory, *command]
        super().__init__(shell, {**environment, "PLUGIN_UNIX_SOCKET_DIR": ".", "PYTHONPATH": str(ROOT)})
        self._directory = directory

    def plugin_to_host(self, network: str, address: str) -> tuple[str, str]:
        assert not os.path.isabs(address)
        return network, os.path.join(self._directory, address)

    def host_to_plugin(self, network: str, address: str) -> tuple[str, str]:
        return network, os.path.relpath(address, self._directory)


def elsewhere(config: ClientConfig) -> ClientConfig:
    return attrs.evolve(
        config, command=(), runner=lambda environment, directory: Elsewhere(config.command, environment, directory)
    )


@requirement("gp.runner")
@pytest.mark.parametrize("transport", ["plain", "automtls"])
@cleanly
def test_a_blocking_host_may_run_its_plugin_elsewhere(configure: Configure, transport: str) -> None:
    with sync.Client(elsewhere(configure(MatrixPlugin(), transport))) as client:
        matrix = client.dispense("matrix")
        assert matrix.call_back(b"text") == b"text"
        assert matrix.offered(b"text") == b"text"
        assert client.reattach_config() is None
        with pytest.raises(ConfigError):
            client.detach()

    assert client.exit_code == 0
    assert os.listdir(os.environ["TMPDIR"]) == []


@requirement("gp.runner")
@pytest.mark.parametrize("transport", ["plain", "multiplex"])
@asynchronous
async def test_an_asyncio_host_may_run_its_plugin_elsewhere(configure: Configure, transport: str) -> None:
    async with Client(elsewhere(configure(AsyncMatrixPlugin(), transport))) as client:
        matrix = await client.dispense("matrix")
        assert await matrix.call_back(b"text") == b"text"
        assert await matrix.offered(b"text") == b"text"

    assert client.exit_code == 0
    assert os.listdir(os.environ["TMPDIR"]) == []


@requirement("gp.runner", "gp.kill")
@asynchronous
async def test_a_plugin_elsewhere_is_killed_with_what_runs_it(configure: Configure) -> None:
    client = Client(elsewhere(configure(AsyncMatrixPlugin(), "plain")))
    await client.start()
    await client.kill(grace=0.0)

    assert client.exited
    assert os.listdir(os.environ["TMPDIR"]) == []


# --- TLS of one's own ------------------------------------------------------------------------------------------------


@pytest.fixture
def secured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., ClientConfig]:
    """A host that trusts PLUGIN, and its plugin in a runtime, which trusts HOST."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    files = plugin_files(tmp_path)

    def secured(plugin: GRPCPlugin, runtime: str, host: KeyPair = HOST, **options: Any) -> ClientConfig:
        contexts = {
            "tls": client_context(host, PLUGIN.certificate),
            "serve_tls": server_context(host, PLUGIN.certificate),
        }
        return ClientConfig(
            handshake=HANDSHAKE._replace(protocol_version=1),
            command=[sys.executable, "-m", "tests.interop.plugins.matrix_served", runtime, *files],
            plugins={"matrix": plugin},
            **(contexts | options),
        )

    return secured


RUNTIMES = pytest.mark.parametrize("runtime", ["sync", "aio"])
EACH_WAY = pytest.mark.parametrize("multiplex", [False, True], ids=["plain", "multiplex"])
REFUSAL = "remote error: tls: unknown certificate authority"


@requirement("gp.tls.user")
@RUNTIMES
@EACH_WAY
@cleanly
def test_a_blocking_host_may_have_tls_of_its_own(secured: Configure, runtime: str, multiplex: bool) -> None:
    with sync.Client(secured(MatrixPlugin(), runtime, multiplex=multiplex)) as client:
        matrix = client.dispense("matrix")
        assert matrix.call("Echo", b"text") == b"text"
        assert matrix.call_back(b"text") == b"text"
        assert matrix.offered(b"text") == b"text"


@requirement("gp.tls.user")
@RUNTIMES
@EACH_WAY
@asynchronous
async def test_an_asyncio_host_may_have_tls_of_its_own(secured: Configure, runtime: str, multiplex: bool) -> None:
    async with Client(secured(AsyncMatrixPlugin(), runtime, multiplex=multiplex)) as client:
        matrix = await client.dispense("matrix")
        assert await matrix.call("Echo", b"text") == b"text"
        assert await matrix.call_back(b"text") == b"text"
        assert await matrix.offered(b"text") == b"text"


@requirement("gp.tls.user")
@EACH_WAY
@cleanly
def test_a_blocking_host_hears_that_it_is_a_stranger(secured: Configure, multiplex: bool) -> None:
    with sync.Client(secured(GRPCPlugin(), "sync", STRANGER, multiplex=multiplex)) as client:
        with pytest.raises(PluginLostError, match=REFUSAL):
            client.ping(timeout=5.0)
        client.kill(grace=0.0)


@requirement("gp.tls.user")
@EACH_WAY
@asynchronous
async def test_an_asyncio_host_hears_that_it_is_a_stranger(secured: Configure, multiplex: bool) -> None:
    async with Client(secured(GRPCPlugin(), "sync", STRANGER, multiplex=multiplex)) as client:
        with pytest.raises(PluginLostError, match=REFUSAL):
            await client.ping(timeout=5.0)
        await client.kill(grace=0.0)


@requirement("gp.tls.auto", "gp.tls.user")
@RUNTIMES
@cleanly
def test_a_blocking_host_with_automtls_refuses_a_plugin_with_tls_of_its_own(secured: Configure, runtime: str) -> None:
    with sync.Client(secured(GRPCPlugin(), runtime, auto_mtls=True)) as client:
        with pytest.raises(PluginLostError, match="x509: certificate signed by unknown authority"):
            client.ping(timeout=5.0)
        client.kill(grace=0.0)


@requirement("gp.tls.auto", "gp.tls.user")
@RUNTIMES
@asynchronous
async def test_an_asyncio_host_with_automtls_refuses_a_plugin_with_tls_of_its_own(
    secured: Configure, runtime: str
) -> None:
    async with Client(secured(GRPCPlugin(), runtime, auto_mtls=True)) as client:
        with pytest.raises(PluginLostError, match="handshake failed: tls: failed to verify certificate"):
            await client.ping(timeout=5.0)
        await client.kill(grace=0.0)


@requirement("gp.tls.user")
@RUNTIMES
@cleanly
def test_a_host_that_was_given_no_certificate_to_serve_with_serves_nobody(secured: Configure, runtime: str) -> None:
    with sync.Client(secured(MatrixPlugin(), runtime, serve_tls=None)) as client:
        matrix = client.dispense("matrix")
        assert matrix.offered(b"text") == b"text"
        with pytest.raises(RemoteError, match="handshake failure"):
            matrix.call_back(b"text")


# --- the plugin's own version ----------------------------------------------------------------------------------------


@requirement("gp.version.semantic")
@cleanly
def test_a_plugin_that_has_no_version_does_not_do_for_a_host_that_requires_one(configure: Configure) -> None:
    config = configure(GRPCPlugin(), "plain", require_version=">= 1.2, < 2.0")

    with pytest.raises(IncompatibleVersionError, match=r"it has no version, and this host requires >= 1.2, < 2.0$"):
        sync.Client(config).start()
