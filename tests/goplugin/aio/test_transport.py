"""A machine on a transport: what goes out together, and what waits."""
from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest
from grpclib.exceptions import StreamTerminatedError

from goplugin.core.http2.frames import DEFAULT_WINDOW, settings, settings_ack, window_update

from ..harness import SECONDS, asynchronous
from .support import OURS, Note, Probe, ProbeStub, connected, socket_path
from .test_conformance import ECHO, SMALL_WINDOWS, echo_one


class Counting:
    """A transport that counts what is written to it."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self.sizes: list[int] = []

    def write(self, data: bytes) -> None:
        self.sizes.append(len(data))
        self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


def count_writes(link: Any) -> list[int]:
    """The sizes of what this connection writes from now on."""
    link._transport = Counting(link._transport)
    return link._transport.sizes


@asynchronous
async def test_a_call_takes_one_write_on_either_side() -> None:
    async with connected(OURS, ECHO) as (channel, server, stub):
        await stub.Unary(Note())
        await asyncio.sleep(0.05)
        requests, replies = count_writes(channel.link), count_writes(next(iter(server.links)))
        for _ in range(10):
            await stub.Unary(Note())
        assert (len(requests), len(replies)) == (10, 10)
        await stub.ServerStream(Note(text="20"))
        assert (len(requests), len(replies)) == (11, 12)    # the first message at once, the others together


@asynchronous
async def test_credit_that_comes_together_with_something_else_is_used() -> None:
    """The rest of a message leaves because of a read; whoever has waited for that goes on, and sends nothing more."""
    message = Note(data=bytes(3 * DEFAULT_WINDOW))
    path = socket_path()
    arrived: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(settings([]) + settings_ack())
        await reader.readexactly(DEFAULT_WINDOW)
        writer.write(settings([]) + window_update(0, 1 << 20) + window_update(1, 1 << 20))
        await reader.readexactly(2 * DEFAULT_WINDOW)
        arrived.set_result(asyncio.current_task())
        await reader.read()
        writer.close()

    async def call() -> None:
        async with ProbeStub(channel).BidiStream.open() as stream:
            await stream.send_message(message)
            await stream.recv_message()

    server = await asyncio.start_unix_server(serve, path)
    channel = OURS.client.channel(path=path)
    calling = asyncio.ensure_future(call())
    try:
        async with asyncio.timeout(SECONDS):
            serving = await arrived
    finally:
        channel.close()
        server.close()
        with contextlib.suppress(StreamTerminatedError):
            await calling
    await serving


@asynchronous
async def test_what_concurrent_calls_have_to_say_leaves_together() -> None:
    async with connected(OURS, ECHO) as (channel, server, stub):
        await stub.Unary(Note())
        requests, replies = count_writes(channel.link), count_writes(next(iter(server.links)))

        async def call_ten_times() -> None:
            for _ in range(10):
                await stub.Unary(Note())

        await asyncio.gather(*(call_ten_times() for _ in range(64)))
        assert len(requests) < 30
        assert len(replies) < 30


@asynchronous
async def test_much_of_it_does_not_wait_for_the_rest() -> None:
    async def pour(stream: Any) -> None:
        for _ in range(1000):
            await stream.send_message(Note(data=bytes(1000)))

    async with connected(OURS, Probe(echo_one, pour)) as (_, server, stub):
        await stub.Unary(Note())
        sizes = count_writes(next(iter(server.links)))
        assert len(await stub.ServerStream(Note())) == 1000
        assert max(sizes) < 70_000
        assert len(sizes) < 30


@pytest.mark.parametrize("options", [{}, {"channel_options": SMALL_WINDOWS, "server_options": SMALL_WINDOWS}])
@asynchronous
async def test_both_sides_may_pour_at_once(options: dict[str, Any]) -> None:
    note = Note(data=bytes(100_000))

    async def pour(stream: Any) -> None:
        async def receive() -> int:
            return len([note async for note in stream])

        receiving = asyncio.create_task(receive())
        for _ in range(100):
            await stream.send_message(note)
        assert await receiving == 100

    async with connected(OURS, Probe(bidi_stream=pour), **options) as (_, _, stub), stub.BidiStream.open() as stream:

        async def send() -> None:
            for _ in range(100):
                await stream.send_message(note)
            await stream.end()

        await stream.send_request()
        sending = asyncio.create_task(send())
        assert len([note async for note in stream]) == 100
        await sending
