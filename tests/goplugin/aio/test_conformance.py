"""What grpclib's contract promises, with ours and grpclib's own transport at either end.

Generated code is the user of both; grpclib with itself is the oracle, and every test runs on it too.
"""
from __future__ import annotations

import asyncio
import gc
import socket
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

import grpclib.client
import grpclib.server
import pytest
from grpclib.config import Configuration
from grpclib.const import Status
from grpclib.encoding.base import StatusDetailsCodecBase
from grpclib.events import (
    RecvInitialMetadata,
    RecvMessage,
    RecvRequest,
    RecvTrailingMetadata,
    SendInitialMetadata,
    SendMessage,
    SendRequest,
    SendTrailingMetadata,
    listen,
)
from grpclib.exceptions import GRPCError, StreamTerminatedError

from ..harness import asynchronous
from .conftest import Certificate
from .probe.probe_grpc import ProbeStub
from .support import Note, Pairing, Probe, Relay, connected, every_pairing, socket_path, turns_until

MEBIBYTE = 1 << 20


async def echo(stream: Any) -> None:
    async for note in stream:
        await stream.send_message(note)


async def echo_one(stream: Any) -> None:
    await stream.send_message(await stream.recv_message())


async def count_up(stream: Any) -> None:
    """As many messages as the request says."""
    request = await stream.recv_message()
    for number in range(int(request.text)):
        await stream.send_message(Note(text=str(number)))


async def join(stream: Any) -> None:
    await stream.send_message(Note(text="".join([note.text async for note in stream])))


ECHO = Probe(echo_one, count_up, join, echo)


class Waiting:
    """A method that says when it is called, waits until it is let go or cancelled, and says when it was."""

    def __init__(self, method: Callable[[Any], Awaitable[None]] = echo_one) -> None:
        self.called = asyncio.Event()
        self.let_go = asyncio.Event()
        self.cancelled = asyncio.Event()
        self._method = method

    async def __call__(self, stream: Any) -> None:
        self.called.set()
        try:
            await self.let_go.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        await self._method(stream)


# --- the four kinds of call --------------------------------------------------------------------------------------


@every_pairing
@asynchronous
async def test_generated_code_makes_calls_of_every_kind(pairing: Pairing) -> None:
    notes = [Note(text=text) for text in "abc"]
    async with connected(pairing, ECHO) as (_, _, stub):
        assert await stub.Unary(Note(text="hello", data=b"\0\xff")) == Note(text="hello", data=b"\0\xff")
        assert [note.text for note in await stub.ServerStream(Note(text="3"))] == ["0", "1", "2"]
        assert (await stub.ClientStream(notes)).text == "abc"
        assert await stub.BidiStream(notes) == notes


@every_pairing
@asynchronous
async def test_streams_may_be_empty_and_so_may_messages(pairing: Pairing) -> None:
    async with connected(pairing, ECHO) as (_, _, stub):
        assert await stub.Unary(Note()) == Note()
        assert await stub.ServerStream(Note(text="0")) == []
        assert (await stub.ClientStream([])).text == ""
        assert await stub.BidiStream([]) == []
        assert await stub.BidiStream([Note(), Note()]) == [Note(), Note()]


@every_pairing
@asynchronous
async def test_both_sides_of_a_call_may_take_turns(pairing: Pairing) -> None:
    async with connected(pairing, ECHO) as (_, _, stub), stub.BidiStream.open() as stream:
        for text in ("one", "two", "three"):
            await stream.send_message(Note(text=text))
            assert (await stream.recv_message()).text == text
        await stream.end()
        assert await stream.recv_message() is None


@every_pairing
@asynchronous
async def test_one_task_may_send_while_another_receives(pairing: Pairing) -> None:
    async with connected(pairing, ECHO) as (_, _, stub), stub.BidiStream.open() as stream:

        async def send() -> None:
            for number in range(100):
                await stream.send_message(Note(text=str(number)))
                await asyncio.sleep(0)
            await stream.end()

        await stream.send_request()
        sending = asyncio.create_task(send())
        received = [int(note.text) async for note in stream]
        await sending
    assert received == list(range(100))


