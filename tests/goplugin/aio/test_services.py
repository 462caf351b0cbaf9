"""The services that every plugin carries, over a real socket."""
from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from goplugin.aio.plugin_server import serve_on
from goplugin.aio.services import ControllerService, HealthService, StdioService
from goplugin.core.environ import PluginEnvironment
from goplugin.core.errors import PluginLostError, RemoteError
from goplugin.core.messages import (
    HEALTH_CHECK_PATH,
    HEALTH_WATCH_PATH,
    SHUTDOWN_PATH,
    STDERR,
    STDOUT,
    STREAM_STDIO_PATH,
    Empty,
    HealthCheckRequest,
    HealthCheckResponse,
    StdioData,
)
from goplugin.core.status import Code
from goplugin.grpc import Channel, channel_to, unary_stream, unary_unary
from goplugin.plugin import Servicer
from goplugin.stdio import OutputBuffer
from goplugin.transport import listen
from tests.support import requirement

from ..harness import SECONDS, asynchronous, wait_until

SERVING = HealthCheckResponse(HealthCheckResponse.SERVING)
SERVICE_UNKNOWN = HealthCheckResponse(HealthCheckResponse.SERVICE_UNKNOWN)


@contextlib.asynccontextmanager
async def serving(*servicers: Servicer) -> AsyncIterator[Channel]:
    with listen(PluginEnvironment()) as listener:
        server = await serve_on(listener.socket, servicers)
        channel = channel_to(listener.network, listener.address)
        try:
            yield channel
        finally:
            channel.close()
            await server.end(1.0)


# --- health ------------------------------------------------------------------------------------------------------


@requirement("gp.grpc.health")
@pytest.mark.parametrize("service", ["plugin", ""])
@asynchronous
async def test_the_plugin_and_the_server_are_serving(service: str) -> None:
    async with serving(HealthService()) as channel:
        reply = await unary_unary(channel, HEALTH_CHECK_PATH, HealthCheckRequest(service), HealthCheckResponse)

    assert reply == SERVING


@requirement("gp.grpc.health")
@asynchronous
async def test_any_other_service_is_not_found() -> None:
    async with serving(HealthService()) as channel:
        with pytest.raises(RemoteError) as caught:
            await unary_unary(channel, HEALTH_CHECK_PATH, HealthCheckRequest("other"), HealthCheckResponse)

    assert (caught.value.code, caught.value.message) == (Code.NOT_FOUND, "unknown service")


@requirement("gp.grpc.health")
@pytest.mark.parametrize(("service", "status"), [("plugin", SERVING), ("", SERVING), ("other", SERVICE_UNKNOWN)])
@asynchronous
async def test_a_watch_tells_the_state_and_lasts(service: str, status: HealthCheckResponse) -> None:
    received: asyncio.Queue[HealthCheckResponse] = asyncio.Queue()
    async with serving(HealthService()) as channel:
        request = HealthCheckRequest(service)
        watch = asyncio.create_task(
            unary_stream(channel, HEALTH_WATCH_PATH, request, HealthCheckResponse, received.put_nowait)
        )
        assert await received.get() == status
        assert not watch.done()

    with pytest.raises(PluginLostError):
        await watch


# --- the controller ----------------------------------------------------------------------------------------------


@requirement("gp.grpc.controller")
@asynchronous
async def test_shutdown_prepares_replies_and_stops() -> None:
    steps: list[str] = []

    async def prepare() -> None:
        steps.append("prepared")

    async with serving(ControllerService(prepare, lambda: steps.append("stopped"))) as channel:
        await unary_unary(channel, SHUTDOWN_PATH, Empty(), Empty)
        await wait_until(lambda: len(steps) == 2)

    assert steps == ["prepared", "stopped"]


@asynchronous
async def test_a_plugin_whose_preparations_fail_stops_all_the_same() -> None:
    stopped = asyncio.Event()

    async def prepare() -> None:
        raise OSError("no such luck")

    async with serving(ControllerService(prepare, stopped.set)) as channel:
        with pytest.raises(RemoteError, match=r"desc = no such luck$"):
            await unary_unary(channel, SHUTDOWN_PATH, Empty(), Empty)
        await stopped.wait()


