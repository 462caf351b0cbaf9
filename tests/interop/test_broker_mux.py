"""Brokers in multiplexed mode, each runtime's with the other's and with the published go-plugin module's.

Every plugin is a process, as its author writes it; the hosts are put together by hand, before any client is about them.
"""
from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from goplugin.aio.broker_mux import MultiplexedBroker as AsyncMultiplexedBroker
from goplugin.aio.broker_mux import connect_session as connect_session_async
from goplugin.core.environ import host_environment
from goplugin.core.errors import PluginLostError
from goplugin.core.handshake import HandshakeLine, parse_handshake
from goplugin.core.messages import SHUTDOWN_PATH, STREAM_STDIO_PATH, Empty, StdioData
from goplugin.grpc import unary_unary
from goplugin.sync.broker_mux import MultiplexedBroker, connect_session
from goplugin.tls import client_context, make_certificate, server_context
from tests.support import requirement

from .driver import GoHost
from .gopeers import GoPeers
from .plugins.matrix import HANDSHAKE, AsyncMatrix, Matrix

HOST = make_certificate(time.time())
SECONDS = 10.0
LARGE = b"x" * (5 << 20)
ANSWERS = 5

TLS = pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
PLUGINS = pytest.mark.parametrize("peer", ["sync", "aio", pytest.param("go", marks=pytest.mark.go)])


def python_plugin(runtime: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "tests.interop.plugins.matrix_served", runtime)


class Plugin(NamedTuple):
    """A plugin that was told to multiplex; `own` is the host's certificate if there is TLS."""

    process: subprocess.Popen[bytes]
    line: HandshakeLine


Launch = Callable[[str, bool], Plugin]


@pytest.fixture
def launch(request: pytest.FixtureRequest, private_tmpdir: dict[str, str]) -> Iterator[Launch]:
    """Gives a plugin: that of a runtime, or the one in Go; all have ended by themselves when the test ends."""
    with contextlib.ExitStack() as stack:

        def launch(peer: str, tls: bool) -> Plugin:
            go: GoPeers | None = request.getfixturevalue("go") if peer == "go" else None
            command: Sequence[str | Path] = python_plugin(peer) if go is None else [go.matrixplugin]
            environ = host_environment(
                HANDSHAKE,
                versions=[1],
                multiplex=True,
                client_cert=HOST.pem if tls else None,
                inherited={**os.environ, **private_tmpdir},
                env={},
            )
            process = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            stack.callback(end, process)
            assert process.stdout is not None
            text = process.stdout.readline().decode()
            return Plugin(process, parse_handshake(text, versions=[1], allowed_protocols=["grpc"], multiplex=True))

        yield launch


def end(process: subprocess.Popen[bytes]) -> None:
    with process:
        try:
            assert process.wait(SECONDS) == 0
        finally:
            process.kill()


# --- Python hosts ----------------------------------------------------------------------------------------------------


@requirement("gp.broker.mux", "gp.broker.callback")
@TLS
@PLUGINS
def test_a_blocking_host(launch: Launch, peer: str, tls: bool) -> None:
    plugin = launch(peer, tls)
    line = plugin.line
    server_tls = server_context(HOST, line.server_cert) if tls else None
    client_tls = client_context(HOST, line.server_cert) if tls else None
    broker = MultiplexedBroker(server_tls=server_tls, client_tls=client_tls)
    with contextlib.closing(connect_session(line.network, line.address)) as session:
        broker.start(session)
        with broker.main_channel() as channel, broker.main_channel() as messages:
            broker.open(messages)
            matrix = Matrix(channel, broker)
            assert matrix.call("Echo", b"hi") == b"hi"
            for number in range(ANSWERS):
                assert matrix.call_back(b"back %d" % number) == b"back %d" % number
                assert matrix.offered(b"offered %d" % number) == b"offered %d" % number
            assert matrix.call("Echo", LARGE) == LARGE
            assert matrix.call_back(LARGE) == LARGE
            assert matrix.stream("Join", [b"a", b"b"]) == [b"ab"]
            assert matrix.stream("Split", [b"a\nb"]) == [b"a", b"b"]
            assert matrix.stream("Chat", [b"a", b"b"]) == [b"a", b"b"]
            broker.close()
            with contextlib.suppress(PluginLostError):      # Go ends before it has answered
                channel.unary(SHUTDOWN_PATH, Empty().SerializeToString(), timeout=SECONDS)
            plugin.process.wait(SECONDS)