@every_pairing
@asynchronous
async def test_a_unary_call_may_be_made_step_by_step(pairing: Pairing) -> None:
    async with connected(pairing, ECHO) as (_, _, stub), stub.Unary.open() as stream:
        await stream.send_request()
        await stream.send_message(Note(text="hello"))
        await stream.end()
        await stream.recv_initial_metadata()
        reply = await stream.recv_message()
        assert await stream.recv_message() is None
        await stream.recv_trailing_metadata()
    assert reply.text == "hello"


# --- how calls end -----------------------------------------------------------------------------------------------


@every_pairing
@asynchronous
async def test_a_method_may_end_before_the_client_does(pairing: Pairing) -> None:
    if str(pairing) == "grpclib-to-ours":
        pytest.skip("our server resets the rest of the request, as grpc-go does, and grpclib takes that for an error")

    async def one_and_out(stream: Any) -> None:
        await stream.send_message(await stream.recv_message())

    async with connected(pairing, Probe(bidi_stream=one_and_out)) as (_, _, stub), stub.BidiStream.open() as stream:
        await stream.send_message(Note(text="first"))
        assert [note.text async for note in stream] == ["first"]
        await stream.send_message(Note(text="nobody reads this"))
        await stream.end()


@every_pairing
@pytest.mark.parametrize("sent_before", [0, 1, 3])
@asynchronous
async def test_the_error_of_a_method_reaches_the_client_behind_its_messages(pairing: Pairing, sent_before: int) -> None:
    async def fail(stream: Any) -> None:
        for number in range(sent_before):
            await stream.send_message(Note(text=str(number)))
        raise GRPCError(Status.NOT_FOUND, "no such thing: ünïcode 100%\n")

    received: list[str] = []

    async def receive(stub: ProbeStub) -> None:
        async with stub.ServerStream.open() as stream:
            await stream.send_message(Note(), end=True)
            received.extend([note.text async for note in stream])

    async with connected(pairing, Probe(server_stream=fail)) as (_, _, stub):
        with pytest.raises(GRPCError) as raised:
            await receive(stub)
    assert received == [str(number) for number in range(sent_before)]
    assert (raised.value.status, raised.value.message) == (Status.NOT_FOUND, "no such thing: ünïcode 100%\n")


@every_pairing
@asynchronous
async def test_an_error_may_follow_the_reply_of_a_unary_method(pairing: Pairing) -> None:
    async def fail(stream: Any) -> None:
        await stream.send_message(await stream.recv_message())
        raise GRPCError(Status.DATA_LOSS, "after all")

    async with connected(pairing, Probe(fail)) as (_, _, stub):
        with pytest.raises(GRPCError) as raised:
            await stub.Unary(Note())
    assert (raised.value.status, raised.value.message) == (Status.DATA_LOSS, "after all")


@every_pairing
@asynchronous
async def test_an_error_that_comes_while_the_client_sends_is_what_the_call_raises(pairing: Pairing) -> None:
    async def refuse(stream: Any) -> None:
        await stream.recv_message()
        raise GRPCError(Status.RESOURCE_EXHAUSTED, "enough")

    async def send_without_end(stub: ProbeStub) -> None:
        async with stub.ClientStream.open() as stream:
            while True:
                await stream.send_message(Note(data=bytes(1000)))
                await asyncio.sleep(0)

    async with connected(pairing, Probe(client_stream=refuse)) as (_, _, stub):
        with pytest.raises(GRPCError) as raised:
            await send_without_end(stub)
    assert (raised.value.status, raised.value.message) == (Status.RESOURCE_EXHAUSTED, "enough")


@every_pairing
@asynchronous
async def test_an_error_without_messages_has_only_trailing_metadata(pairing: Pairing) -> None:
    async def fail(stream: Any) -> None:
        await stream.send_trailing_metadata(
            status=Status.ABORTED, status_message="at once", metadata={"reason": "test"}
        )

    async def call(stream: Any) -> None:
        async with stream:
            await stream.send_message(Note(), end=True)
            await stream.recv_message()

    async with connected(pairing, Probe(fail)) as (_, _, stub):
        stream = stub.Unary.open()
        with pytest.raises(GRPCError) as raised:
            await call(stream)
    assert (raised.value.status, raised.value.message) == (Status.ABORTED, "at once")
    assert dict(stream.initial_metadata) == {}
    assert dict(stream.trailing_metadata) == {"reason": "test"}


