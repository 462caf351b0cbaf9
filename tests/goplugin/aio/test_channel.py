"""A channel and its connections: when there is a new one, how many calls fit on one, and what ends them."""
from __future__ import annotations

import asyncio
from typing import Any

import pytest
from grpclib.config import Configuration
from grpclib.encoding.proto import ProtoCodec
from grpclib.exceptions import StreamTerminatedError

from goplugin import aio
from goplugin.core.errors import ConfigError
from goplugin.core.http2 import (
    ConnectionEnded,
    GoingAway,
    Limits,
    SettingsChanged,
    UnaryRequest,
)
from goplugin.core.http2.frames import goaway

from ..harness import asynchronous
from .support import OURS, Note, Peer, ProbeStub, connected, path_of, serve_by_hand, turns_until
from .test_conformance import ECHO


async def answer(peer: Peer) -> None:
    request = await peer.receive(UnaryRequest)
    peer.machine.send_unary_reply(request.stream_id, request.message)
    peer.send()


async def answer_and_see_the_end(peer: Peer) -> None:
    await answer(peer)
    assert (await peer.receive(ConnectionEnded)).clean


# --- goodbyes ----------------------------------------------------------------------------------------------------


@asynchronous
async def test_a_server_that_goes_away_finishes_its_calls_and_gets_no_more() -> None:
    gone = asyncio.Event()
    second_answered = asyncio.Event()

    async def go_away(peer: Peer) -> None:
        request = await peer.receive(UnaryRequest)
        peer.machine.send_goaway()
        peer.send()
        gone.set()
        await second_answered.wait()
        peer.machine.send_unary_reply(request.stream_id, request.message)
        await peer.receive(ConnectionEnded)

    async with serve_by_hand(go_away, answer_and_see_the_end) as path:
        channel = aio.Channel(path=path)
        stub = ProbeStub(channel)
        first = asyncio.create_task(stub.Unary(Note(text="first")))
        await gone.wait()
        await turns_until(lambda: channel.link is None)
        assert (await stub.Unary(Note(text="second"))).text == "second"
        second_answered.set()
        assert (await first).text == "first"
        channel.close()


@asynchronous
async def test_a_call_that_the_server_has_not_taken_when_it_goes_away_is_terminated() -> None:
    async def take_one(peer: Peer) -> None:
        first = await peer.receive(UnaryRequest)
        await peer.receive(UnaryRequest)
        peer.writer.write(goaway(first.stream_id, 0, b""))
        peer.machine.send_unary_reply(first.stream_id, b"")
        await peer.receive(ConnectionEnded)

    async with serve_by_hand(take_one) as path:
        channel = aio.Channel(path=path)
        stub = ProbeStub(channel)
        results = await asyncio.gather(stub.Unary(Note()), stub.Unary(Note()), return_exceptions=True)
        channel.close()
    assert results[0] == Note()
    assert isinstance(results[1], StreamTerminatedError)


@asynchronous
async def test_a_channel_that_closes_says_goodbye() -> None:
    async def see_the_goodbye(peer: Peer) -> None:
        await answer(peer)
        assert (await peer.receive(GoingAway)).error_code == 0
        assert (await peer.receive(ConnectionEnded)).clean

    async with serve_by_hand(see_the_goodbye) as path, aio.Channel(path=path) as channel:
        await ProbeStub(channel).Unary(Note())


@asynchronous
async def test_closing_a_channel_closes_the_connections_it_has_left_too() -> None:
    async def go_away(peer: Peer) -> None:
        await peer.receive(UnaryRequest)
        peer.machine.send_goaway()
        await peer.receive(ConnectionEnded)

    async with serve_by_hand(go_away, answer_and_see_the_end) as path:
        channel = aio.Channel(path=path)
        stub = ProbeStub(channel)
        first = asyncio.create_task(stub.Unary(Note()))
        await turns_until(lambda: channel.link is not None)
        await turns_until(lambda: channel.link is None)
        await stub.Unary(Note())
        channel.close()
        with pytest.raises(StreamTerminatedError, match="Connection closed"):
            await first


@asynchronous
async def test_a_channel_makes_a_new_connection_before_its_numbers_run_out() -> None:
    async with serve_by_hand(answer_and_see_the_end, answer_and_see_the_end) as path:
        channel = aio.Channel(path=path)
        link = await channel.__connect__()
        link.machine._next_id = 2**31 - 1
        stub = ProbeStub(channel)
        assert (await stub.Unary(Note(text="last"))).text == "last"
        assert (await stub.Unary(Note(text="first again"))).text == "first again"
        channel.close()


@asynchronous
async def test_a_server_that_breaks_the_protocol_ends_its_connection() -> None:
    async def babble(peer: Peer) -> None:
        await peer.receive(UnaryRequest)
        peer.writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await peer.receive(ConnectionEnded)

    async with serve_by_hand(babble, answer_and_see_the_end) as path:
        channel = aio.Channel(path=path)
        stub = ProbeStub(channel)
        with pytest.raises(StreamTerminatedError, match="broke the protocol"):
            await stub.Unary(Note())
        await stub.Unary(Note())
        channel.close()


@asynchronous
async def test_a_server_that_hangs_up_at_once_is_not_asked_again_and_again() -> None:
    async def hang_up(peer: Peer) -> None:
        peer.writer.transport.abort()

    async with serve_by_hand(hang_up) as path, aio.Channel(path=path) as channel:
        with pytest.raises((ConnectionError, StreamTerminatedError)):
            await ProbeStub(channel).Unary(Note())


