"""The interop matrix: every feature of go-plugin, with every pair of a host and a plugin, over every transport.

Each function here is one row of docs/interop-matrix.md, and each of its cells a test of its own. A plugin is launched
when a cell needs one and there is none, so that cells share those that their predecessors have left alive.
"""
from __future__ import annotations

import os
import re
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from grpclib.exceptions import StreamTerminatedError

from goplugin.core.errors import PluginLostError
from goplugin.core.reattach import ReattachConfig
from tests.goplugin.harness import nothing_left_behind, wait_for_exit
from tests.support import requirement

from .driver import HostError
from .gopeers import GoPeers
from .matrix_hosts import AsyncioHost, BlockingHost, GoMatrixHost, MatrixHost

FIVE_MEBIBYTES = 5 << 20
AT_ONCE_MS = 1000
SHORT_GRACE_MS = 300
HOSTS = {"sync": BlockingHost, "aio": AsyncioHost}

PAIRS = {
    "go-sync": "Go host, blocking plugin",
    "go-aio": "Go host, asyncio plugin",
    "sync-go": "blocking host, Go plugin",
    "aio-go": "asyncio host, Go plugin",
    "sync-sync": "blocking host and plugin",
    "sync-aio": "blocking host, asyncio plugin",
    "aio-sync": "asyncio host, blocking plugin",
    "aio-aio": "asyncio host and plugin",
}
TRANSPORTS = {
    "plain": (),
    "automtls": ("automtls",),
    "multiplexed": ("multiplex",),
    "both": ("automtls", "multiplex"),
}


