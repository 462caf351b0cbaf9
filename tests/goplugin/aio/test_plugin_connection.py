"""What an asyncio host has of a plugin, without its process: over sockets of this one."""
from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from goplugin.aio.broker_plain import PlainBroker
from goplugin.aio.plugin_connection import PluginConnection, connect
from goplugin.aio.plugin_server import serve_on
from goplugin.aio.services import BrokerService
from goplugin.core.environ import PluginEnvironment
from goplugin.core.errors import PluginLostError
from goplugin.core.handshake import HandshakeLine
from goplugin.endpoint import Endpoint, HostCredentials
from goplugin.reach import Reach
from goplugin.transport import listen

from ..harness import asynchronous, probe_config
from .support import Note, Probe, ProbeStub


def endpoint(path: str, *, multiplex: bool = False, directory: str | None = None) -> Endpoint:
    line = HandshakeLine(1, 1, "unix", path, "grpc", multiplex=multiplex)
    return Endpoint(line, HostCredentials(probe_config()), None, PluginEnvironment(socket_dir=directory))


async def echo(stream: Any) -> None:
    await stream.send_message(await stream.recv_message())


@contextlib.asynccontextmanager
async def plugin(tmp_path: Path) -> AsyncIterator[tuple[PluginConnection, PlainBroker]]:
    """A connection to a server with a broker, and that broker."""
    environment = PluginEnvironment(socket_dir=str(tmp_path))
    broker = PlainBroker(Reach(environment))
    with listen(environment) as listener:
        server = await serve_on(listener.socket, [BrokerService(broker), Probe(unary=echo)])
        connection = await connect(endpoint(listener.address, directory=str(tmp_path)))
        try:
            yield connection, broker
        finally:
            await connection.close()
            await broker.close()
            await server.end(1.0)


@asynchronous
async def test_the_broker_is_made_when_it_is_asked_for_and_there_is_one(tmp_path: Path) -> None:
    async with plugin(tmp_path) as (connection, other):
        assert connection.broker is connection.broker
        async with other.accept_and_serve(1, [Probe(unary=echo)]), await connection.broker.dial(1) as channel:
            assert (await ProbeStub(channel).Unary(Note(text="hello"))).text == "hello"


@asynchronous
async def test_after_the_end_there_is_no_broker(tmp_path: Path) -> None:
    async with plugin(tmp_path) as (connection, _):
        broker = connection.broker
        await connection.end_broker()

        with pytest.raises(PluginLostError, match="broker closed"):
            await broker.dial(1)
        with pytest.raises(PluginLostError, match="broker closed"):
            _ = connection.broker
        assert (await ProbeStub(connection.channel).Unary(Note(text="hello"))).text == "hello"


@asynchronous
async def test_a_multiplexed_connection_to_nobody_fails_at_once(tmp_path: Path) -> None:
    with pytest.raises(PluginLostError, match=r"dial unix .*/none: No such file or directory$"):
        await connect(endpoint(f"{tmp_path}/none", multiplex=True))
