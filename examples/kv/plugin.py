#!/usr/bin/env python3
"""A key-value store for any host that knows go-plugin's KV example.

The value of KEY is in the file kv_KEY, in the directory where the host runs.
"""
# The generated base is typed for coroutines; a plain method takes the request, and returns the reply.
# pyright: reportIncompatibleMethodOverride=false
from __future__ import annotations

from pathlib import Path

import kv_grpc
from kv_pb2 import Empty, GetRequest, GetResponse, PutRequest
from shared import HANDSHAKE, NAMES

from goplugin import CallContext, Code, GRPCPlugin, GRPCServer, RemoteError, ServeConfig, serve


class KV(kv_grpc.KVBase):
    """Every call has a thread of its own: a slow one holds up no other."""

    def __init__(self, version: int) -> None:
        self._signature = f"\n\nWritten from plugin-python, version {version}".encode()

    def Get(self, request: GetRequest, context: CallContext) -> GetResponse:
        try:
            return GetResponse(value=Path(f"kv_{request.key}").read_bytes())
        except FileNotFoundError:
            raise RemoteError(Code.NOT_FOUND, f"no such key: {request.key}") from None

    def Put(self, request: PutRequest, context: CallContext) -> Empty:
        Path(f"kv_{request.key}").write_bytes(request.value + self._signature)
        return Empty()


class KVPlugin(GRPCPlugin):
    def __init__(self, version: int) -> None:
        self._version = version

    def grpc_server(self, server: GRPCServer) -> None:
        server.add_service(KV(self._version))


if __name__ == "__main__":
    # Served is the highest version that the host knows, too.
    versions = {version: {name: KVPlugin(version)} for version, name in NAMES.items()}
    serve(ServeConfig(handshake=HANDSHAKE, versioned_plugins=versions))