@every_pairing
@asynchronous
async def test_an_unexpected_exception_of_a_method_says_nothing_to_the_client(pairing: Pairing) -> None:
    async def fail(stream: Any) -> None:
        raise RuntimeError("a secret")

    async with connected(pairing, Probe(fail, fail)) as (_, _, stub):
        for call in (stub.Unary, stub.ServerStream):
            with pytest.raises(GRPCError) as raised:
                await call(Note())
            assert (raised.value.status, raised.value.message) == (Status.UNKNOWN, "Internal Server Error")


@every_pairing
@asynchronous
async def test_a_unary_method_that_sends_nothing_has_failed(pairing: Pairing) -> None:
    async def forget(stream: Any) -> None:
        await stream.recv_message()

    async with connected(pairing, Probe(forget, client_stream=forget)) as (_, _, stub):
        with pytest.raises(GRPCError) as raised:
            await stub.Unary(Note())
        assert raised.value.status is Status.UNKNOWN
        with pytest.raises(GRPCError) as raised:
            await stub.ClientStream([Note()])
        assert raised.value.status is Status.UNKNOWN


@every_pairing
@asynchronous
async def test_an_unknown_method_is_unimplemented(pairing: Pairing) -> None:
    async with connected(pairing) as (channel, _, _):
        for path in ("/goplugin.tests.aio.Probe/Missing", "/missing.Service/Method"):
            method = grpclib.client.UnaryUnaryMethod(channel, path, Note, Note)
            with pytest.raises(GRPCError) as raised:
                await method(Note())
            if str(pairing) == "grpclib-to-grpclib":
                # Its answer has no content type, and that is all its client says of it.
                assert raised.value.status is Status.UNKNOWN
            else:
                assert raised.value.status is Status.UNIMPLEMENTED


class WordsCodec(StatusDetailsCodecBase):
    """Details are a list of words."""

    def encode(self, status: Status, message: str | None, details: list[str]) -> bytes:
        return f"{status.name} {message}: {' '.join(details)}".encode()

    def decode(self, status: Status, message: str | None, data: bytes) -> list[str]:
        return data.decode().removeprefix(f"{status.name} {message}: ").split()


@every_pairing
@asynchronous
async def test_an_error_carries_details_through_the_codec(pairing: Pairing) -> None:
    async def fail(stream: Any) -> None:
        raise GRPCError(Status.INVALID_ARGUMENT, "look", ["one", "two"])

    options = {"status_details_codec": WordsCodec()}
    async with connected(
        pairing, Probe(fail), server_options=options, channel_options=options
    ) as (_, _, stub):
        with pytest.raises(GRPCError) as raised:
            await stub.Unary(Note())
    assert (raised.value.message, raised.value.details) == ("look", ["one", "two"])


# --- metadata ----------------------------------------------------------------------------------------------------


@every_pairing
@asynchronous
async def test_metadata_travels_both_ways_with_bytes_and_repeated_keys(pairing: Pairing) -> None:
    pairs = [("key", "one"), ("raw-bin", b"\0\xfe,="), ("key", "two"), ("empty-bin", b""), ("with.dots-and_9", "!~ x")]
    seen: list[Any] = []

    async def reflect(stream: Any) -> None:
        seen.append(stream.metadata)
        await stream.send_initial_metadata(metadata=pairs)
        await stream.send_message(await stream.recv_message())
        await stream.send_trailing_metadata(metadata=pairs)

    async with connected(pairing, Probe(reflect, bidi_stream=reflect)) as (_, _, stub):
        for method in (stub.Unary, stub.BidiStream):
            async with method.open(metadata=pairs) as stream:
                await stream.send_message(Note(), end=True)
                await stream.recv_message()
            assert list(stream.initial_metadata.items()) == pairs
            assert list(stream.trailing_metadata.items()) == pairs
    assert [list(metadata.items()) for metadata in seen] == [pairs, pairs]


@every_pairing
@asynchronous
async def test_a_method_knows_its_caller(pairing: Pairing) -> None:
    seen: list[Any] = []

    async def look(stream: Any) -> None:
        seen.extend((stream.user_agent, stream.peer.addr(), stream.peer.cert(), stream.deadline))
        await echo_one(stream)

    async with connected(pairing, Probe(look)) as (_, _, stub), stub.Unary.open() as stream:
        await stream.send_message(Note())
        assert stream.peer.addr() is not None
        await stream.recv_message()
    assert seen[0].startswith("grpc-python-")
    assert seen[2:] == [None, None]


