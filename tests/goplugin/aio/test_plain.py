"""What plain methods may do with their calls under asyncio; how they end is in ../test_grpc.py."""
from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Any

import pytest
from grpclib.exceptions import GRPCError

from goplugin import aio
from goplugin.aio.plugin_server import PluginServer
from goplugin.context import CallContext
from goplugin.core.errors import RemoteError
from goplugin.core.status import Code

from ..harness import SECONDS, asynchronous
from .probe.probe_grpc import ProbeBase, ProbeStub
from .support import Note, socket_path

Method = Callable[[Any, CallContext], Any]


class Plain(ProbeBase):
    """One plain method in all four places of the service."""

    def __init__(self, method: Method) -> None:
        self._method = method

    def Unary(self, request: Note, context: CallContext) -> Note:
        return self._method(request, context)

    def ServerStream(self, request: Note, context: CallContext) -> Iterable[Note]:
        return self._method(request, context)

    def ClientStream(self, requests: Iterator[Note], context: CallContext) -> Note:
        return self._method(requests, context)

    def BidiStream(self, requests: Iterator[Note], context: CallContext) -> Iterable[Note]:
        return self._method(requests, context)


@contextlib.asynccontextmanager
async def serving(method: Method) -> AsyncIterator[ProbeStub]:
    path = socket_path()
    server = PluginServer([Plain(method)])
    await server.start(path=path)
    channel = aio.Channel(path=path)
    try:
        yield ProbeStub(channel)
    finally:
        channel.close()
        await server.end(1.0)


# --- streams of requests -----------------------------------------------------------------------------------------


@asynchronous
async def test_a_stream_of_requests_is_an_iterator() -> None:
    def join(requests: Iterator[Note], context: CallContext) -> Note:
        return Note(text="".join(request.text for request in requests))

    async with serving(join) as stub:
        assert (await stub.ClientStream([Note(text=text) for text in "abc"])).text == "abc"
        assert (await stub.ClientStream([])).text == ""


@asynchronous
async def test_both_sides_of_a_call_may_take_turns() -> None:
    def shout(requests: Iterator[Note], context: CallContext) -> Iterator[Note]:
        for request in requests:
            yield Note(text=request.text.upper())

    async with serving(shout) as stub, stub.BidiStream.open() as stream:
        for text in ("one", "two", "three"):
            await stream.send_message(Note(text=text))
            assert (await stream.recv_message()).text == text.upper()
        await stream.end()
        assert await stream.recv_message() is None


@asynchronous
async def test_a_method_that_waits_for_requests_hears_that_the_host_gave_up() -> None:
    waiting, heard = threading.Event(), threading.Event()

    def wait(requests: Iterator[Note], context: CallContext) -> Note:
        next(requests)
        waiting.set()
        with pytest.raises(RemoteError, match="context canceled"):
            next(requests)
        heard.set()
        return Note()

    async def give_up(stub: ProbeStub) -> None:
        async with stub.ClientStream.open() as stream:
            await stream.send_message(Note())
            assert await asyncio.to_thread(waiting.wait, SECONDS)
            await stream.cancel()

    async with serving(wait) as stub:
        await give_up(stub)
        assert await asyncio.to_thread(heard.wait, SECONDS)


@asynchronous
async def test_a_method_that_waits_for_requests_hears_of_its_deadline() -> None:
    heard = threading.Event()

    def wait(requests: Iterator[Note], context: CallContext) -> Note:
        with pytest.raises(RemoteError, match="context canceled"):
            next(requests)
        heard.set()
        return Note()

    async def open_only(stub: ProbeStub) -> None:
        async with stub.ClientStream.open(timeout=0.1) as stream:
            await stream.send_request()
            await stream.recv_message()

    async with serving(wait) as stub:
        with pytest.raises((TimeoutError, GRPCError)):
            await open_only(stub)
        assert await asyncio.to_thread(heard.wait, SECONDS)


