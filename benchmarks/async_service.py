"""bench.proto's service as grpclib's code generator wants it."""
from __future__ import annotations

from typing import TYPE_CHECKING

from .bench_grpc import BenchBase
from .bench_pb2 import Burst, Payload

if TYPE_CHECKING:
    from grpclib.server import Stream

__all__ = ["AsyncService"]


class AsyncService(BenchBase):
    async def Echo(self, stream: Stream[Payload, Payload]) -> None:
        request = await stream.recv_message()
        assert request is not None
        await stream.send_message(Payload(data=request.data))

    async def Repeat(self, stream: Stream[Burst, Payload]) -> None:
        request = await stream.recv_message()
        assert request is not None
        for _ in range(request.count):
            await stream.send_message(Payload(data=request.data))