@every_pairing
@pytest.mark.parametrize(
    ("metadata", "error"),
    [
        ({"Upper": "x"}, ValueError),
        ({"": "x"}, ValueError),
        ({"grpc-own": "x"}, ValueError),
        ({"te": "trailers"}, ValueError),
        ({"key": "line\nbreak"}, ValueError),
        ({"key": "ünïcode"}, ValueError),
        ({"key": b"bytes"}, TypeError),
        ({"key-bin": "text"}, TypeError),
    ],
)
@asynchronous
async def test_metadata_that_cannot_be_sent_is_refused_on_either_side(
    pairing: Pairing, metadata: Any, error: type[Exception]
) -> None:
    async def send(stream: Any) -> None:
        with pytest.raises(error):
            await stream.send_initial_metadata(metadata=metadata)
        await stream.send_message(await stream.recv_message())
        with pytest.raises(error):
            await stream.send_trailing_metadata(metadata=metadata)

    async with connected(pairing, Probe(send)) as (_, _, stub):
        for call in (stub.Unary, stub.ServerStream):
            with pytest.raises(error):
                await call(Note(), metadata=metadata)
        assert await stub.Unary(Note(text="x")) == Note(text="x")


# --- listeners ---------------------------------------------------------------------------------------------------


class Listeners:
    """Listens to all events of a channel and a server, writes down which came, and changes what may be changed."""

    def __init__(self, channel: Any, server: Any) -> None:
        self.heard: list[str] = []
        for event in (SendRequest, SendMessage, RecvMessage, RecvInitialMetadata, RecvTrailingMetadata):
            listen(channel, event, self._on_client)
        for event in (RecvRequest, RecvMessage, SendMessage, SendInitialMetadata, SendTrailingMetadata):
            listen(server, event, self._on_server)

    async def _on_client(self, event: Any) -> None:
        await self._on("client", event)

    async def _on_server(self, event: Any) -> None:
        await self._on("server", event)

    async def _on(self, side: str, event: Any) -> None:
        await asyncio.sleep(0)
        name = type(event).__name__
        self.heard.append(f"{side} {name}")
        if hasattr(event, "message"):
            event.message = Note(text=f"{event.message.text} {side}-{name}")
        else:
            event.metadata[f"{side}-{name}".lower()] = "heard"


@every_pairing
@asynchronous
async def test_listeners_hear_of_a_call_in_order_and_may_change_it(pairing: Pairing) -> None:
    seen: list[Any] = []

    async def method(stream: Any) -> None:
        seen.append(dict(stream.metadata))
        await echo_one(stream)

    async with connected(pairing, Probe(method, bidi_stream=method)) as (channel, server, stub):
        listeners = Listeners(channel, server)
        for call in (stub.Unary, stub.BidiStream):
            listeners.heard.clear()
            async with call.open(metadata={"own": "x"}) as stream:
                await stream.send_message(Note(text="hello"), end=True)
                reply = await stream.recv_message()
            assert reply.text == "hello client-SendMessage server-RecvMessage server-SendMessage client-RecvMessage"
            assert dict(stream.initial_metadata) == {
                "server-sendinitialmetadata": "heard", "client-recvinitialmetadata": "heard"
            }
            assert dict(stream.trailing_metadata) == {
                "server-sendtrailingmetadata": "heard", "client-recvtrailingmetadata": "heard"
            }
            assert [name for name in listeners.heard if name.startswith("client")] == [
                "client SendRequest", "client SendMessage", "client RecvInitialMetadata", "client RecvMessage",
                "client RecvTrailingMetadata",
            ]
            assert [name for name in listeners.heard if name.startswith("server")] == [
                "server RecvRequest", "server RecvMessage", "server SendInitialMetadata", "server SendMessage",
                "server SendTrailingMetadata",
            ]
    expected = {"own": "x", "client-sendrequest": "heard", "server-recvrequest": "heard"}
    assert seen == [expected, expected]


