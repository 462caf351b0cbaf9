"""The host's half of goplugin_sync.py, apart from it so that the plugin does not import it."""
from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from goplugin.plugin import GRPCClient, GRPCPlugin
from goplugin.sync import Client as PluginClient
from goplugin.sync import ClientConfig, stub

from ..bench_grpc import BenchStub
from ..bench_pb2 import Burst, Payload
from ..service import HANDSHAKE

__all__ = ["Client"]


class _Plugin(GRPCPlugin):
    def grpc_client(self, client: GRPCClient) -> object:
        return stub(BenchStub, client.channel)


class Client:
    def __init__(self, command: Sequence[str], options: Mapping[str, Any]) -> None:
        plugins = {"bench": _Plugin()}
        self._client = PluginClient(ClientConfig(handshake=HANDSHAKE, command=command, plugins=plugins, **options))
        methods = self._client.dispense("bench")
        self.plugin_pid = int(self._client.id)
        self.echo = methods.Echo
        self._repeat = methods.Repeat

    def repeat(self, request: Burst) -> Iterable[Payload]:
        return self._repeat(request)

    def close(self) -> None:
        self._client.kill()
