"""A client's call: what it says when it is used wrongly, in grpclib's own words, and what only ours does."""
from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import grpclib.client
import pytest
from grpclib.exceptions import ProtocolError, StreamTerminatedError

from goplugin.aio.client_stream import ClientStream

from ..harness import asynchronous
from .support import PAIRINGS, Note, Pairing, Probe, connected, every_pairing
from .test_conformance import ECHO, Waiting

Misuse = Callable[[Any], Awaitable[None]]


async def send_twice(stream: Any) -> None:
    await stream.send_message(Note())
    await stream.send_message(Note())


async def request_twice(stream: Any) -> None:
    await stream.send_request()
    await stream.send_request()


async def request_behind_message(stream: Any) -> None:
    await stream.send_message(Note())
    await stream.send_request()


async def end_without_message(stream: Any) -> None:
    await stream.send_request(end=True)


async def end_before_request(stream: Any) -> None:
    await stream.end()


async def end_before_message(stream: Any) -> None:
    await stream.send_request()
    await stream.end()


async def end_twice(stream: Any) -> None:
    await stream.send_message(Note(), end=True)
    await stream.end()


async def send_behind_end(stream: Any) -> None:
    await stream.send_message(Note(), end=True)
    await stream.send_message(Note())


async def receive_before_request(stream: Any) -> None:
    await stream.recv_message()


async def head_twice(stream: Any) -> None:
    await stream.send_message(Note(), end=True)
    await stream.recv_initial_metadata()
    await stream.recv_initial_metadata()


async def head_behind_message(stream: Any) -> None:
    await stream.send_message(Note(), end=True)
    await stream.recv_message()
    await stream.recv_initial_metadata()


async def tail_before_end(stream: Any) -> None:
    await stream.send_message(Note())
    await stream.recv_trailing_metadata()


async def tail_before_head(stream: Any) -> None:
    await stream.send_message(Note(), end=True)
    await stream.recv_trailing_metadata()


async def tail_twice(stream: Any) -> None:
    await stream.send_message(Note(), end=True)
    await stream.recv_message()
    await stream.recv_trailing_metadata()
    await stream.recv_trailing_metadata()


async def leave_before_end(stream: Any) -> None:
    await stream.send_message(Note())
    await stream.recv_message()


async def cancel_before_request(stream: Any) -> None:
    await stream.cancel()


async def cancel_twice(stream: Any) -> None:
    await stream.send_request()
    await stream.cancel()
    await stream.cancel()


@every_pairing
@pytest.mark.parametrize(
    ("misuse", "kind", "text"),
    [
        (send_twice, "Unary", "Message was already sent"),
        (request_twice, "Unary", "Request is already sent"),
        (request_behind_message, "Unary", "Request is already sent"),
        (request_twice, "BidiStream", "Request is already sent"),
        (end_without_message, "Unary", "Unary request requires a message to be sent before ending outgoing stream"),
        (end_before_request, "Unary", "Request was not sent"),
        (end_before_message, "Unary", "Unary request requires a single message to be sent"),
        (end_before_message, "ServerStream", "Unary request requires a single message to be sent"),
        (end_twice, "Unary", "Stream was already ended"),
        (end_twice, "BidiStream", "Stream was already ended"),
        (send_behind_end, "Unary", "Message was already sent"),
        (send_behind_end, "BidiStream", "Stream is ended"),
        (receive_before_request, "Unary", "Request was not sent yet"),
        (head_twice, "Unary", "Initial metadata was already received"),
        (head_twice, "BidiStream", "Initial metadata was already received"),
        (head_behind_message, "Unary", "Initial metadata was already received"),
        (tail_before_end, "BidiStream", "Outgoing stream was not ended"),
        (tail_before_head, "Unary", "Initial metadata was not received before waiting for trailing metadata"),
        (tail_twice, "Unary", "Trailing metadata was already received"),
        (tail_twice, "BidiStream", "Trailing metadata was already received"),
        (leave_before_end, "BidiStream", "Outgoing stream was not ended"),
        (cancel_before_request, "Unary", "Request was not sent yet"),
        (cancel_twice, "Unary", "Stream was already cancelled"),
    ],
)
@asynchronous
async def test_misuse_is_a_protocol_error_in_grpclibs_words(
    pairing: Pairing, misuse: Misuse, kind: str, text: str
) -> None:
    async with connected(pairing, ECHO) as (_, _, stub):
        with pytest.raises(ProtocolError) as raised:
            async with getattr(stub, kind).open() as stream:
                await misuse(stream)
        assert str(raised.value) == text
        assert await stub.Unary(Note(text="x")) == Note(text="x")