@every_pairing
@asynchronous
async def test_listeners_learn_what_the_call_is_and_how_it_ended(pairing: Pairing) -> None:
    facts: dict[str, Any] = {}

    async def fail(stream: Any) -> None:
        raise GRPCError(Status.NOT_FOUND, "nothing here", ["a", "b"])

    async def on_send_request(event: SendRequest) -> None:
        facts["send"] = (event.method_name, event.deadline is not None, event.content_type)

    async def on_recv_request(event: RecvRequest) -> None:
        facts["recv"] = (event.method_name, event.deadline is not None, event.content_type, event.peer is not None)
        facts["agent"] = event.user_agent

    async def on_send_trailing(event: SendTrailingMetadata) -> None:
        facts["sent"] = (event.status, event.status_message, event.status_details)

    async def on_recv_trailing(event: RecvTrailingMetadata) -> None:
        facts["received"] = (event.status, event.status_message, event.status_details)

    options = {"status_details_codec": WordsCodec()}
    async with connected(
        pairing, Probe(fail), server_options=options, channel_options=options
    ) as (channel, server, stub):
        listen(channel, SendRequest, on_send_request)
        listen(channel, RecvTrailingMetadata, on_recv_trailing)
        listen(server, RecvRequest, on_recv_request)
        listen(server, SendTrailingMetadata, on_send_trailing)
        with pytest.raises(GRPCError):
            await stub.Unary(Note(), timeout=5.0)
    path = "/goplugin.tests.aio.Probe/Unary"
    assert facts["send"] == (path, True, "application/grpc")
    assert facts["recv"] == (path, True, "application/grpc", True)
    assert facts["agent"].startswith("grpc-python")
    assert facts["sent"] == facts["received"] == (Status.NOT_FOUND, "nothing here", ["a", "b"])


@every_pairing
@asynchronous
async def test_a_listener_may_put_another_method_in_the_place_of_the_servers(pairing: Pairing) -> None:
    async def deny(stream: Any) -> None:
        raise GRPCError(Status.UNAUTHENTICATED, "who are you")

    async def guard(event: RecvRequest) -> None:
        if event.metadata.get("token") != "secret":
            event.method_func = deny
            event.interrupt()

    async with connected(pairing, ECHO) as (_, server, stub):
        listen(server, RecvRequest, guard)
        with pytest.raises(GRPCError, match="who are you"):
            await stub.Unary(Note())
        assert await stub.Unary(Note(text="x"), metadata={"token": "secret"}) == Note(text="x")


@every_pairing
@asynchronous
async def test_a_listener_that_raises_fails_the_call(pairing: Pairing) -> None:
    async def refuse(event: Any) -> None:
        raise LookupError("not today")

    async with connected(pairing, ECHO) as (channel, server, stub):
        listen(server, RecvRequest, refuse)
        with pytest.raises(GRPCError, match="Internal Server Error"):
            await stub.Unary(Note())
        listen(channel, SendRequest, refuse)
        with pytest.raises(LookupError, match="not today"):
            await stub.Unary(Note())


@every_pairing
@asynchronous
async def test_a_deadline_interrupts_a_listener(pairing: Pairing) -> None:
    interrupted = asyncio.Event()

    async def dawdle(event: Any) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            interrupted.set()
            raise

    async with connected(pairing, ECHO) as (channel, _, stub):
        listen(channel, SendMessage, dawdle)
        with pytest.raises(TimeoutError, match="Deadline exceeded"):
            await stub.Unary(Note(), timeout=0.05)
        assert interrupted.is_set()


# --- deadlines and cancellation ----------------------------------------------------------------------------------


@every_pairing
@asynchronous
async def test_a_deadline_ends_the_call_at_both_ends(pairing: Pairing) -> None:
    method = Waiting()
    async with connected(pairing, Probe(method, method)) as (_, _, stub):
        for call in (stub.Unary, stub.ServerStream):
            method.cancelled.clear()
            with pytest.raises((TimeoutError, GRPCError)) as raised:
                await call(Note(), timeout=0.05)
            assert isinstance(raised.value, TimeoutError) or raised.value.status is Status.DEADLINE_EXCEEDED
            await method.cancelled.wait()


@every_pairing
@asynchronous
async def test_a_method_sees_how_long_its_caller_waits(pairing: Pairing) -> None:
    seen: list[float] = []

    async def look(stream: Any) -> None:
        seen.append(stream.deadline.time_remaining())
        await echo_one(stream)

    async with connected(pairing, Probe(look)) as (_, _, stub):
        await stub.Unary(Note(), timeout=9.0)
    assert 8.0 < seen[0] <= 9.0


