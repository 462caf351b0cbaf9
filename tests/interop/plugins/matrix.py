"""The contract of go/matrix in Python, for both runtimes: the service, and the calls of a client.

go/matrix/matrix.go says what the methods do.
"""
from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, Self

from grpclib.client import StreamStreamMethod, StreamUnaryMethod, UnaryStreamMethod, UnaryUnaryMethod
from grpclib.const import Cardinality, Handler

from goplugin.aio.broker import Broker as AsyncBroker
from goplugin.aio.broker import Served as AsyncServed
from goplugin.core.handshake import HandshakeConfig
from goplugin.core.protowire import bytes_field, fields
from goplugin.plugin import Method, Streams
from goplugin.sync.broker import Broker, Served
from goplugin.sync.channel import Channel

__all__ = ["HANDSHAKE", "AsyncMatrix", "AsyncMatrixService", "Matrix", "MatrixService", "Message"]

HANDSHAKE = HandshakeConfig(magic_cookie_key="MATRIX_PLUGIN", magic_cookie_value="hello")
SECONDS = 10.0

UNARY = ("Echo", "CallBack", "Offer", "Print", "Exit", "Version")


class Message(NamedTuple):
    """google.protobuf.BytesValue."""

    value: bytes = b""

    def SerializeToString(self) -> bytes:
        return bytes_field(1, self.value)

    @classmethod
    def FromString(cls, data: bytes) -> Self:
        return cls(b"".join(value for _, _, value in fields(data) if isinstance(value, bytes)))


def path(method: str) -> str:
    return f"/matrix.v1.Matrix/{method}"


def print_and_flush(request: bytes) -> None:
    where, _, text = request.decode().partition(" ")
    print(text, end="", file=sys.stderr if where == "stderr" else sys.stdout, flush=True)


# --- the blocking runtime --------------------------------------------------------------------------------------------


class MatrixService:
    """`broker` is that of the connection on which this is served, or any of the same plugin.

    What it offers ends when it offers something else.
    """

    def __init__(self, broker: Broker, version: int = 0) -> None:
        self._broker = broker
        self._version = version
        self._offered: Served | None = None

    def __mapping__(self) -> dict[str, Method]:
        methods = {path(name): Method(getattr(self, f"_{name}"), Streams(), Message, Message) for name in UNARY}
        return {
            **methods,
            path("Join"): Method(self._Join, Streams(True, False), Message, Message),
            path("Split"): Method(self._Split, Streams(False, True), Message, Message),
            path("Chat"): Method(self._Chat, Streams(True, True), Message, Message),
        }

    def _Echo(self, request: Message, context: object) -> Message:
        return request

    def _CallBack(self, request: Message, context: object) -> Message:
        service_id, _, text = request.value.partition(b" ")
        with self._broker.dial(int(service_id)) as channel:
            return Message(Matrix(channel, self._broker).call("Echo", text))

    def _Offer(self, request: Message, context: object) -> Message:
        if self._offered is not None:
            self._offered.close()
        self._offered = self._broker.accept_and_serve(self._broker.next_id(), [MatrixService(self._broker)])
        return Message(b"%d" % self._offered.service_id)

    def _Print(self, request: Message, context: object) -> Message:
        print_and_flush(request.value)
        return Message()

    def _Exit(self, request: Message, context: object) -> Message:
        os._exit(int(request.value))

    def _Version(self, request: Message, context: object) -> Message:
        return Message(b"%d" % self._version)

    def _Join(self, requests: Iterator[Message], context: object) -> Message:
        return Message(b"".join(request.value for request in requests))

    def _Split(self, request: Message, context: object) -> Iterator[Message]:
        yield from map(Message, request.value.split(b"\n"))

    def _Chat(self, requests: Iterator[Message], context: object) -> Iterator[Message]:
        yield from requests


