"""A method's end of a call: what it says when it is used wrongly, in grpclib's own words, and what only ours does."""
from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import grpclib.server
import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError, ProtocolError

from goplugin.aio.server_stream import STARTS_AT_ONCE, ServerStream
from goplugin.core.http2 import ResponseEnded, UnaryResponse
from goplugin.core.status import Code

from ..harness import asynchronous
from .support import BIDI_STREAM, OURS, UNARY, Note, Pairing, Peer, Probe, connected, every_pairing, path_of
from .test_conformance import Waiting, echo_one

Misuse = Callable[[Any], Awaitable[None]]


async def begin_twice(stream: Any) -> None:
    await stream.send_initial_metadata()
    await stream.send_initial_metadata()


async def begin_behind_message(stream: Any) -> None:
    await stream.send_message(Note())
    await stream.send_initial_metadata()


async def send_twice(stream: Any) -> None:
    await stream.send_message(Note())
    await stream.send_message(Note())


async def send_twice_behind_head(stream: Any) -> None:
    await stream.send_initial_metadata()
    await send_twice(stream)


async def end_without_message(stream: Any) -> None:
    await stream.send_trailing_metadata()


async def end_twice(stream: Any) -> None:
    await stream.send_message(Note())
    await stream.send_trailing_metadata()
    await stream.send_trailing_metadata()


async def cancel_twice(stream: Any) -> None:
    await stream.cancel()
    await stream.cancel()


@every_pairing
@pytest.mark.parametrize(
    ("misuse", "text"),
    [
        (begin_twice, "Initial metadata was already sent"),
        (begin_behind_message, "Initial metadata was already sent"),
        (send_twice, "Message was already sent"),
        (send_twice_behind_head, "Message was already sent"),
        (end_without_message, "Unary response with OK status requires a single message to be sent"),
        (end_twice, "Trailing metadata was already sent"),
        (cancel_twice, "Stream was already cancelled"),
    ],
)
@asynchronous
async def test_misuse_is_a_protocol_error_in_grpclibs_words(pairing: Pairing, misuse: Misuse, text: str) -> None:
    errors: list[str] = []

    async def method(stream: Any) -> None:
        try:
            await misuse(stream)
        except ProtocolError as error:
            errors.append(str(error))
        raise GRPCError(Status.ABORTED)

    async with connected(pairing, Probe(method)) as (_, _, stub):
        await asyncio.gather(stub.Unary(Note()), return_exceptions=True)
    assert errors == [text]


@every_pairing
@asynchronous
async def test_a_method_that_takes_one_message_gets_one(pairing: Pairing) -> None:
    received: list[Any] = []

    async def receive(stream: Any) -> None:
        received.extend([await stream.recv_message(), await stream.recv_message()])
        await stream.send_message(Note())

    async with connected(pairing, Probe(receive)) as (_, _, stub):
        await stub.Unary(Note(text="x"))
    assert received == [Note(text="x"), None]


@every_pairing
@asynchronous
async def test_a_reply_does_not_wait_for_what_the_method_does_behind_it(pairing: Pairing) -> None:
    go_on = asyncio.Event()

    async def method(stream: Any) -> None:
        await stream.send_message(Note(text="reply"))
        await go_on.wait()
        await stream.send_trailing_metadata(metadata={"done": "yes"})

    async with connected(pairing, Probe(method)) as (_, _, stub), stub.Unary.open() as stream:
        await stream.send_request()
        await stream.send_message(Note())
        assert (await stream.recv_message()).text == "reply"
        go_on.set()
        await stream.recv_trailing_metadata()
        assert dict(stream.trailing_metadata) == {"done": "yes"}


@every_pairing
@asynchronous
async def test_a_message_of_another_type_fails_the_method(pairing: Pairing) -> None:
    async def method(stream: Any) -> None:
        await stream.send_message("no message")

    async with connected(pairing, Probe(method, method)) as (_, _, stub):
        for call in (stub.Unary, stub.ServerStream):
            with pytest.raises(GRPCError, match="Internal Server Error"):
                await call(Note())