@every_pairing
@asynchronous
async def test_a_deadline_that_has_passed_ends_the_call_before_it_begins(pairing: Pairing) -> None:
    method = Waiting()
    async with connected(pairing, Probe(method)) as (_, _, stub):
        with pytest.raises(TimeoutError, match="Deadline exceeded"):
            await stub.Unary(Note(), timeout=0)
    assert not method.called.is_set()


@every_pairing
@pytest.mark.parametrize("how", ["cancel", "task", "error"])
@asynchronous
async def test_a_client_that_gives_up_cancels_the_method(pairing: Pairing, how: str) -> None:
    method = Waiting()

    async def call(stub: ProbeStub, kind: str) -> None:
        async with getattr(stub, kind).open() as stream:
            await stream.send_message(Note(), end=True)
            await method.called.wait()
            if how == "cancel":
                await stream.cancel()
            elif how == "error":
                raise LookupError
            else:
                await stream.recv_message()

    async with connected(pairing, Probe(method, method, method, method)) as (_, _, stub):
        for kind in ("Unary", "ServerStream", "ClientStream", "BidiStream"):
            method.called.clear()
            method.cancelled.clear()
            task = asyncio.create_task(call(stub, kind))
            await method.called.wait()
            if how == "task":
                await asyncio.sleep(0)
                task.cancel()
            await asyncio.wait([task])
            if how == "cancel":
                assert task.exception() is None
            elif how == "error":
                assert isinstance(task.exception(), LookupError)
            else:
                assert task.cancelled()
            await method.cancelled.wait()


@every_pairing
@asynchronous
async def test_a_method_that_gives_up_resets_the_call(pairing: Pairing) -> None:
    async def reset(stream: Any) -> None:
        await stream.recv_message()
        await stream.cancel()

    async with connected(pairing, Probe(reset, bidi_stream=reset)) as (_, _, stub):
        with pytest.raises(StreamTerminatedError):
            await stub.Unary(Note())
        with pytest.raises(StreamTerminatedError):
            await stub.BidiStream([Note()])


@every_pairing
@asynchronous
async def test_a_method_may_clean_up_when_it_is_cancelled(pairing: Pairing) -> None:
    cleaned_up = asyncio.Event()
    called = asyncio.Event()

    async def method(stream: Any) -> None:
        called.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            cleaned_up.set()

    async with connected(pairing, Probe(method)) as (_, _, stub):
        task = asyncio.create_task(stub.Unary(Note()))
        await called.wait()
        task.cancel()
        await cleaned_up.wait()
        with pytest.raises(asyncio.CancelledError):
            await task


# --- size and number ---------------------------------------------------------------------------------------------


