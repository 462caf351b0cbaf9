"""The service with grpclib's coroutines."""
from __future__ import annotations

import asyncio
from typing import Any

from grpclib.const import Status
from grpclib.exceptions import GRPCError

from . import INITIAL_KEY, TRAILING_KEY, testing_grpc
from .testing_pb2 import Empty, Payload, SimpleResponse, StreamingInputCallResponse, StreamingOutputCallResponse

__all__ = ["AsyncService"]


class AsyncService(testing_grpc.TestServiceBase):
    def __mapping__(self) -> dict[str, Any]:
        handlers = super().__mapping__()
        del handlers["/grpc.testing.TestService/UnimplementedCall"]
        return handlers

    async def EmptyCall(self, stream: Any) -> None:
        await stream.recv_message()
        await stream.send_message(Empty())

    async def UnaryCall(self, stream: Any) -> None:
        request = await stream.recv_message()
        await self._begin(stream)
        check(request)
        await stream.send_message(SimpleResponse(payload=Payload(body=bytes(request.response_size))))
        await self._end(stream)

    async def StreamingInputCall(self, stream: Any) -> None:
        size = sum([len(request.payload.body) async for request in stream])
        await stream.send_message(StreamingInputCallResponse(aggregated_payload_size=size))

    async def StreamingOutputCall(self, stream: Any) -> None:
        await self._send_replies(stream, await stream.recv_message())

    async def FullDuplexCall(self, stream: Any) -> None:
        await self._begin(stream)
        async for request in stream:
            check(request)
            await self._send_replies(stream, request)
        await self._end(stream)

    async def UnimplementedCall(self, stream: Any) -> None:
        raise AssertionError("it is not served")

    async def _send_replies(self, stream: Any, request: Any) -> None:
        for parameters in request.response_parameters:
            await asyncio.sleep(parameters.interval_us / 1e6)
            await stream.send_message(StreamingOutputCallResponse(payload=Payload(body=bytes(parameters.size))))

    async def _begin(self, stream: Any) -> None:
        if INITIAL_KEY in stream.metadata:
            await stream.send_initial_metadata(metadata={INITIAL_KEY: stream.metadata[INITIAL_KEY]})

    async def _end(self, stream: Any) -> None:
        if TRAILING_KEY in stream.metadata:
            await stream.send_trailing_metadata(metadata={TRAILING_KEY: stream.metadata[TRAILING_KEY]})


def check(request: Any) -> None:
    """Raise the status that a request asks for."""
    if request.response_status.code:
        raise GRPCError(Status(request.response_status.code), request.response_status.message)
