"""A server and its connections: methods in another form, clients that misbehave, and how it all ends."""
from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest
from grpclib.const import Handler
from grpclib.exceptions import StreamTerminatedError

from goplugin import aio
from goplugin.aio.server import Function
from goplugin.core.http2 import ConnectionEnded, GoingAway, UnaryResponse
from goplugin.core.http2.frames import ping

from ..harness import asynchronous
from .support import OURS, SERVER_STREAM, UNARY, Note, Peer, Probe, ProbeStub, connected, path_of, socket_path
from .test_conformance import ECHO, Waiting, echo_one

# --- methods -----------------------------------------------------------------------------------------------------


@asynchronous
async def test_methods_written_in_another_form_are_adapted() -> None:
    class Plain(Probe):
        def Unary(self, request: Any) -> Any:
            return Note(text=request.text.upper())

    adapted: list[str] = []

    def adapt(path: str, handler: Handler) -> Function:
        adapted.append(path)

        async def method(stream: Any) -> None:
            await stream.send_message(handler.func(await stream.recv_message()))

        return method

    server = aio.Server([Plain()], adapt=adapt)
    path = socket_path()
    await server.start(path=path)
    channel = aio.Channel(path=path)
    assert (await ProbeStub(channel).Unary(Note(text="loud"))).text == "LOUD"
    assert len(adapted) == 4
    channel.close()
    await server.end(1.0)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/goplugin.tests.aio.Probe/Missing", "unknown method Missing for service goplugin.tests.aio.Probe"),
        ("/goplugin.tests.aio/Probe", "unknown service goplugin.tests.aio"),
        ("/", "unknown service "),
    ],
)
@asynchronous
async def test_an_unknown_method_is_named_in_gos_words(path: str, text: str) -> None:
    async with connected(OURS, ECHO) as (_, server, _):
        peer = await Peer.connect(path_of(server))
        peer.machine.send_unary_request(path, b"")
        assert (await peer.receive(UnaryResponse)).status.message == text
        await peer.close()


# --- clients that misbehave --------------------------------------------------------------------------------------


@asynchronous
async def test_a_client_that_breaks_the_protocol_is_told_why_and_hung_up_on() -> None:
    method = Waiting()
    async with connected(OURS, Probe(method)) as (_, server, _):
        peer = await Peer.connect(path_of(server))
        peer.machine.send_unary_request(UNARY, b"")
        peer.send()
        await method.called.wait()
        peer.writer.write(b"no frame at all")
        assert (await peer.receive(GoingAway)).error_code != 0
        await peer.receive(ConnectionEnded)
        await method.cancelled.wait()
        await peer.close()


@asynchronous
async def test_a_client_that_hangs_up_cancels_its_methods() -> None:
    method = Waiting()
    async with connected(OURS, Probe(method)) as (_, server, _):
        peer = await Peer.connect(path_of(server))
        peer.machine.send_unary_request(UNARY, b"")
        peer.send()
        await method.called.wait()
        [link] = server.links
        peer.writer.write_eof()
        await link.ended
        assert method.cancelled.is_set()
        assert server.links == set()
        await peer.close()


@asynchronous
async def test_a_client_that_does_not_read_is_not_written_to_for_ever() -> None:
    sent = 0

    async def pour(stream: Any) -> None:
        nonlocal sent
        while True:
            await stream.send_message(Note(data=bytes(16 * 1024)))
            sent += 1

    async with connected(OURS, Probe(echo_one, pour)) as (_, server, stub):
        peer = await Peer.connect(path_of(server))
        for _ in range(10):
            stream_id = peer.machine.send_request(SERVER_STREAM)
            peer.machine.send_message(stream_id, b"", end=True)
        peer.send()
        before = -1
        while before < sent or not sent:
            before = sent
            await asyncio.sleep(0.1)
        # Far from the 40 MiB that the client's windows allow: what the socket and the transport hold.
        assert sent * 16 * 1024 < 4 * 1024 * 1024
        assert await stub.Unary(Note(text="x")) == Note(text="x")
        await server.end(0.1)
        await peer.close()


@asynchronous
async def test_a_client_that_asks_without_reading_the_answers_is_hung_up_on() -> None:
    async with connected(OURS, ECHO) as (_, server, stub):
        peer = await Peer.connect(path_of(server))
        with contextlib.suppress(ConnectionError):
            for _ in range(10_000):
                peer.send()
                peer.writer.write(ping(b"question", 0) * 100)
                await peer.writer.drain()
                if peer.writer.is_closing():
                    break
        assert len(server.links) == 0
        assert await stub.Unary(Note(text="x")) == Note(text="x")
        await peer.close()


# --- the end -----------------------------------------------------------------------------------------------------


@asynchronous
async def test_a_server_that_closes_says_goodbye_and_hangs_up() -> None:
    async with connected(OURS, ECHO) as (_, server, _):
        peer = await Peer.connect(path_of(server))
        peer.machine.send_unary_request(UNARY, b"")
        await peer.receive(UnaryResponse)
        server.close()
        assert (await peer.receive(GoingAway)).error_code == 0
        assert (await peer.receive(ConnectionEnded)).clean
        await server.wait_closed()
        await peer.close()


@asynchronous
async def test_a_reply_that_was_given_is_delivered_before_the_end() -> None:
    path = socket_path()

    async def reply_and_close(stream: Any) -> None:
        await stream.send_message(Note(text="goodbye"))
        await stream.send_trailing_metadata()
        server.close()

    server = aio.Server([Probe(reply_and_close)])
    await server.start(path=path)
    channel = aio.Channel(path=path)
    assert (await ProbeStub(channel).Unary(Note())).text == "goodbye"
    await server.wait_closed()
    with pytest.raises((FileNotFoundError, ConnectionRefusedError)):
        await ProbeStub(channel).Unary(Note())
    channel.close()


@asynchronous
async def test_an_end_with_a_limit_does_not_wait_for_methods_that_do_not() -> None:
    called = asyncio.Event()
    let_go = asyncio.Event()

    async def stubborn(stream: Any) -> None:
        called.set()
        while not let_go.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await let_go.wait()

    path = socket_path()
    server = aio.Server([Probe(stubborn)])
    await server.start(path=path)
    channel = aio.Channel(path=path)
    call = asyncio.create_task(ProbeStub(channel).Unary(Note()))
    await called.wait()
    await server.end(0.05)
    with pytest.raises(StreamTerminatedError):
        await call
    let_go.set()
    await server.wait_closed()
    channel.close()


@asynchronous
async def test_a_server_that_was_not_started_cannot_be_closed() -> None:
    with pytest.raises(RuntimeError, match="Server is not started"):
        aio.Server([ECHO]).close()