@asynchronous
async def test_a_channel_that_is_forgotten_says_so() -> None:
    complaints: list[Any] = []
    async with connected(OURS, ECHO) as (_, server, _):
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, complaint: complaints.append(complaint["message"]))
        channel = aio.Channel(path=path_of(server))
        await ProbeStub(channel).Unary(Note())
        with pytest.warns(ResourceWarning, match="Unclosed connection: Channel"):
            del channel
    assert len(complaints) == 1


# --- room --------------------------------------------------------------------------------------------------------


@asynchronous
async def test_calls_beyond_the_servers_limit_wait_their_turn() -> None:
    async def answer_in_pairs(peer: Peer) -> None:
        for _ in range(5):
            requests = [await peer.receive(UnaryRequest), await peer.receive(UnaryRequest)]
            assert peer.machine.open_calls == 2
            for request in requests:
                peer.machine.send_unary_reply(request.stream_id, request.message)
        await peer.receive(ConnectionEnded)

    async with serve_by_hand(answer_in_pairs, limits=Limits(max_concurrent_streams=2)) as path:
        channel = await with_settings(path)
        stub = ProbeStub(channel)
        notes = [Note(text=str(number)) for number in range(10)]
        assert await asyncio.gather(*map(stub.Unary, notes)) == notes
        channel.close()


@asynchronous
async def test_a_call_that_gives_up_waiting_lets_the_next_one_go() -> None:
    first_may_end = asyncio.Event()

    async def answer_two(peer: Peer) -> None:
        request = await peer.receive(UnaryRequest)
        await first_may_end.wait()
        peer.machine.send_unary_reply(request.stream_id, b"")
        request = await peer.receive(UnaryRequest)
        peer.machine.send_unary_reply(request.stream_id, request.message)
        await peer.receive(ConnectionEnded)

    async with serve_by_hand(answer_two, limits=Limits(max_concurrent_streams=1)) as path:
        channel = await with_settings(path)
        stub = ProbeStub(channel)
        first = asyncio.create_task(stub.Unary(Note()))
        late = asyncio.create_task(stub.Unary(Note(text="late"), timeout=0.05))
        cancelled = asyncio.create_task(stub.Unary(Note(text="cancelled")))
        refused = asyncio.create_task(stub.Unary(Note(text="refused"), metadata={"key": " spaces "}))
        last = asyncio.create_task(stub.Unary(Note(text="last")))
        with pytest.raises(TimeoutError, match="Deadline exceeded"):
            await late
        cancelled.cancel()
        first_may_end.set()
        await first
        with pytest.raises(ValueError, match="spaces"):
            await refused
        assert (await last).text == "last"
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        channel.close()


@asynchronous
async def test_a_call_that_is_cancelled_as_its_turn_comes_passes_it_on() -> None:
    async with serve_by_hand(answer_until_the_end, limits=Limits(max_concurrent_streams=1)) as path:
        channel = await with_settings(path)
        stub = ProbeStub(channel)
        link = channel.link
        first = asyncio.create_task(stub.Unary(Note()))
        others = [asyncio.create_task(stub.Unary(Note(text=str(number)))) for number in range(2)]
        await asyncio.sleep(0)
        await turns_until(lambda: not link.machine.open_calls)
        others[0].cancel()      # has been let in, and has not run yet
        assert (await others[1]).text == "1"
        await first
        with pytest.raises(asyncio.CancelledError):
            await others[0]
        channel.close()


async def answer_until_the_end(peer: Peer) -> None:
    while not isinstance(event := await peer.receive(UnaryRequest | ConnectionEnded), ConnectionEnded):
        peer.machine.send_unary_reply(event.stream_id, event.message)


async def with_settings(path: str) -> aio.Channel:
    """A channel with a connection whose server has said what its limits are."""
    channel = aio.Channel(path=path)
    link = await channel.__connect__()
    await turns_until(lambda: link.machine._peer.max_streams <= 1000)
    return channel


# --- what it is made with ----------------------------------------------------------------------------------------


@asynchronous
async def test_windows_are_those_of_the_configuration() -> None:
    async def look(peer: Peer) -> None:
        assert (await peer.receive(SettingsChanged)).values[4] == 100_000
        await answer_and_see_the_end(peer)

    config = Configuration(http2_connection_window_size=65_535, http2_stream_window_size=100_000)
    async with serve_by_hand(look) as path, aio.Channel(path=path, config=config) as channel:
        await ProbeStub(channel).Unary(Note())


@asynchronous
async def test_most_calls_with_a_timeout_send_the_same_one() -> None:
    async def look(peer: Peer) -> None:
        for timeout in (60.0, 0.5, 0.5):
            request = await peer.receive(UnaryRequest)
            assert request.head.timeout == pytest.approx(timeout, rel=0.01)
            assert request.head.timeout * 1000 == int(request.head.timeout * 1000)
            peer.machine.send_unary_reply(request.stream_id, b"")
        await peer.receive(ConnectionEnded)

    async with serve_by_hand(look) as path, aio.Channel(path=path) as channel:
        stub = ProbeStub(channel)
        for timeout in (60.0, 0.5, 0.5):
            await stub.Unary(Note(), timeout=timeout)


@asynchronous
async def test_only_protobufs_content_type_is_spoken() -> None:
    class JSONCodec(ProtoCodec):
        __content_subtype__ = "json"

    with pytest.raises(ConfigError, match=r"application/grpc\+json takes grpclib's own transport"):
        aio.Channel(codec=JSONCodec())
    with pytest.raises(ConfigError, match=r"application/grpc\+json takes grpclib's own transport"):
        aio.Server([], codec=JSONCodec())
