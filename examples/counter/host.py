#!/usr/bin/env python3
"""Count with a plugin, this directory's or that which COUNTER_PLUGIN says how to start, and add for it.

    host.py put KEY NUMBER
    host.py get KEY
"""
# The generated base is typed for coroutines; a plain method takes the request, and returns the reply.
# pyright: reportIncompatibleMethodOverride=false
from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

from counter_grpc import AddHelperBase, CounterStub
from counter_pb2 import GetRequest, PutRequest, SumRequest, SumResponse
from shared import HANDSHAKE, NAME

from goplugin import CallContext, GRPCClient, GRPCPlugin, PluginError
from goplugin.sync import Broker, Client, ClientConfig, stub

OWN_PLUGIN = [sys.executable, "-m", "goplugin", "run", str(Path(__file__).with_name("plugin.py"))]


class AddHelper(AddHelperBase):
    """What the plugin calls."""

    def Sum(self, request: SumRequest, context: CallContext) -> SumResponse:
        return SumResponse(r=request.a + request.b)


class Counter:
    """What this program knows of a plugin."""

    def __init__(self, client: GRPCClient) -> None:
        self._counter = stub(CounterStub, client.channel)
        self._broker: Broker = client.broker

    def get(self, key: str) -> int:
        return self._counter.Get(GetRequest(key=key)).value

    def put(self, key: str, value: int) -> None:
        with self._broker.accept_and_serve(self._broker.next_id(), [AddHelper()]) as served:
            self._counter.Put(PutRequest(add_server=served.service_id, key=key, value=value))


class CounterPlugin(GRPCPlugin):
    def grpc_client(self, client: GRPCClient) -> Counter:
        return Counter(client)


def whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise SystemExit(f"error: not a whole number: {text}") from None


def main() -> None:
    config = ClientConfig(
        handshake=HANDSHAKE,
        command=shlex.split(os.environ.get("COUNTER_PLUGIN", "")) or OWN_PLUGIN,
        plugins={NAME: CounterPlugin()},
    )
    with Client(config) as client:
        counter: Counter = client.dispense(NAME)
        match sys.argv[1:]:
            case "put", key, number:
                counter.put(key, whole(number))
            case "get", key:
                print(counter.get(key))
            case _:
                raise SystemExit(__doc__)


if __name__ == "__main__":
    try:
        main()
    except PluginError as error:
        raise SystemExit(f"error: {error}") from None
