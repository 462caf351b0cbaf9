"""This project's asyncio runtime, through code that grpclib's generator wrote."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from goplugin import Client, ClientConfig, GRPCClient, GRPCPlugin, GRPCServer, ServeConfig
from goplugin import serve as serve_plugin

from ..async_calls import Calls
from ..async_service import AsyncService
from ..bench_grpc import BenchStub
from ..hosts import AsyncHost, Host
from ..service import HANDSHAKE

__all__ = ["host", "serve"]


class _Plugin(GRPCPlugin):
    def grpc_server(self, server: GRPCServer) -> None:
        server.add_service(AsyncService())

    def grpc_client(self, client: GRPCClient) -> BenchStub:
        return BenchStub(client.channel)


def serve() -> None:
    serve_plugin(ServeConfig(handshake=HANDSHAKE, plugins={"bench": _Plugin()}))


class _Client(Calls):
    def __init__(self, client: Client, stub: BenchStub) -> None:
        super().__init__(stub)
        self._client = client
        self.plugin_pid = int(client.id)

    async def close(self) -> None:
        await self._client.kill()


async def _connect(command: Sequence[str], options: Mapping[str, Any]) -> _Client:
    client = Client(ClientConfig(handshake=HANDSHAKE, command=command, plugins={"bench": _Plugin()}, **options))
    stub = await client.dispense("bench")
    assert isinstance(stub, BenchStub)
    return _Client(client, stub)


def host(command: Sequence[str], **options: Any) -> Host:
    return AsyncHost(lambda: _connect(command, options))
