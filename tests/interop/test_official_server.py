"""Our clients make the calls of gRPC's interoperability cases to gRPC's own server, one test for each case.

The sizes and texts are those of grpc/doc/interop-test-descriptions.md.
"""
from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError, StreamTerminatedError

from goplugin import aio
from goplugin.core.errors import RemoteError
from goplugin.core.status import Code
from goplugin.sync.call import Call
from goplugin.sync.channel import Channel, channel_to

from ..goplugin.harness import asynchronous
from .grpc_testing import INITIAL_KEY, REPLY_SIZES, REQUEST_SIZES, TRAILING_KEY, testing_grpc
from .grpc_testing.testing_pb2 import (
    EchoStatus,
    Empty,
    Payload,
    ResponseParameters,
    SimpleRequest,
    SimpleResponse,
    StreamingInputCallRequest,
    StreamingInputCallResponse,
    StreamingOutputCallRequest,
    StreamingOutputCallResponse,
)
from .judges import Judges

pytestmark = pytest.mark.go

SECONDS = 20.0
LARGE_REQUEST, LARGE_REPLY = 271_828, 314_159
METADATA = ((INITIAL_KEY, "test_initial_metadata_value"), (TRAILING_KEY, b"\x0a\x0b\x0a\x0b\x0a\x0b"))
PLAIN_TEXT = "test status message"
SPECIAL_TEXT = "\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \U0001f608\t\n"


