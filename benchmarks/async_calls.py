"""A host's calls through code that grpclib's generator wrote."""
from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from .bench_grpc import BenchStub
    from .bench_pb2 import Burst, Payload

__all__ = ["Calls"]


class Calls:
    """Those over one channel."""

    def __init__(self, stub: BenchStub) -> None:
        self.echo = stub.Echo
        self._repeat = stub.Repeat

    async def repeat(self, request: Burst) -> AsyncIterator[Payload]:
        async with self._repeat.open() as stream:
            await stream.send_message(request, end=True)
            async for reply in stream:
                yield reply
