"""TLS in the asyncio runtime: grpclib's own parameters, with our contexts."""
from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from typing import Any

import pytest
from grpclib.config import Configuration
from grpclib.exceptions import StreamTerminatedError

from goplugin import aio
from goplugin.tls import NAME, client_context, explain, server_context

from ..harness import asynchronous
from ..tls_support import EXPIRED, HOST, PLUGIN, STRANGER, without_certificate
from .support import Note, Probe, ProbeStub, socket_path, turns_until

SERVER = server_context(PLUGIN, HOST.pem)
CLIENT = client_context(HOST, PLUGIN.certificate)
CONFIG = Configuration(ssl_target_name_override=NAME)
MEBIBYTE = 1 << 20

# The name in the certificate is checked, whatever the address.
over_either = pytest.mark.parametrize("network", ["unix", "tcp"])


async def echo(stream: Any) -> None:
    await stream.send_message(await stream.recv_message())


@contextlib.asynccontextmanager
async def connected(
    network: str = "unix", *, server: ssl.SSLContext = SERVER, client: ssl.SSLContext = CLIENT
) -> AsyncIterator[ProbeStub]:
    service = aio.Server([Probe(unary=echo)])
    with socket.socket(socket.AF_UNIX if network == "unix" else socket.AF_INET) as sock:
        sock.bind(path := socket_path()) if network == "unix" else sock.bind(("127.0.0.1", 0))
        sock.listen()
        await service.start(sock=sock, ssl=server)
        if network == "unix":
            channel = aio.Channel(path=path, ssl=client, config=CONFIG)
        else:
            channel = aio.Channel(*sock.getsockname(), ssl=client, config=CONFIG)
        try:
            yield ProbeStub(channel)
        finally:
            channel.close()
            service.close()
            await service.wait_closed()
            # A handshake that failed is still a task of asyncio's.
            await turns_until(lambda: len(asyncio.all_tasks()) == 1)


@over_either
@asynchronous
async def test_calls_go_over_tls(network: str) -> None:
    async with connected(network) as stub:
        assert (await stub.Unary(Note(text="one"))).text == "one"
        assert (await stub.Unary(Note(text="two"))).text == "two"


@asynchronous
async def test_large_messages_go_over_tls() -> None:
    text = "x" * (5 * MEBIBYTE)
    async with connected() as stub:
        assert (await stub.Unary(Note(text=text))).text == text


@asynchronous
async def test_many_calls_go_over_one_tls_connection() -> None:
    async with connected() as stub:
        replies = await asyncio.gather(*(stub.Unary(Note(text=str(number))) for number in range(100)))
    assert [reply.text for reply in replies] == [str(number) for number in range(100)]


@over_either
@asynchronous
async def test_a_client_refuses_a_stranger(network: str) -> None:
    async with connected(network, server=server_context(STRANGER, HOST.pem)) as stub:
        with pytest.raises(ssl.SSLCertVerificationError) as caught:
            await stub.Unary(Note())
    assert explain(caught.value) == "tls: failed to verify certificate: x509: certificate signed by unknown authority"


@asynchronous
async def test_a_client_refuses_an_expired_certificate() -> None:
    expired = client_context(HOST, EXPIRED.certificate)
    async with connected(server=server_context(EXPIRED, HOST.pem), client=expired) as stub:
        with pytest.raises(ssl.SSLCertVerificationError) as caught:
            await stub.Unary(Note())
    assert "x509: certificate has expired or is not yet valid" in explain(caught.value)


@pytest.mark.parametrize(
    "client", [client_context(STRANGER, PLUGIN.certificate), without_certificate(PLUGIN)], ids=["stranger", "none"]
)
@asynchronous
async def test_a_server_refuses_a_stranger(client: ssl.SSLContext) -> None:
    async with connected(client=client) as stub, asyncio.timeout(5.0):
        with pytest.raises((OSError, StreamTerminatedError)):
            await stub.Unary(Note())


@asynchronous
async def test_a_client_without_tls_is_refused() -> None:
    service = aio.Server([Probe(unary=echo)])
    path = socket_path()
    await service.start(path=path, ssl=SERVER)
    channel = aio.Channel(path=path)
    async with asyncio.timeout(5.0):
        with pytest.raises((OSError, StreamTerminatedError)):
            await ProbeStub(channel).Unary(Note())
    channel.close()
    service.close()
    await service.wait_closed()