@every_pairing
@pytest.mark.parametrize("size", [0, 1, 16_379, 16_380, 65_536, MEBIBYTE, 16 * MEBIBYTE, 64 * MEBIBYTE])
@asynchronous
async def test_messages_of_any_size_travel_both_ways(pairing: Pairing, size: int) -> None:
    data = bytes(range(251)) * (size // 251 + 1)
    note = Note(data=data[:size])
    async with connected(pairing, ECHO) as (_, _, stub):
        assert await stub.Unary(note) == note
        if size <= MEBIBYTE:
            assert await stub.BidiStream([note, note]) == [note, note]


SMALL_WINDOWS = {"config": Configuration(http2_connection_window_size=2**20, http2_stream_window_size=2**16)}


@every_pairing
@asynchronous
async def test_a_server_waits_for_a_client_that_reads_slowly(pairing: Pairing) -> None:
    sent = 0
    stalled = asyncio.Event()

    async def pour(stream: Any) -> None:
        nonlocal sent
        await stream.recv_message()
        for _ in range(100):
            stalling = asyncio.get_running_loop().call_later(0.2, stalled.set)
            await stream.send_message(Note(data=bytes(16 * 1024)))
            stalling.cancel()
            sent += 1

    async with (
        connected(pairing, Probe(server_stream=pour), channel_options=SMALL_WINDOWS) as (_, _, stub),
        stub.ServerStream.open() as stream,
    ):
        await stream.send_message(Note(), end=True)
        await stalled.wait()
        assert sent < 10
        received = [len(note.data) async for note in stream]
    assert received == [16 * 1024] * 100


@every_pairing
@asynchronous
async def test_a_client_waits_for_a_method_that_reads_slowly(pairing: Pairing) -> None:
    method = Waiting(join)
    sent = 0
    stalled = asyncio.Event()

    async def pour(stub: ProbeStub) -> Note:
        nonlocal sent
        async with stub.ClientStream.open() as stream:
            for _ in range(100):
                stalling = asyncio.get_running_loop().call_later(0.2, stalled.set)
                await stream.send_message(Note(text="x", data=bytes(16 * 1024)))
                stalling.cancel()
                sent += 1
            await stream.end()
            return await stream.recv_message()

    async with connected(pairing, Probe(client_stream=method), server_options=SMALL_WINDOWS) as (_, _, stub):
        pouring = asyncio.create_task(pour(stub))
        await stalled.wait()
        assert sent < 10
        method.let_go.set()
        assert (await pouring).text == "x" * 100


@every_pairing
@asynchronous
async def test_a_stalled_stream_holds_up_no_other_call(pairing: Pairing) -> None:
    async def pour(stream: Any) -> None:
        while True:
            await stream.send_message(Note(data=bytes(16 * 1024)))

    async with (
        connected(pairing, Probe(echo_one, pour), channel_options=SMALL_WINDOWS) as (_, _, stub),
        stub.ServerStream.open() as stream,
    ):
        await stream.send_message(Note(), end=True)
        await stream.recv_message()
        for _ in range(20):
            assert await stub.Unary(Note(text="x")) == Note(text="x")
        await stream.cancel()


@every_pairing
@asynchronous
async def test_many_calls_run_at_once(pairing: Pairing) -> None:
    notes = [Note(text=str(number)) for number in range(3)]
    async with connected(pairing, ECHO) as (_, _, stub):
        unary = [stub.Unary(Note(text=str(number))) for number in range(64)]
        others = [(stub.ServerStream(notes[2]), stub.ClientStream(notes), stub.BidiStream(notes)) for _ in range(10)]
        replies = await asyncio.gather(*unary)
        rest = await asyncio.gather(*(call for calls in others for call in calls))
    assert [reply.text for reply in replies] == [str(number) for number in range(64)]
    assert rest == [[Note(text="0"), Note(text="1")], Note(text="012"), notes] * 10


@every_pairing
@asynchronous
async def test_a_slow_method_holds_up_no_other(pairing: Pairing) -> None:
    slow = Waiting()

    async def method(stream: Any) -> None:
        if "slow" in stream.metadata:
            await slow(stream)
        else:
            await echo_one(stream)

    async with connected(pairing, Probe(method)) as (_, _, stub):
        waiting = asyncio.create_task(stub.Unary(Note(text="slow"), metadata={"slow": "yes"}))
        await slow.called.wait()
        assert [await stub.Unary(Note(text=str(n))) for n in range(5)] == [Note(text=str(n)) for n in range(5)]
        slow.let_go.set()
        assert (await waiting).text == "slow"


@every_pairing
@asynchronous
async def test_calls_leave_nothing_behind(pairing: Pairing) -> None:
    async def fail(stream: Any) -> None:
        raise GRPCError(Status.NOT_FOUND)

    async with connected(pairing, Probe(echo_one, fail)) as (_, _, stub):
        await stub.Unary(Note())
        tasks = len(asyncio.all_tasks())
        for number in range(1000):
            assert (await stub.Unary(Note(text=str(number)))).text == str(number)
        for _ in range(10):
            with pytest.raises(GRPCError):
                await stub.ServerStream(Note())
        await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) <= tasks
        gc.collect()
        kinds = (grpclib.client.Stream, grpclib.server.Stream)
        streams = [found for found in gc.get_objects() if isinstance(found, kinds)]
        # grpclib's server looks for finished calls at every tenth only.
        assert len(streams) <= (10 if pairing.server.name == "grpclib" else 0)


# --- connections -------------------------------------------------------------------------------------------------