# --- metadata ----------------------------------------------------------------------------------------------------


@asynchronous
async def test_a_method_sees_what_the_caller_sent_beside_the_request() -> None:
    seen: list[Any] = []

    def method(request: Note, context: CallContext) -> Note:
        seen.append((context.invocation_metadata, context.metadata))
        return request

    async with serving(method) as stub:
        await stub.Unary(Note(), metadata=[("key", "first"), ("key", "second"), ("raw-bin", b"\0")])

    assert seen == [
        ((("key", "first"), ("key", "second"), ("raw-bin", b"\0")), {"key": "first", "raw-bin": b"\0"}),
    ]


@pytest.mark.parametrize("kind", ["Unary", "ServerStream"])
@asynchronous
async def test_a_method_may_send_metadata_before_and_behind_its_answer(kind: str) -> None:
    def method(request: Note, context: CallContext) -> Any:
        context.send_initial_metadata([("before", "yes")])
        context.set_trailing_metadata([("behind", "yes"), ("raw-bin", b"\0")])
        return request if kind == "Unary" else [request]

    async with serving(method) as stub, getattr(stub, kind).open() as stream:
        await stream.send_message(Note(text="x"), end=True)
        assert await stream.recv_message() == Note(text="x")
        await stream.recv_trailing_metadata()
        assert dict(stream.initial_metadata) == {"before": "yes"}
        assert dict(stream.trailing_metadata) == {"behind": "yes", "raw-bin": b"\0"}


@asynchronous
async def test_an_error_keeps_the_trailing_metadata() -> None:
    def method(request: Note, context: CallContext) -> Note:
        context.set_trailing_metadata([("behind", "yes")])
        raise RemoteError(Code.ABORTED, "again")

    async def call(stream: Any) -> None:
        async with stream:
            await stream.send_message(Note(), end=True)
            await stream.recv_message()

    async with serving(method) as stub:
        stream = stub.Unary.open()
        with pytest.raises(GRPCError, match="again"):
            await call(stream)
        assert dict(stream.trailing_metadata or {}) == {"behind": "yes"}


@asynchronous
async def test_a_stream_may_begin_before_its_first_reply() -> None:
    release = threading.Event()

    def method(request: Note, context: CallContext) -> Iterator[Note]:
        context.send_initial_metadata()
        release.wait(SECONDS)
        yield request

    async with serving(method) as stub, stub.ServerStream.open() as stream:
        await stream.send_message(Note(), end=True)
        await stream.recv_initial_metadata()
        release.set()
        assert await stream.recv_message() == Note()


# --- the end of a call -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["Unary", "ServerStream", "ClientStream", "BidiStream"])
@asynchronous
async def test_a_method_learns_that_nobody_waits_any_more(kind: str) -> None:
    called, heard, over = threading.Event(), threading.Event(), threading.Event()

    def method(request: Any, context: CallContext) -> Any:
        context.add_callback(over.set)
        called.set()
        if context.wait_cancelled(SECONDS):
            heard.set()
        return Note() if kind in ("Unary", "ClientStream") else []

    async def give_up(stub: ProbeStub) -> None:
        async with getattr(stub, kind).open() as stream:
            await stream.send_message(Note(), end=True)
            assert await asyncio.to_thread(called.wait, SECONDS)
            await stream.cancel()

    async with serving(method) as stub:
        await give_up(stub)
        assert await asyncio.to_thread(heard.wait, SECONDS)
        assert over.is_set()


@asynchronous
async def test_callbacks_are_called_when_the_answer_is_given() -> None:
    over = asyncio.Event()
    contexts: list[CallContext] = []

    def method(request: Note, context: CallContext) -> Note:
        contexts.append(context)
        context.add_callback(over.set)
        return request

    async with serving(method) as stub:
        await stub.Unary(Note(), timeout=SECONDS)
        await over.wait()

    assert not contexts[0].cancelled