# --- stdio -------------------------------------------------------------------------------------------------------


def stream(channel: Channel, received: list[StdioData]) -> asyncio.Task[None]:
    return asyncio.create_task(unary_stream(channel, STREAM_STDIO_PATH, Empty(), StdioData, received.append))


@requirement("gp.grpc.stdio")
@asynchronous
async def test_what_was_printed_before_and_after_the_stream_began_arrives_in_order() -> None:
    output = OutputBuffer()
    output.put(StdioData(STDOUT, b"before"))
    received: list[StdioData] = []
    async with serving(StdioService(output)) as channel:
        task = stream(channel, received)
        await wait_until(lambda: len(received) == 1)
        output.put(StdioData(STDERR, b"while"))
        await asyncio.to_thread(output.put, StdioData(STDOUT, b"after"))
        output.close()
        await task

    assert received == [StdioData(STDOUT, b"before"), StdioData(STDERR, b"while"), StdioData(STDOUT, b"after")]


@asynchronous
async def test_two_streams_share_the_output() -> None:
    output = OutputBuffer()
    received: list[StdioData] = []
    chunks = [StdioData(STDOUT, b"%d" % number) for number in range(100)]
    async with serving(StdioService(output)) as channel:
        tasks = [stream(channel, received), stream(channel, received)]
        for chunk in chunks:
            output.put(chunk)
            await asyncio.sleep(0)
        output.close()
        await asyncio.gather(*tasks)

    assert sorted(received) == sorted(chunks)


@asynchronous
async def test_everything_is_sent_before_the_wait_for_it_ends() -> None:
    output = OutputBuffer()
    received: list[StdioData] = []
    stdio = StdioService(output)
    async with serving(stdio) as channel:
        task = stream(channel, received)
        output.put(StdioData(STDOUT, b"first"))
        await wait_until(lambda: len(received) == 1)
        for _ in range(100):
            output.lift_limit()
            output.put(StdioData(STDOUT, b"x" * 65536))
        output.close()

        await stdio.wait_sent(SECONDS)

        await task
    assert sum(len(chunk.data) for chunk in received) == 5 + 100 * 65536


@asynchronous
async def test_much_output_leaves_turns_to_others() -> None:
    output = OutputBuffer()
    chunks = [StdioData(STDOUT, b"%d" % number) for number in range(1000)]
    for chunk in chunks:
        output.put(chunk)
    output.close()
    received: list[StdioData] = []
    turns = 0
    async with serving(StdioService(output)) as channel:
        task = stream(channel, received)
        while not task.done():
            await asyncio.sleep(0)
            turns += 1

    assert received == chunks
    assert turns >= len(chunks)


@asynchronous
async def test_nobody_waits_for_a_host_that_does_not_listen() -> None:
    output = OutputBuffer()
    output.put(StdioData(STDOUT, b"unheard"))
    stdio = StdioService(output)
    output.close()

    async with serving(stdio), asyncio.timeout(SECONDS / 2):
        await stdio.wait_sent(SECONDS)


@asynchronous
async def test_a_host_that_hung_up_is_not_waited_for() -> None:
    output = OutputBuffer()
    stdio = StdioService(output)
    async with serving(stdio) as channel:
        task = stream(channel, [])
        await wait_until(lambda: len(stdio._streams) == 1)
        channel.close()
        with pytest.raises(PluginLostError):
            await task
        await wait_until(lambda: not stdio._streams)
        output.put(StdioData(STDOUT, b"unheard"))
        output.close()

        async with asyncio.timeout(SECONDS / 2):
            await stdio.wait_sent(SECONDS)


def test_output_that_comes_when_the_loop_is_closed_harms_nobody() -> None:
    output = OutputBuffer()

    async def serve() -> None:
        StdioService(output)

    asyncio.run(serve())

    assert output.put(StdioData(STDOUT, b"late"))
