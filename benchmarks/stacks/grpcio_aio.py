# pyright: basic, reportMissingImports=false, reportMissingModuleSource=false
"""grpcio's asyncio API, wired as its code generator does it."""
from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Sequence

import grpc.aio

from ..bench_pb2 import Burst, Payload
from ..hosts import AsyncHost, Host
from ..launch import LaunchedPlugin, announce, socket_path
from ..service import ECHO_PATH, REPEAT_PATH
from .grpcio import GENERATED, OPTIONS, add_service

__all__ = ["AioService", "Stub", "host", "serve"]


class AioService:
    async def Echo(self, request, context):
        return Payload(data=request.data)

    async def Repeat(self, request, context):
        for _ in range(request.count):
            yield Payload(data=request.data)


def serve() -> None:
    asyncio.run(_serve())


async def _serve() -> None:
    server = grpc.aio.server(options=OPTIONS)
    add_service(server, AioService())
    server.add_insecure_port(f"unix:{socket_path()}")
    await server.start()
    announce(socket_path())
    await server.wait_for_termination()


class Stub:
    """What grpcio's code generator would write, over a channel of grpc.aio."""

    def __init__(self, channel) -> None:
        self.Echo = channel.unary_unary(
            ECHO_PATH, Payload.SerializeToString, Payload.FromString, **GENERATED
        )
        self.Repeat = channel.unary_stream(
            REPEAT_PATH, Burst.SerializeToString, Payload.FromString, **GENERATED
        )


class _Client:
    def __init__(self, command: Sequence[str]) -> None:
        self._plugin = LaunchedPlugin(command)
        self.plugin_pid = self._plugin.pid
        self._channel = grpc.aio.insecure_channel(f"unix:{self._plugin.address}", options=OPTIONS)
        stub = Stub(self._channel)
        self.echo = stub.Echo
        self._repeat = stub.Repeat

    def repeat(self, request: Burst) -> AsyncIterable[Payload]:
        return self._repeat(request)

    async def close(self) -> None:
        await self._channel.close()
        self._plugin.kill()


async def _connect(command: Sequence[str]) -> _Client:
    return _Client(command)


def host(command: Sequence[str]) -> Host:
    return AsyncHost(lambda: _connect(command))