@every_pairing
@asynchronous
async def test_a_message_of_another_type_is_refused(pairing: Pairing) -> None:
    async with connected(pairing, ECHO) as (_, _, stub):
        for kind in ("Unary", "BidiStream"):
            with pytest.raises(TypeError, match="Message must be of type"):
                async with getattr(stub, kind).open() as stream:
                    await stream.send_message("no message")
        assert await stub.Unary(Note(text="x")) == Note(text="x")


@every_pairing
@asynchronous
async def test_a_call_may_be_left_before_it_begins(pairing: Pairing) -> None:
    taken: list[str] = []

    async def take(stream: Any) -> None:
        note = await stream.recv_message()
        taken.append(note.text)
        await stream.send_message(note)

    async with connected(pairing, Probe(take)) as (_, _, stub):
        async with stub.Unary.open(timeout=60.0):
            pass
        await stub.Unary(Note(text="the first that begins"))
    assert taken == ["the first that begins"]


@every_pairing
@asynchronous
async def test_trailing_metadata_comes_with_its_message_unread(pairing: Pairing) -> None:
    async with connected(pairing, ECHO) as (_, _, stub), stub.BidiStream.open() as stream:
        await stream.send_message(Note(text="unread"), end=True)
        await stream.recv_initial_metadata()
        await stream.recv_trailing_metadata()
        assert (await stream.recv_message()).text == "unread"
        assert await stream.recv_message() is None


def test_every_public_part_of_grpclibs_stream_is_ours() -> None:
    public = {name for name, part in vars(grpclib.client.Stream).items() if name[0] != "_" and callable(part)}

    assert public == {name for name in vars(ClientStream) if name in public}


# --- ours alone --------------------------------------------------------------------------------------------------

OURS = PAIRINGS[0]


@asynchronous
async def test_a_call_whose_answer_is_there_does_not_run_out_of_time() -> None:
    async with connected(OURS, ECHO) as (_, _, stub), stub.Unary.open(timeout=0.2) as stream:
        await stream.send_message(Note(text="x"))
        assert (await stream.recv_message()).text == "x"
        await asyncio.sleep(0.3)


@asynchronous
async def test_what_waits_for_a_call_that_is_cancelled_is_woken() -> None:
    method = Waiting()
    async with connected(OURS, Probe(method)) as (_, _, stub), stub.Unary.open() as stream:
        await stream.send_message(Note())
        waiting = asyncio.create_task(stream.recv_message())
        await method.called.wait()
        await stream.cancel()
        with pytest.raises(StreamTerminatedError, match="Stream was cancelled"):
            await waiting


@asynchronous
async def test_several_tasks_may_wait_for_one_call() -> None:
    method = Waiting()
    async with connected(OURS, Probe(method)) as (_, _, stub), stub.Unary.open() as stream:
        await stream.send_message(Note(text="x"))
        patient = asyncio.create_task(stream.recv_initial_metadata())
        impatient = asyncio.create_task(asyncio.wait_for(stream.recv_initial_metadata(), 0.01))
        with pytest.raises(TimeoutError):
            await impatient
        method.let_go.set()
        await patient
        assert (await stream.recv_message()).text == "x"


@asynchronous
async def test_a_timeout_of_the_caller_and_a_deadline_do_not_get_in_each_others_way() -> None:
    method = Waiting()
    async with connected(OURS, Probe(method)) as (_, _, stub):
        async with asyncio.timeout(10) as outer:
            with pytest.raises(TimeoutError, match="Deadline exceeded"):
                await stub.Unary(Note(), timeout=0.05)
        assert not outer.expired()
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await stub.Unary(Note(), timeout=10.0)
        assert task.cancelling() == 0
