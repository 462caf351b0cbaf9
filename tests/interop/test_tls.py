"""Our certificates and TLS with those of the published go-plugin module, before any client or server is about them."""
from __future__ import annotations

import contextlib
import os
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from grpclib.client import UnaryUnaryMethod
from grpclib.config import Configuration

from goplugin import aio
from goplugin.core.environ import host_environment
from goplugin.core.errors import PluginLostError
from goplugin.core.handshake import HandshakeLine, parse_handshake
from goplugin.sync.channel import Channel, channel_to
from goplugin.tls import NAME, client_context, make_certificate
from tests.goplugin.tls_support import plugin_files

from .driver import GoHost, HostError, KVHost
from .gopeers import GoPeers
from .plugins.kv import GET, HANDSHAKE, PUT, Message

pytestmark = pytest.mark.go

HOST = make_certificate(time.time())
STRANGER = make_certificate(time.time())


# --- a Go plugin -------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def go_plugin(go: GoPeers, env: dict[str, str], client_cert: str | None = HOST.pem) -> Iterator[HandshakeLine]:
    """What the line of a Go plugin says that was told of this certificate."""
    inherited = {**os.environ, **env}
    environ = host_environment(HANDSHAKE, versions=[1], client_cert=client_cert, inherited=inherited, env={})
    with subprocess.Popen([go.kvplugin], env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline().decode()
            yield parse_handshake(line, versions=[1], allowed_protocols=["grpc"])
        finally:
            process.kill()


def exchange(channel: Channel) -> bytes:
    channel.unary(PUT, Message(b"key", b"value").SerializeToString(), timeout=5.0)
    return Message.FromString(channel.unary(GET, Message(b"key").SerializeToString(), timeout=5.0).message).first


def test_a_go_plugin_trusts_us_and_we_trust_it(go: GoPeers, private_tmpdir: dict[str, str]) -> None:
    with go_plugin(go, private_tmpdir) as line:
        context = client_context(HOST, line.server_cert)
        with contextlib.closing(channel_to(line.network, line.address, tls=context)) as channel:
            assert exchange(channel) == b"value"


@pytest.mark.anyio
async def test_a_go_plugin_trusts_us_in_the_asyncio_runtime_too(go: GoPeers, private_tmpdir: dict[str, str]) -> None:
    with go_plugin(go, private_tmpdir) as line:
        context = client_context(HOST, line.server_cert)
        config = Configuration(ssl_target_name_override=NAME)
        channel = aio.Channel(path=line.address, ssl=context, config=config)
        await UnaryUnaryMethod(channel, PUT, Message, Message)(Message(b"key", b"value"))
        reply = await UnaryUnaryMethod(channel, GET, Message, Message)(Message(b"key"))
        channel.close()
    assert reply.first == b"value"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def test_we_refuse_a_plugin_that_has_not_the_announced_certificate(
    go: GoPeers, private_tmpdir: dict[str, str]
) -> None:
    with go_plugin(go, private_tmpdir) as line:
        context = client_context(HOST, STRANGER.certificate)
        with pytest.raises(PluginLostError, match="x509: certificate signed by unknown authority"):
            channel_to(line.network, line.address, tls=context)


def test_a_go_plugin_refuses_a_stranger_and_we_say_so(go: GoPeers, private_tmpdir: dict[str, str]) -> None:
    with go_plugin(go, private_tmpdir) as line:
        context = client_context(STRANGER, line.server_cert)
        with (
            contextlib.closing(channel_to(line.network, line.address, tls=context)) as channel,
            pytest.raises(PluginLostError, match="error reading from server: remote error: tls: "),
        ):
            exchange(channel)


def test_a_go_plugin_refuses_who_has_no_certificate_and_we_say_so(
    go: GoPeers, private_tmpdir: dict[str, str]
) -> None:
    with go_plugin(go, private_tmpdir) as line:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.set_alpn_protocols(["h2"])
        context.load_verify_locations(cadata=line.server_cert)
        with (
            contextlib.closing(channel_to(line.network, line.address, tls=context)) as channel,
            pytest.raises(PluginLostError, match="remote error: tls: certificate required"),
        ):
            exchange(channel)


def test_we_say_that_a_plugin_does_not_speak_tls(go: GoPeers, private_tmpdir: dict[str, str]) -> None:
    with go_plugin(go, private_tmpdir, None) as line:
        assert line.server_cert is None
        with pytest.raises(PluginLostError, match="first record does not look like a TLS handshake"):
            channel_to(line.network, line.address, tls=client_context(HOST, None))


# --- a Go host ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [
        pytest.param((sys.executable, "-m", "tests.interop.plugins.kv", "1"), id="sync"),
        pytest.param((sys.executable, "-m", "tests.interop.plugins.imperative"), id="aio"),
    ],
)
def test_a_go_host_trusts_us_and_we_trust_it(
    go: GoPeers, private_tmpdir: dict[str, str], command: tuple[str, ...]
) -> None:
    with KVHost(go.kvhost, *command, flags=["-automtls"], env=private_tmpdir) as host:
        host.put("key", "value")
        assert host.get("key") == "value"


def test_a_go_host_refuses_another_certificate_than_it_may_trust(
    go: GoPeers, private_tmpdir: dict[str, str], tmp_path: Path
) -> None:
    command = (sys.executable, "-m", "tests.interop.plugins.matrix_served", "sync", *plugin_files(tmp_path))
    with (
        pytest.raises(HostError, match="x509: certificate signed by unknown authority"),
        GoHost(go.matrixhost, *command, flags=["-automtls"], env=private_tmpdir) as host,
    ):
        host.call("echo", text="x")