@every_pairing
@asynchronous
async def test_a_lost_connection_ends_its_calls_and_the_next_call_makes_another(pairing: Pairing) -> None:
    method = Waiting()
    relay = Relay()
    async with connected(pairing, Probe(method, method), through=relay) as (_, _, stub):
        calls = [asyncio.create_task(call) for call in (stub.Unary(Note()), stub.ServerStream(Note()))]
        await method.called.wait()
        relay.cut()
        await asyncio.wait(calls)
        assert [type(call.exception()) for call in calls] == [StreamTerminatedError] * 2
        await method.cancelled.wait()
        method.let_go.set()
        assert await stub.Unary(Note(text="again")) == Note(text="again")
        assert relay.connections == 2


@every_pairing
@asynchronous
async def test_a_call_without_a_server_raises_what_the_system_says(pairing: Pairing) -> None:
    channel = pairing.client.channel(path=socket_path())
    with pytest.raises(FileNotFoundError):
        await ProbeStub(channel).Unary(Note())
    channel.close()


@every_pairing
@asynchronous
async def test_a_channel_that_is_closed_ends_its_calls_and_may_be_used_again(pairing: Pairing) -> None:
    method = Waiting()
    async with connected(pairing, Probe(method)) as (channel, _, stub):
        call = asyncio.create_task(stub.Unary(Note()))
        await method.called.wait()
        channel.close()
        with pytest.raises(StreamTerminatedError):
            await call
        await method.cancelled.wait()
        method.let_go.set()
        assert await stub.Unary(Note(text="again")) == Note(text="again")


@every_pairing
@asynchronous
async def test_a_server_that_closes_cancels_its_methods_and_waits_for_them(pairing: Pairing) -> None:
    called = asyncio.Event()
    cleaned_up = asyncio.Event()

    async def method(stream: Any) -> None:
        called.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            cleaned_up.set()

    path = socket_path()
    server = pairing.server.server([Probe(method)])
    await server.start(path=path)
    channel = pairing.client.channel(path=path)
    call = asyncio.create_task(ProbeStub(channel).Unary(Note()))
    await called.wait()
    server.close()
    if pairing.server.name == "grpclib":
        # It leaves the connections open, and waits from Python 3.12 on until the clients have closed them.
        await cleaned_up.wait()
        channel.close()
    await server.wait_closed()
    assert cleaned_up.is_set()
    with pytest.raises(StreamTerminatedError):
        await call
    channel.close()


@every_pairing
@asynchronous
async def test_calls_travel_over_tcp(pairing: Pairing) -> None:
    server = pairing.server.server([ECHO])
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    await server.start(sock=sock)
    host, port = sock.getsockname()
    channel = pairing.client.channel(host, port)
    note = Note(data=bytes(MEBIBYTE))
    assert await ProbeStub(channel).Unary(note) == note
    channel.close()
    server.close()
    await server.wait_closed()


@every_pairing
@asynchronous
async def test_calls_travel_over_tls(pairing: Pairing, certificate: Certificate) -> None:
    seen: list[Any] = []

    async def look(stream: Any) -> None:
        seen.append(stream.peer)
        await echo_one(stream)

    path = socket_path()
    server = pairing.server.server([Probe(look, bidi_stream=echo)])
    await server.start(path=path, ssl=certificate.server_context())
    config = Configuration(ssl_target_name_override="localhost")
    channel = pairing.client.channel(path=path, ssl=certificate.client_context(), config=config)
    stub = ProbeStub(channel)
    note = Note(data=bytes(MEBIBYTE))
    async with stub.Unary.open() as stream:
        await stream.send_message(note)
        assert stream.peer.cert()["subject"] == ((("commonName", "localhost"),),)
        assert await stream.recv_message() == note
    assert await stub.BidiStream([note] * 3) == [note] * 3
    channel.close()
    server.close()
    await server.wait_closed()


@every_pairing
@asynchronous
async def test_a_server_that_cannot_prove_its_name_is_refused(pairing: Pairing, certificate: Certificate) -> None:
    path = socket_path()
    server = pairing.server.server([ECHO])
    await server.start(path=path, ssl=certificate.server_context())
    config = Configuration(ssl_target_name_override="elsewhere")
    channel = pairing.client.channel(path=path, ssl=certificate.client_context(), config=config)
    with pytest.raises(ssl.SSLCertVerificationError):
        await ProbeStub(channel).Unary(Note())
    channel.close()
    server.close()
    await server.wait_closed()
    await turns_until(lambda: len(asyncio.all_tasks()) == 1)    # the server has still to hear of the failed handshake