class Matrix:
    """Calls the other side's service."""

    def __init__(self, channel: Channel, broker: Broker) -> None:
        self._channel = channel
        self._broker = broker

    def call(self, method: str, request: bytes) -> bytes:
        reply = self._channel.unary(path(method), Message(request).SerializeToString(), timeout=SECONDS)
        return Message.FromString(reply.message or b"").value

    def stream(self, method: str, requests: Iterable[bytes]) -> list[bytes]:
        """The replies. It waits for one to each request if the method is Chat."""
        replies: list[bytes] = []
        with self._channel.open(path(method), timeout=SECONDS) as call:
            for request in requests:
                call.send(Message(request).SerializeToString())
                if method == "Chat":
                    replies.append(Message.FromString(call.receive() or b"").value)
            call.end()
            replies += [Message.FromString(reply).value for reply in call]
        return replies

    def call_back(self, text: bytes) -> bytes:
        """Serve the contract to the other side while that calls it; the answer that it got."""
        with self._broker.accept_and_serve(self._broker.next_id(), [MatrixService(self._broker)]) as served:
            return self.call("CallBack", b"%d %b" % (served.service_id, text))

    def offered(self, text: bytes) -> bytes:
        """Call Echo on a connection that the other side offers."""
        with self._broker.dial(int(self.call("Offer", b""))) as channel:
            return Matrix(channel, self._broker).call("Echo", text)


# --- the asyncio runtime ---------------------------------------------------------------------------------------------


class AsyncMatrixService:
    """As MatrixService."""

    def __init__(self, broker: AsyncBroker, version: int = 0) -> None:
        self._broker = broker
        self._version = version
        self._offered: AsyncServed | None = None

    def __mapping__(self) -> dict[str, Handler]:
        cardinalities = {
            "Join": Cardinality.STREAM_UNARY,
            "Split": Cardinality.UNARY_STREAM,
            "Chat": Cardinality.STREAM_STREAM,
            **dict.fromkeys(UNARY, Cardinality.UNARY_UNARY),
        }
        return {
            path(name): Handler(getattr(self, f"_{name}"), cardinality, Message, Message)
            for name, cardinality in cardinalities.items()
        }

    async def _Echo(self, stream: Any) -> None:
        await stream.send_message(await stream.recv_message())

    async def _CallBack(self, stream: Any) -> None:
        request = await stream.recv_message()
        service_id, _, text = request.value.partition(b" ")
        async with await self._broker.dial(int(service_id)) as channel:
            await stream.send_message(Message(await AsyncMatrix(channel, self._broker).call("Echo", text)))

    async def _Offer(self, stream: Any) -> None:
        await stream.recv_message()
        if self._offered is not None:
            await self._offered.close()
        self._offered = self._broker.accept_and_serve(self._broker.next_id(), [AsyncMatrixService(self._broker)])
        await stream.send_message(Message(b"%d" % self._offered.service_id))

    async def _Print(self, stream: Any) -> None:
        request = await stream.recv_message()
        print_and_flush(request.value)
        await stream.send_message(Message())

    async def _Exit(self, stream: Any) -> None:
        request = await stream.recv_message()
        os._exit(int(request.value))

    async def _Version(self, stream: Any) -> None:
        await stream.recv_message()
        await stream.send_message(Message(b"%d" % self._version))

    async def _Join(self, stream: Any) -> None:
        await stream.send_message(Message(b"".join([request.value async for request in stream])))

    async def _Split(self, stream: Any) -> None:
        request = await stream.recv_message()
        for line in request.value.split(b"\n"):
            await stream.send_message(Message(line))

    async def _Chat(self, stream: Any) -> None:
        async for request in stream:
            await stream.send_message(request)


class AsyncMatrix:
    """As Matrix."""

    def __init__(self, channel: Any, broker: AsyncBroker) -> None:
        self._channel = channel
        self._broker = broker

    async def call(self, method: str, request: bytes) -> bytes:
        unary = UnaryUnaryMethod(self._channel, path(method), Message, Message)
        return (await unary(Message(request), timeout=SECONDS)).value

    async def stream(self, method: str, requests: Iterable[bytes]) -> list[bytes]:
        kinds = {"Join": StreamUnaryMethod, "Split": UnaryStreamMethod, "Chat": StreamStreamMethod}
        replies: list[bytes] = []
        async with kinds[method](self._channel, path(method), Message, Message).open(timeout=SECONDS) as stream:
            for request in requests:
                await stream.send_message(Message(request))
                if method == "Chat":
                    replies.append((await stream.recv_message() or Message()).value)
            await stream.end()
            replies += [reply.value async for reply in stream]
        return replies

    async def call_back(self, text: bytes) -> bytes:
        async with self._broker.accept_and_serve(
            self._broker.next_id(), [AsyncMatrixService(self._broker)]
        ) as served:
            return await self.call("CallBack", b"%d %b" % (served.service_id, text))

    async def offered(self, text: bytes) -> bytes:
        async with await self._broker.dial(int(await self.call("Offer", b""))) as channel:
            return await AsyncMatrix(channel, self._broker).call("Echo", text)