@pytest.mark.go
def test_a_go_plugin_takes_every_further_stream_for_its_main_server(launch: Launch) -> None:
    line = launch("go", False).line
    broker = MultiplexedBroker()
    with contextlib.closing(connect_session(line.network, line.address)) as session:
        broker.start(session)
        with contextlib.ExitStack() as stack:
            calls, stdio, messages = (stack.enter_context(broker.main_channel()) for _ in range(3))
            broker.open(messages)
            output = stack.enter_context(stdio.open(STREAM_STDIO_PATH))
            output.send(Empty().SerializeToString(), end=True)
            matrix = Matrix(calls, broker)
            assert matrix.call_back(b"x") == b"x"
            matrix.call("Print", b"stdout hello")
            assert StdioData.FromString(output.receive() or b"") == StdioData(1, b"hello")
            broker.close()
            with contextlib.suppress(PluginLostError):
                calls.unary(SHUTDOWN_PATH, Empty().SerializeToString(), timeout=SECONDS)


@requirement("gp.broker.mux", "gp.broker.callback")
@TLS
@PLUGINS
def test_an_asyncio_host(launch: Launch, peer: str, tls: bool) -> None:
    async def main() -> None:
        server_tls = server_context(HOST, line.server_cert) if tls else None
        client_tls = client_context(HOST, line.server_cert) if tls else None
        broker = AsyncMultiplexedBroker(server_tls=server_tls, client_tls=client_tls)
        session = await connect_session_async(line.network, line.address)
        task = broker.start(session)
        async with broker.main_channel() as channel:
            broker.open(channel)
            matrix = AsyncMatrix(channel, broker)
            assert await matrix.call("Echo", b"hi") == b"hi"
            for number in range(ANSWERS):
                assert await matrix.call_back(b"back %d" % number) == b"back %d" % number
                assert await matrix.offered(b"offered %d" % number) == b"offered %d" % number
            assert await matrix.call("Echo", LARGE) == LARGE
            assert await matrix.call_back(LARGE) == LARGE
            assert await matrix.stream("Join", [b"a", b"b"]) == [b"ab"]
            assert await matrix.stream("Split", [b"a\nb"]) == [b"a", b"b"]
            assert await matrix.stream("Chat", [b"a", b"b"]) == [b"a", b"b"]
            await broker.close()
            with contextlib.suppress(PluginLostError):
                await unary_unary(channel, SHUTDOWN_PATH, Empty(), Empty, timeout=SECONDS)
        await asyncio.to_thread(plugin.process.wait, SECONDS)
        session.close()
        await session.wait_closed()
        await task

    plugin = launch(peer, tls)
    line = plugin.line
    asyncio.run(main())


# --- a Go host -------------------------------------------------------------------------------------------------------


@pytest.mark.go
@requirement("gp.broker.mux", "gp.broker.callback")
@TLS
@pytest.mark.parametrize("runtime", ["sync", "aio"])
def test_a_go_host(go: GoPeers, private_tmpdir: dict[str, str], runtime: str, tls: bool) -> None:
    flags = ["-multiplex", *(["-automtls"] if tls else [])]
    with GoHost(go.matrixhost, *python_plugin(runtime), flags=flags, env=private_tmpdir) as host:
        assert host.call("version") == "1"
        for number in range(ANSWERS):
            assert host.call("callback", text=f"back {number}", times=2) == f"back {number}"
            assert host.call("offered", text=f"offered {number}") == f"offered {number}"
        assert host.call("join", texts=["a", "b"]) == ["ab"]
        assert host.call("split", texts=["a\nb"]) == ["a", "b"]
        assert host.call("chat", texts=["a", "b"]) == ["a", "b"]
        assert host.call("echo", size=1 << 20) == 1 << 20
        assert host.kill() < 1000
