"""go-plugin's bidirectional example in Python, the twin of go/counterplugin: it counts, and has its host add.

The argument is the runtime, `sync` or `aio`; and so the methods are plain, or coroutines.
"""
from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[3] / "examples" / "counter"))

from counter_grpc import AddHelperStub, CounterBase
from counter_pb2 import Empty, GetRequest, GetResponse, PutRequest, SumRequest

from goplugin import GRPCPlugin, GRPCServer, HandshakeConfig, ServeConfig, serve
from goplugin.sync import stub

if TYPE_CHECKING:
    from goplugin.aio.broker import Broker
    from goplugin.sync.broker import Broker as SyncBroker

HANDSHAKE = HandshakeConfig(protocol_version=1, magic_cookie_key="BASIC_PLUGIN", magic_cookie_value="hello")


class PlainCounter(CounterBase):
    def __init__(self, broker: SyncBroker) -> None:
        self._broker = broker
        self._values: dict[str, int] = {}

    def Get(self, request: GetRequest, context: object) -> GetResponse:
        return GetResponse(value=self._values.get(request.key, 0))

    def Put(self, request: PutRequest, context: object) -> Empty:
        with contextlib.closing(self._broker.dial(request.add_server)) as channel:
            numbers = SumRequest(a=self._values.get(request.key, 0), b=request.value)
            self._values[request.key] = stub(AddHelperStub, channel).Sum(numbers).r
        return Empty()


class AsyncCounter(CounterBase):
    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._values: dict[str, int] = {}

    async def Get(self, stream: Any) -> None:
        request = await stream.recv_message()
        await stream.send_message(GetResponse(value=self._values.get(request.key, 0)))

    async def Put(self, stream: Any) -> None:
        request = await stream.recv_message()
        async with await self._broker.dial(request.add_server) as channel:
            numbers = SumRequest(a=self._values.get(request.key, 0), b=request.value)
            self._values[request.key] = (await AddHelperStub(channel).Sum(numbers)).r
        await stream.send_message(Empty())


class CounterPlugin(GRPCPlugin):
    def grpc_server(self, server: GRPCServer) -> None:
        plain = sys.argv[1] == "sync"
        server.add_service(PlainCounter(server.sync_broker) if plain else AsyncCounter(server.broker))


if __name__ == "__main__":
    serve(ServeConfig(handshake=HANDSHAKE, plugins={"counter": CounterPlugin()}))
