"""Our asyncio transport in the conformance suite, and grpclib's own: both have one contract.

    python -m tests.interop.conformance.on_asyncio {ours|grpclib} {serve SOCKET CERTIFICATE KEY | call}
"""
from __future__ import annotations

import asyncio
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from typing import Any

import grpclib.client
import grpclib.server
from google.protobuf.wrappers_pb2 import BytesValue
from grpclib.const import Cardinality, Handler, Status
from grpclib.encoding.base import StatusDetailsCodecBase
from grpclib.exceptions import GRPCError, StreamTerminatedError

from goplugin import aio
from goplugin.details import decode_details, encode_details

from .program import (
    PATIENCE,
    SERVICE,
    STREAMS,
    Call,
    Outcome,
    Pairs,
    Script,
    client_context,
    obey,
    server_context,
    texts_of,
    wait_for_eof,
)

_CARDINALITIES: dict[tuple[bool, bool], Any] = {tuple(kind.value): kind for kind in Cardinality}
_SLACK = 0.02        # seconds by which two clocks may differ
_METHODS: dict[tuple[bool, bool], Any] = {
    (False, False): grpclib.client.UnaryUnaryMethod,
    (False, True): grpclib.client.UnaryStreamMethod,
    (True, False): grpclib.client.StreamUnaryMethod,
    (True, True): grpclib.client.StreamStreamMethod,
}


class DetailsCodec(StatusDetailsCodecBase):
    """Details are a list of messages."""

    def encode(self, status: Status, message: str | None, details: Any) -> bytes:
        return encode_details(status.value, message or "", details)

    def decode(self, status: Status, message: str | None, data: bytes) -> Any:
        return decode_details(data)


# --- the server --------------------------------------------------------------------------------------------------


class Probe:
    def __init__(self) -> None:
        self._over: dict[bytes, asyncio.Event] = defaultdict(asyncio.Event)

    def __mapping__(self) -> dict[str, Handler]:
        methods = {
            "Unary": self.unary, "ServerStream": self.server_stream, "ClientStream": self.client_stream,
            "BidiStream": self.bidi_stream, "Wait": self.wait, "Hold": self.hold, "Ended": self.ended,
            "Remaining": self.remaining,
        }  # fmt: skip
        return {
            f"/{SERVICE}/{name}": Handler(
                partial(self._answer, method), _CARDINALITIES[STREAMS.get(name, (False, False))], BytesValue, BytesValue
            )
            for name, method in methods.items()
        }

    async def _answer(self, method: Callable[[Any], Any], stream: Any) -> None:
        script = Script.of(stream.metadata.items())
        if script.initial:
            await stream.send_initial_metadata(metadata=script.initial)
        reply = await method(stream)
        if reply is not None and not script.code:
            await stream.send_message(BytesValue(value=reply))
        await stream.send_trailing_metadata(
            status=Status(script.code),
            status_message=script.message or None,
            status_details=script.details or None,
            metadata=script.trailing,
        )

    async def unary(self, stream: Any) -> bytes:
        return (await stream.recv_message()).value

    async def server_stream(self, stream: Any) -> None:
        for line in (await stream.recv_message()).value.split(b"\n"):
            await stream.send_message(BytesValue(value=line))

    async def client_stream(self, stream: Any) -> bytes:
        return b"".join([request.value async for request in stream])

    async def bidi_stream(self, stream: Any) -> None:
        async for request in stream:
            await stream.send_message(request)

    async def wait(self, stream: Any) -> None:
        await asyncio.Event().wait()

    async def hold(self, stream: Any) -> None:
        request = await stream.recv_message()
        try:
            await stream.send_message(request)
            await asyncio.Event().wait()
        finally:
            self._over[request.value].set()

    async def ended(self, stream: Any) -> bytes:
        key = (await stream.recv_message()).value
        async with asyncio.timeout(PATIENCE):
            await self._over[key].wait()
        return key

    async def remaining(self, stream: Any) -> bytes:
        await stream.recv_message()
        return b"%d" % (stream.deadline.time_remaining() * 1000)


async def serve(make_server: Any, socket: str, certificate: str, key: str) -> None:
    probe = Probe()
    plain, secure = (make_server([probe], status_details_codec=DetailsCodec()) for _ in range(2))
    await plain.start(path=socket)
    await secure.start("127.0.0.1", 0, ssl=server_context(certificate, key))
    print(secure._server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(wait_for_eof)
    for server in (plain, secure):
        server.close()
        await server.wait_closed()


# --- the client --------------------------------------------------------------------------------------------------


def connect(runner: asyncio.Runner, channels: list[Any], make_channel: Any, target: str, certificate: str) -> Any:
    network, _, address = target.rpartition(":")
    options: dict[str, Any] = {"path": address} if network == "unix" else {"host": network, "port": int(address)}
    if certificate:
        options["ssl"] = client_context(certificate)

    async def make() -> Any:
        return make_channel(status_details_codec=DetailsCodec(), **options)

    channel = runner.run(make())
    channels.append(channel)

    async def make_calls(calls: list[Call]) -> list[Outcome]:
        return await asyncio.gather(*(make_call(channel, call) for call in calls))

    return lambda calls: runner.run(make_calls(calls))


async def make_call(channel: Any, call: Call) -> Outcome:
    method = _METHODS[call.streams](channel, call.path, BytesValue, BytesValue)
    stream = method.open(timeout=call.timeout, metadata=call.metadata)
    replies: list[bytes] = []
    end: tuple[int, str, tuple[str, ...]] = (0, "", ())
    begun = time.monotonic()
    try:
        async with stream:
            await converse(stream, call, replies)
    except GRPCError as error:
        end = error.status.value, error.message or "", texts_of(error.details or ())
    except TimeoutError:
        end = Status.DEADLINE_EXCEEDED.value, "", ()
    except StreamTerminatedError as error:
        end = code_of(call, len(replies), time.monotonic() - begun).value, str(error), ()
    return Outcome(tuple(replies), pairs_of(stream.initial_metadata), pairs_of(stream.trailing_metadata), *end)


def code_of(call: Call, replies: int, seconds: float) -> Status:
    """What it means that the stream was reset, after so many replies and seconds."""
    if call.cancel_after and replies == call.cancel_after:
        return Status.CANCELLED
    if call.timeout and seconds > call.timeout - _SLACK:    # the server was the first to notice
        return Status.DEADLINE_EXCEEDED
    return Status.UNAVAILABLE


def pairs_of(metadata: Any) -> Pairs:
    return tuple(metadata.items()) if metadata else ()


async def converse(stream: Any, call: Call, replies: list[bytes]) -> None:
    streams_requests, streams_replies = call.streams
    await stream.send_request()
    for request in call.messages:
        await stream.send_message(request, end=not streams_requests)
        if streams_requests and streams_replies:
            reply = await stream.recv_message()
            if reply is None:
                break
            replies.append(reply.value)
    if streams_requests:
        await stream.end()
    if not streams_replies:
        replies.append((await stream.recv_message()).value)
        return
    async for reply in stream:
        replies.append(reply.value)
        if len(replies) == call.cancel_after:
            await stream.cancel()
            raise StreamTerminatedError("cancelled")


def main(stack: str, role: str, *arguments: str) -> None:
    package = {"ours": (aio.Channel, aio.Server), "grpclib": (grpclib.client.Channel, grpclib.server.Server)}
    make_channel, make_server = package[stack]
    with asyncio.Runner() as runner:
        if role == "serve":
            runner.run(serve(make_server, *arguments))
        else:
            channels: list[Any] = []
            obey(partial(connect, runner, channels, make_channel))
            for channel in channels:
                channel.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
