"""This project's asyncio transport by itself: goplugin.aio under code written for grpclib."""
from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from goplugin.aio import Channel, Server

from ..async_service import AsyncService
from ..bench_grpc import BenchStub
from ..bench_pb2 import Burst, Payload
from ..hosts import AsyncHost, Host
from ..launch import LaunchedPlugin, announce, socket_path

__all__ = ["host", "serve"]


def serve() -> None:
    asyncio.run(_serve())


async def _serve() -> None:
    server = Server([AsyncService()])
    await server.start(path=socket_path())
    announce(socket_path())
    await server.wait_closed()


class _Client:
    def __init__(self, command: Sequence[str]) -> None:
        self._plugin = LaunchedPlugin(command)
        self.plugin_pid = self._plugin.pid
        self._channel = Channel(path=self._plugin.address)
        stub = BenchStub(self._channel)
        self.echo = stub.Echo
        self._repeat = stub.Repeat

    async def repeat(self, request: Burst) -> AsyncIterator[Payload]:
        async with self._repeat.open() as stream:
            await stream.send_message(request, end=True)
            async for reply in stream:
                yield reply

    async def close(self) -> None:
        self._channel.close()
        self._plugin.kill()


async def _connect(command: Sequence[str]) -> _Client:
    return _Client(command)


def host(command: Sequence[str]) -> Host:
    return AsyncHost(lambda: _connect(command))
