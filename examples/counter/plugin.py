#!/usr/bin/env python3
"""A counter that cannot add, for any host that knows go-plugin's bidirectional example.

With every Put comes an id, at which the host serves what adds for the plugin. The count of KEY is in the file kv_KEY,
in the directory where the host runs, as go-plugin's own plugin writes it.
"""
# The generated base is typed for coroutines; a plain method takes the request, and returns the reply.
# pyright: reportIncompatibleMethodOverride=false
from __future__ import annotations

import contextlib
import json
import threading
from pathlib import Path

import counter_grpc
from counter_pb2 import Empty, GetRequest, GetResponse, PutRequest, SumRequest
from shared import HANDSHAKE, NAME

from goplugin import CallContext, Code, GRPCPlugin, GRPCServer, RemoteError, ServeConfig, serve
from goplugin.sync import Broker, stub


class Counter(counter_grpc.CounterBase):
    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._lock = threading.Lock()  # every call has a thread of its own

    def Get(self, request: GetRequest, context: CallContext) -> GetResponse:
        count = read(request.key)
        if count is None:
            raise RemoteError(Code.NOT_FOUND, f"no such key: {request.key}")
        return GetResponse(value=count)

    def Put(self, request: PutRequest, context: CallContext) -> Empty:
        with contextlib.closing(self._broker.dial(request.add_server)) as channel, self._lock:
            host = stub(counter_grpc.AddHelperStub, channel)
            write(request.key, host.Sum(SumRequest(a=read(request.key) or 0, b=request.value)).r)
        return Empty()


def read(key: str) -> int | None:
    try:
        return json.loads(Path(f"kv_{key}").read_text())["Value"]
    except FileNotFoundError:
        return None


def write(key: str, count: int) -> None:
    Path(f"kv_{key}").write_text(json.dumps({"Value": count}))


class CounterPlugin(GRPCPlugin):
    def grpc_server(self, server: GRPCServer) -> None:
        server.add_service(Counter(server.sync_broker))


if __name__ == "__main__":
    serve(ServeConfig(handshake=HANDSHAKE, plugins={NAME: CounterPlugin()}))