class Peers(NamedTuple):
    """A host's implementation and a plugin's, that meet over one transport; `go` is there if one of them is Go's."""

    host: str
    plugin: str
    transport: str
    tmpdir: str
    go: GoPeers | None

    def launch(self, *, cookie: str = "hello", lingers: bool = False) -> MatrixHost:
        """A new host with a new plugin, once it is entered; one that `lingers` stays when it has been served."""
        options, env = TRANSPORTS[self.transport], {"LINGERS": "1"} if lingers else {}
        if self.host in HOSTS:
            return HOSTS[self.host](self._command, options, env=env, cookie=cookie)
        assert self.go is not None
        return GoMatrixHost(self.go.matrixhost, self._command, options, env=env, cookie=cookie)

    def reattach(self, running: ReattachConfig) -> MatrixHost:
        """Another host, of a plugin that runs already."""
        options = TRANSPORTS[self.transport]
        if self.host in HOSTS:
            return HOSTS[self.host]((), options, reattach=running)
        assert self.go is not None
        return GoMatrixHost(self.go.matrixhost, (), options, reattach=running)

    @property
    def _command(self) -> tuple[str, ...]:
        if self.plugin == "go":
            assert self.go is not None
            return (str(self.go.matrixplugin), "-versions", "1,2,3")
        return (sys.executable, "-m", "tests.interop.plugins.matrix_served", self.plugin)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((pair, transport), id=f"{pair}-{transport}", marks=[pytest.mark.go] if "go" in pair else [])
        for pair in PAIRS
        for transport in TRANSPORTS
    ],
)
def peers(request: pytest.FixtureRequest) -> Iterator[Peers]:
    pair, transport = request.param
    host, plugin = pair.split("-")
    go: GoPeers | None = request.getfixturevalue("go") if "go" in (host, plugin) else None
    with (
        nothing_left_behind(),
        tempfile.TemporaryDirectory(prefix="m-") as tmpdir,    # Go leaves the sockets of its brokers
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("TMPDIR", tmpdir)
        yield Peers(host, plugin, transport, tmpdir, go)


@pytest.fixture(scope="module")
def shared(peers: Peers) -> Iterator[MatrixHost]:
    """A host with its plugin, for cells that leave both as they were."""
    with peers.launch() as host:
        yield host


# --- calls -----------------------------------------------------------------------------------------------------------


@requirement("gp.cross-language", "ow.sync")
def test_unary_call(shared: MatrixHost) -> None:
    assert shared.call("echo", text="hello") == "hello"
    shared.ping()


def test_client_streaming(shared: MatrixHost) -> None:
    assert shared.call("join", texts=["a", "b", "c"]) == ["abc"]


def test_server_streaming(shared: MatrixHost) -> None:
    assert shared.call("split", texts=["a\nb\nc"]) == ["a", "b", "c"]


def test_bidirectional_streaming(shared: MatrixHost) -> None:
    assert shared.call("chat", texts=["a", "b", "c"]) == ["a", "b", "c"]


@requirement("gp.grpc.limits")
def test_messages_of_five_mebibytes(shared: MatrixHost) -> None:
    assert shared.call("echo", size=FIVE_MEBIBYTES) == FIVE_MEBIBYTES


@requirement("gp.broker.plain", "gp.broker.mux", "gp.broker.callback", "gp.tls.auto")
def test_the_plugin_calls_its_host_back(shared: MatrixHost) -> None:
    for text in ("one", "two"):
        assert shared.call("callback", text=text) == text


@requirement("gp.broker.plain", "gp.broker.mux", "gp.tls.auto")
def test_the_host_dials_what_the_plugin_offers(shared: MatrixHost) -> None:
    for text in ("one", "two"):
        assert shared.call("offered", text=text) == text


@requirement("gp.grpc.stdio")
def test_stdio(shared: MatrixHost) -> None:
    shared.call("print", text="stdout to stdout\n")
    shared.call("print", text="stderr to stderr\n")

    assert shared.stdio(stdout="\n", stderr="\n") == ("to stdout\n", "to stderr\n")


@requirement("gp.version.sets")
def test_the_highest_common_version(shared: MatrixHost) -> None:
    assert (shared.version, shared.call("version")) == (2, "2")


# --- ends ------------------------------------------------------------------------------------------------------------


@requirement("gp.kill")
def test_graceful_kill(peers: Peers) -> None:
    """A plugin with a broker in use ends without waiting for the grace period."""
    before = set(os.listdir(peers.tmpdir))
    with peers.launch() as host:
        host.call("offered", text="x")
        host.call("callback", text="x")

        assert host.kill() < host.grace_ms
        assert wait_for_exit(host.plugin_pid, 0.0)
        assert host.exit_code == (None if peers.host == "go" else 0)
    if peers.plugin != "go":
        assert set(os.listdir(peers.tmpdir)) <= before


def stop(pid: int) -> None:
    """Stop the process, and wait until each of its threads stands still: one may go on for a moment."""
    os.kill(pid, signal.SIGSTOP)
    threads = [path.read_text for path in Path(f"/proc/{pid}/task").glob("*/stat")]
    while any(read().rpartition(")")[2].split()[0] != "T" for read in threads):
        time.sleep(0.001)


@requirement("gp.kill")
def test_kill_of_a_hung_plugin(peers: Peers) -> None:
    """The grace period is waited for, and no longer.

    A Go host waits for the reply to Shutdown without any limit, so one that is to end has to get it.
    """
    with peers.launch(lingers=peers.host == "go") as host:
        host.call("callback", text="x")
        if peers.host != "go":
            host.grace_ms = SHORT_GRACE_MS
            stop(host.plugin_pid)

        assert host.grace_ms <= host.kill() < host.grace_ms + AT_ONCE_MS
        assert wait_for_exit(host.plugin_pid, 0.0)


@requirement("gp.crash")
def test_crash_in_a_call(peers: Peers) -> None:
    """The call fails, the next one too, and the end is at once."""
    before = set(os.listdir(peers.tmpdir))
    with peers.launch() as host:
        with pytest.raises(HostError) as of_the_call:
            host.call("exit", text="3")
        with pytest.raises(HostError) as of_the_next:
            host.ping()

        assert host.kill() < AT_ONCE_MS
        assert wait_for_exit(host.plugin_pid, 0.0)
        assert host.exit_code == (None if peers.host == "go" else 3)
    if peers.host != "go":
        assert isinstance(of_the_call.value.__cause__, PluginLostError | StreamTerminatedError)
        assert isinstance(of_the_next.value.__cause__, PluginLostError)
        assert peers.plugin == "go" or set(os.listdir(peers.tmpdir)) <= before


@requirement("gp.cookie")
def test_wrong_cookie(peers: Peers) -> None:
    """The plugin refuses to serve, and the host says so."""
    with pytest.raises(HostError) as caught, peers.launch(cookie="something else"):
        pass

    assert re.search("Unrecognized remote|Failed to read any lines|exited before we could", str(caught.value))


# --- other hosts -----------------------------------------------------------------------------------------------------


@requirement("gp.reattach")
def test_reattach(peers: Peers) -> None:
    """With AutoMTLS or multiplexing it is refused: no other host has the keys, or the one connection."""
    with peers.launch() as first:
        if peers.transport == "plain":
            assert echo_of_another_host(peers, first) == "hello"
        else:
            with pytest.raises(HostError):      # of a Go host with AutoMTLS not before it calls: it speaks without TLS
                echo_of_another_host(peers, first)
        assert first.call("echo", text="still here") == "still here"


def echo_of_another_host(peers: Peers, first: MatrixHost) -> str:
    with peers.reattach(first.running) as second:
        try:
            return second.call("echo", text="hello")
        finally:
            second.detach()