@every_pairing
@asynchronous
async def test_a_method_that_ignores_its_deadline_is_answered_for(pairing: Pairing) -> None:
    ended = asyncio.Event()

    async def stubborn(stream: Any) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await stream.send_message(Note(text="too late"))
        finally:
            ended.set()

    async with connected(pairing, Probe(server_stream=stubborn)) as (_, _, stub):
        with pytest.raises((TimeoutError, GRPCError)):
            await stub.ServerStream(Note(), timeout=0.05)
        await ended.wait()


def test_every_public_part_of_grpclibs_stream_is_ours() -> None:
    public = {name for name, part in vars(grpclib.server.Stream).items() if name[0] != "_" and callable(part)}

    assert public == {name for name in vars(ServerStream) if name in public}


# --- ours alone --------------------------------------------------------------------------------------------------


@asynchronous
async def test_a_deadline_is_kept_for_a_client_that_does_not_watch_it() -> None:
    method = Waiting()
    async with connected(OURS, Probe(method, bidi_stream=method)) as (_, server, _):
        peer = await Peer.connect(path_of(server))
        peer.machine.send_unary_request(UNARY, b"", timeout=0.05)
        answer = await peer.receive(UnaryResponse)
        assert answer.status.code is Code.DEADLINE_EXCEEDED
        peer.machine.send_request(BIDI_STREAM, timeout=0.05)
        assert (await peer.receive(ResponseEnded)).status.code is Code.DEADLINE_EXCEEDED
        assert method.cancelled.is_set()
        peer.machine.send_unary_request(UNARY, b"", timeout=0.0)
        assert (await peer.receive(UnaryResponse)).status.code is Code.DEADLINE_EXCEEDED
        await peer.close()


@pytest.mark.skipif(STARTS_AT_ONCE, reason="every method begins as soon as its call has come")
@asynchronous
async def test_a_method_whose_call_is_cancelled_before_it_begins_never_does() -> None:
    method = Waiting()
    async with connected(OURS, Probe(method, bidi_stream=method)) as (_, server, _):
        peer = await Peer.connect(path_of(server))
        for stream_id in (
            peer.machine.send_unary_request(UNARY, b""),
            peer.machine.send_request(BIDI_STREAM),
        ):
            peer.machine.send_reset(stream_id)
        stream_id = peer.machine.send_unary_request("/no/Method", b"")
        await peer.receive(UnaryResponse)
        assert not method.called.is_set()
        await peer.close()


@asynchronous
async def test_a_method_that_cancels_itself_is_answered_for() -> None:
    async def give_up(stream: Any) -> None:
        raise asyncio.CancelledError

    async with connected(OURS, Probe(give_up)) as (_, _, stub):
        with pytest.raises(GRPCError) as raised:
            await stub.Unary(Note())
    assert (raised.value.status, raised.value.message) == (Status.CANCELLED, "context canceled")


@asynchronous
async def test_a_status_that_is_too_large_leaves_only_its_code() -> None:
    async def fail(stream: Any) -> None:
        raise GRPCError(Status.DATA_LOSS, "x" * 1_000_000)

    async with connected(OURS, Probe(fail)) as (_, _, stub):
        with pytest.raises(GRPCError) as raised:
            await stub.Unary(Note())
    assert (raised.value.status, raised.value.message) == (Status.DATA_LOSS, None)


@asynchronous
async def test_a_method_may_be_any_awaitable() -> None:
    async def method(stream: Any) -> None:
        await asyncio.sleep(0)
        await echo_one(stream)

    class Later(Probe):
        def Unary(self, stream: Any) -> Any:
            return asyncio.ensure_future(method(stream))

    async with connected(OURS, Later()) as (_, _, stub):
        assert await stub.Unary(Note(text="x")) == Note(text="x")

