# pyright: basic, reportMissingImports=false, reportMissingModuleSource=false
"""pyvider-rpcplugin, the other go-plugin library for Python, without certificates like all the others here."""
from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterable, Sequence

# Read when the package is imported.
os.environ.update(
    PLUGIN_AUTO_MTLS="false",
    PLUGIN_MAGIC_COOKIE_KEY="BENCH_PLUGIN",
    PLUGIN_MAGIC_COOKIE_VALUE="bench",
    PROVIDE_LOG_LEVEL="ERROR",
)

from pyvider.rpcplugin import RPCPluginProtocol, plugin_client, plugin_server

from ..bench_pb2 import Burst, Payload
from ..hosts import AsyncHost, Host
from .grpcio import add_service
from .grpcio_aio import AioService, Stub

__all__ = ["host", "serve"]


class _Protocol(RPCPluginProtocol):
    service_name = "bench.Bench"

    async def get_grpc_descriptors(self):
        return None, self.service_name

    async def add_to_server(self, server, handler) -> None:
        add_service(server, handler)

    def get_method_type(self, method_name: str) -> str:
        return "unary_stream" if method_name.endswith("Repeat") else "unary_unary"


def serve() -> None:
    asyncio.run(_serve())


async def _serve() -> None:
    await plugin_server(protocol=_Protocol(), handler=AioService()).serve()


class _Client:
    def __init__(self, client) -> None:
        self._client = client
        self.plugin_pid = client._process.pid
        stub = Stub(client.grpc_channel)
        self.echo = stub.Echo
        self._repeat = stub.Repeat

    def repeat(self, request: Burst) -> AsyncIterable[Payload]:
        return self._repeat(request)

    async def close(self) -> None:
        await self._client.shutdown_plugin()
        await self._client.close()


async def _connect(command: Sequence[str]) -> _Client:
    client = plugin_client(list(command), config={"env": dict(os.environ)})
    await client.start()
    return _Client(client)


def host(command: Sequence[str]) -> Host:
    return AsyncHost(lambda: _connect(command))