@pytest.fixture(scope="module")
def port(judges: Judges) -> Iterator[int]:
    """The port of the official server."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with subprocess.Popen([judges.server, f"-port={port}"], stderr=subprocess.DEVNULL) as server:
        try:
            wait_for_listener(port)
            yield port
        finally:
            server.kill()


def wait_for_listener(port: int) -> None:
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        else:
            return


def payload(size: int) -> Payload:
    return Payload(body=bytes(size))


def large_request() -> SimpleRequest:
    return SimpleRequest(response_size=LARGE_REPLY, payload=payload(LARGE_REQUEST))


def output_request(reply_sizes: tuple[int, ...], size: int = 0) -> StreamingOutputCallRequest:
    parameters = [ResponseParameters(size=reply_size) for reply_size in reply_sizes]
    return StreamingOutputCallRequest(response_parameters=parameters, payload=payload(size))


def failing(text: str) -> dict[str, Any]:
    return {"response_status": EchoStatus(code=Code.UNKNOWN, message=text)}


# --- asyncio, with generated code --------------------------------------------------------------------------------


class TestAsyncio:
    @contextlib.asynccontextmanager
    async def stub(self, port: int, stub: Callable[[Any], Any] = testing_grpc.TestServiceStub) -> AsyncIterator[Any]:
        channel = aio.Channel("127.0.0.1", port)
        try:
            yield stub(channel)
        finally:
            channel.close()

    @asynchronous
    async def test_empty_unary(self, port: int) -> None:
        async with self.stub(port) as stub:
            assert await stub.EmptyCall(Empty()) == Empty()

    @asynchronous
    async def test_large_unary(self, port: int) -> None:
        async with self.stub(port) as stub:
            assert (await stub.UnaryCall(large_request())).payload == payload(LARGE_REPLY)

    @asynchronous
    async def test_client_streaming(self, port: int) -> None:
        async with self.stub(port) as stub:
            requests = [StreamingInputCallRequest(payload=payload(size)) for size in REQUEST_SIZES]

            reply = await stub.StreamingInputCall(requests)

        assert reply.aggregated_payload_size == sum(REQUEST_SIZES)

    @asynchronous
    async def test_server_streaming(self, port: int) -> None:
        async with self.stub(port) as stub:
            replies = await stub.StreamingOutputCall(output_request(REPLY_SIZES))

        assert [reply.payload for reply in replies] == [payload(size) for size in REPLY_SIZES]

    @asynchronous
    async def test_ping_pong(self, port: int) -> None:
        async with self.stub(port) as stub, stub.FullDuplexCall.open() as stream:
            for request_size, reply_size in zip(REQUEST_SIZES, REPLY_SIZES, strict=True):
                await stream.send_message(output_request((reply_size,), request_size))
                assert (await stream.recv_message()).payload == payload(reply_size)
            await stream.end()
            assert await stream.recv_message() is None

    @asynchronous
    async def test_empty_stream(self, port: int) -> None:
        async with self.stub(port) as stub:
            assert await stub.FullDuplexCall([]) == []

    @asynchronous
    async def test_timeout_on_sleeping_server(self, port: int) -> None:
        async def call(stub: Any) -> None:
            async with stub.FullDuplexCall.open(timeout=0.001) as stream:
                await stream.send_message(StreamingOutputCallRequest(payload=payload(REQUEST_SIZES[0])))
                await stream.recv_message()

        async with self.stub(port) as stub:
            with pytest.raises((TimeoutError, GRPCError)) as caught:     # whichever side notices first
                await call(stub)
        assert getattr(caught.value, "status", Status.DEADLINE_EXCEEDED) is Status.DEADLINE_EXCEEDED

    @asynchronous
    async def test_cancel_after_begin(self, port: int) -> None:
        async with self.stub(port) as stub:
            async with stub.StreamingInputCall.open(metadata={"key1": "value1", "key2": "value2"}) as stream:
                await stream.send_request()
                await stream.cancel()
            assert await stub.EmptyCall(Empty()) == Empty()

    @asynchronous
    async def test_cancel_after_first_response(self, port: int) -> None:
        async with self.stub(port) as stub:
            async with stub.FullDuplexCall.open() as stream:
                await stream.send_message(output_request(REPLY_SIZES[:1], REQUEST_SIZES[0]))
                assert (await stream.recv_message()).payload == payload(REPLY_SIZES[0])
                await stream.cancel()
                with pytest.raises(StreamTerminatedError):
                    await stream.recv_message()
            assert await stub.EmptyCall(Empty()) == Empty()

    @asynchronous
    async def test_status_code_and_message(self, port: int) -> None:
        async with self.stub(port) as stub:
            for call in (
                stub.UnaryCall(SimpleRequest(**failing(PLAIN_TEXT))),
                stub.FullDuplexCall([StreamingOutputCallRequest(**failing(PLAIN_TEXT))]),
            ):
                with pytest.raises(GRPCError) as caught:
                    await call
                assert (caught.value.status, caught.value.message) == (Status.UNKNOWN, PLAIN_TEXT)

    @asynchronous
    async def test_special_status_message(self, port: int) -> None:
        async with self.stub(port) as stub:
            with pytest.raises(GRPCError) as caught:
                await stub.UnaryCall(SimpleRequest(**failing(SPECIAL_TEXT)))
        assert (caught.value.status, caught.value.message) == (Status.UNKNOWN, SPECIAL_TEXT)

    @asynchronous
    async def test_custom_metadata(self, port: int) -> None:
        async with self.stub(port) as stub:
            for method, request in (
                (stub.UnaryCall, SimpleRequest(response_size=1, payload=payload(1))),
                (stub.FullDuplexCall, output_request((1,), 1)),
            ):
                async with method.open(metadata=METADATA) as stream:
                    await stream.send_message(request, end=True)
                    assert (await stream.recv_message()).payload == payload(1)
                    await stream.recv_trailing_metadata()
                assert (INITIAL_KEY, stream.initial_metadata[INITIAL_KEY]) == METADATA[0]
                assert (TRAILING_KEY, stream.trailing_metadata[TRAILING_KEY]) == METADATA[1]

    @asynchronous
    async def test_unimplemented_method(self, port: int) -> None:
        async with self.stub(port) as stub:
            with pytest.raises(GRPCError) as caught:
                await stub.UnimplementedCall(Empty())
        assert caught.value.status is Status.UNIMPLEMENTED

    @asynchronous
    async def test_unimplemented_service(self, port: int) -> None:
        async with self.stub(port, testing_grpc.UnimplementedServiceStub) as stub:
            with pytest.raises(GRPCError) as caught:
                await stub.UnimplementedCall(Empty())
        assert caught.value.status is Status.UNIMPLEMENTED


# --- blocking ----------------------------------------------------------------------------------------------------


SERVICE = "/grpc.testing.TestService"


class TestBlocking:
    @pytest.fixture
    def channel(self, port: int) -> Iterator[Channel]:
        channel = channel_to("tcp", f"127.0.0.1:{port}")
        try:
            yield channel
        finally:
            channel.close()

    def open(self, channel: Channel, method: str, **options: Any) -> Call:
        return channel.open(f"{SERVICE}/{method}", **options)

    def unary_call(self, channel: Channel, request: SimpleRequest, **options: Any) -> Any:
        return channel.unary(f"{SERVICE}/UnaryCall", request.SerializeToString(), **options)

    def empty_call(self, channel: Channel, service: str = SERVICE, method: str = "EmptyCall") -> bytes | None:
        return channel.unary(f"{service}/{method}", Empty().SerializeToString()).message

    def payload_of(self, reply: bytes | None) -> Payload:
        assert reply is not None
        return StreamingOutputCallResponse.FromString(reply).payload

    def test_empty_unary(self, channel: Channel) -> None:
        assert self.empty_call(channel) == b""

    def test_large_unary(self, channel: Channel) -> None:
        reply = SimpleResponse.FromString(self.unary_call(channel, large_request()).message)

        assert reply.payload == payload(LARGE_REPLY)

    def test_client_streaming(self, channel: Channel) -> None:
        with self.open(channel, "StreamingInputCall") as call:
            for size in REQUEST_SIZES:
                call.send(StreamingInputCallRequest(payload=payload(size)).SerializeToString())
            call.end()
            reply, = call

        assert StreamingInputCallResponse.FromString(reply).aggregated_payload_size == sum(REQUEST_SIZES)

    def test_server_streaming(self, channel: Channel) -> None:
        with self.open(channel, "StreamingOutputCall") as call:
            call.send(output_request(REPLY_SIZES).SerializeToString(), end=True)

            assert [self.payload_of(reply) for reply in call] == [payload(size) for size in REPLY_SIZES]

    def test_ping_pong(self, channel: Channel) -> None:
        with self.open(channel, "FullDuplexCall") as call:
            for request_size, reply_size in zip(REQUEST_SIZES, REPLY_SIZES, strict=True):
                call.send(output_request((reply_size,), request_size).SerializeToString())
                assert self.payload_of(call.receive()) == payload(reply_size)
            call.end()
            assert call.receive() is None

    def test_empty_stream(self, channel: Channel) -> None:
        with self.open(channel, "FullDuplexCall") as call:
            call.end()
            assert call.receive() is None

    def test_timeout_on_sleeping_server(self, channel: Channel) -> None:
        def call() -> None:
            with self.open(channel, "FullDuplexCall", timeout=0.001) as call:
                call.send(StreamingOutputCallRequest(payload=payload(REQUEST_SIZES[0])).SerializeToString())
                call.receive()

        with pytest.raises(RemoteError) as caught:
            call()
        assert caught.value.code is Code.DEADLINE_EXCEEDED

    def test_cancel_after_begin(self, channel: Channel) -> None:
        with self.open(channel, "StreamingInputCall", metadata=[("key1", "value1"), ("key2", "value2")]) as call:
            call.cancel()
            with pytest.raises(RemoteError) as caught:
                call.receive()
        assert caught.value.code is Code.CANCELLED
        assert self.empty_call(channel) == b""

    def test_cancel_after_first_response(self, channel: Channel) -> None:
        with self.open(channel, "FullDuplexCall") as call:
            call.send(output_request(REPLY_SIZES[:1], REQUEST_SIZES[0]).SerializeToString())
            assert self.payload_of(call.receive()) == payload(REPLY_SIZES[0])
            call.cancel()
            with pytest.raises(RemoteError) as caught:
                call.receive()
        assert caught.value.code is Code.CANCELLED
        assert self.empty_call(channel) == b""

    def test_status_code_and_message(self, channel: Channel) -> None:
        with pytest.raises(RemoteError) as unary:
            self.unary_call(channel, SimpleRequest(**failing(PLAIN_TEXT)))
        with self.open(channel, "FullDuplexCall") as call:
            call.send(StreamingOutputCallRequest(**failing(PLAIN_TEXT)).SerializeToString(), end=True)
            with pytest.raises(RemoteError) as streaming:
                call.receive()
        for caught in (unary, streaming):
            assert (caught.value.code, caught.value.message) == (Code.UNKNOWN, PLAIN_TEXT)

    def test_special_status_message(self, channel: Channel) -> None:
        with pytest.raises(RemoteError) as caught:
            self.unary_call(channel, SimpleRequest(**failing(SPECIAL_TEXT)))
        assert (caught.value.code, caught.value.message) == (Code.UNKNOWN, SPECIAL_TEXT)

    def test_custom_metadata(self, channel: Channel) -> None:
        request = SimpleRequest(response_size=1, payload=payload(1))
        answer = self.unary_call(channel, request, metadata=METADATA)
        with self.open(channel, "FullDuplexCall", metadata=METADATA) as call:
            call.send(output_request((1,), 1).SerializeToString(), end=True)
            assert [self.payload_of(reply) for reply in call] == [payload(1)]
            assert call.status is not None
            for initial, trailing in (
                (answer.metadata, answer.status.metadata),
                (call.initial_metadata(), call.status.metadata),
            ):
                assert METADATA[0] in initial
                assert METADATA[1] in trailing

    def test_unimplemented_method(self, channel: Channel) -> None:
        with pytest.raises(RemoteError) as caught:
            self.empty_call(channel, method="UnimplementedCall")
        assert caught.value.code is Code.UNIMPLEMENTED

    def test_unimplemented_service(self, channel: Channel) -> None:
        with pytest.raises(RemoteError) as caught:
            self.empty_call(channel, service="/grpc.testing.UnimplementedService", method="UnimplementedCall")
        assert caught.value.code is Code.UNIMPLEMENTED
