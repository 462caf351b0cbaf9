"""Serving in the test's own loop; what plugin processes do is in ../test_server.py."""
from __future__ import annotations

import asyncio
import os

import pytest

from goplugin import ConfigError, GRPCPlugin, GRPCServer, ServeConfig, serve_test
from goplugin.core.messages import SHUTDOWN_PATH, Empty
from goplugin.core.reattach import ReattachConfig
from goplugin.grpc import channel_to, unary_unary
from goplugin.plugin import Method, Streams
from tests.support import requirement

from ..harness import SECONDS, asynchronous
from ..plugins.contract import ASYNC_PATH, ECHO_PATH, HANDSHAKE, Text


class Echo:
    """A plain method and a coroutine."""

    def __mapping__(self) -> dict[str, Method]:
        return {
            ECHO_PATH: Method(self.echo, Streams(), Text, Text),
            ASYNC_PATH: Method(self.echo_async, Streams(), Text, Text),
        }

    def echo(self, request: Text, context: object) -> Text:
        return request

    async def echo_async(self, stream: object) -> None:
        await stream.send_message(await stream.recv_message())


class EchoPlugin(GRPCPlugin):
    def grpc_server(self, server: GRPCServer) -> None:
        server.add_service(Echo())


CONFIG = ServeConfig(handshake=HANDSHAKE._replace(protocol_version=3), plugins={"probe": EchoPlugin()})


async def echo(reattach: ReattachConfig, path: str = ECHO_PATH) -> str:
    channel = channel_to(reattach.network, reattach.address)
    try:
        return (await unary_unary(channel, path, Text("hello"), Text, timeout=SECONDS)).text
    finally:
        channel.close()


@requirement("gp.test-mode")
@asynchronous
async def test_a_test_reaches_what_it_serves_itself() -> None:
    async with serve_test(CONFIG) as reattach:
        assert reattach == ReattachConfig(
            "unix", reattach.address, os.getpid(), protocol="grpc", protocol_version=3, test=True
        )
        assert [await echo(reattach, path) for path in (ECHO_PATH, ASYNC_PATH)] == ["hello", "hello"]


@requirement("gp.test-mode")
@asynchronous
async def test_at_the_end_nobody_listens_any_more() -> None:
    async with serve_test(CONFIG) as reattach:
        pass

    assert not await asyncio.to_thread(os.path.exists, reattach.address)


@requirement("gp.test-mode")
@asynchronous
async def test_a_shutdown_is_told_and_ends_nothing_before_the_context_does() -> None:
    shutdown = asyncio.Event()
    async with serve_test(CONFIG, on_shutdown=shutdown.set) as reattach:
        channel = channel_to(reattach.network, reattach.address)
        await unary_unary(channel, SHUTDOWN_PATH, Empty(), Empty, timeout=SECONDS)
        channel.close()

        await shutdown.wait()
        assert await echo(reattach) == "hello"


@requirement("gp.test-mode")
@asynchronous
async def test_a_cancelled_test_ends_what_it_serves() -> None:
    started = asyncio.Event()

    async def body() -> None:
        async with serve_test(CONFIG):
            started.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(body())
    await started.wait()
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


@asynchronous
async def test_a_broker_for_plain_methods_is_refused() -> None:
    class PlainPlugin(GRPCPlugin):
        def grpc_server(self, server: GRPCServer) -> None:
            assert server.sync_broker

    with pytest.raises(ConfigError, match="sync_broker is for plain methods"):
        async with serve_test(CONFIG._replace(plugins={"probe": PlainPlugin()})):
            pass
