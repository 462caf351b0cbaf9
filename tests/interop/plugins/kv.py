"""go-plugin's key-value example in Python: the twin of go/kvplugin, for hosts too.

The arguments are the protocol versions to serve. Each version has a store of its own, whose key `version` tells which
one it is.
"""
from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import NamedTuple, Self

from grpclib.client import UnaryUnaryMethod
from grpclib.const import Cardinality, Handler

from goplugin import (
    Code,
    GRPCClient,
    GRPCPlugin,
    GRPCServer,
    HandshakeConfig,
    PluginSet,
    RemoteError,
    ServeConfig,
    serve,
)
from goplugin.core.protowire import bytes_field, fields

__all__ = ["HANDSHAKE", "KVStub", "plugin_sets"]

HANDSHAKE = HandshakeConfig(magic_cookie_key="BASIC_PLUGIN", magic_cookie_value="hello")
GET, PUT = "/proto.KV/Get", "/proto.KV/Put"


class Message(NamedTuple):
    """Any message of kv.proto: a key in field 1 and a value in field 2, or, in a GetResponse, a value in field 1."""

    first: bytes = b""
    second: bytes = b""

    def SerializeToString(self) -> bytes:
        return bytes_field(1, self.first) + bytes_field(2, self.second)

    @classmethod
    def FromString(cls, data: bytes) -> Self:
        found = {number: value for number, _, value in fields(data) if isinstance(value, bytes)}
        return cls(found.get(1, b""), found.get(2, b""))


class KVService:
    """The store of one protocol version."""

    def __init__(self, version: int) -> None:
        self._values = {b"version": b"%d" % version}

    def get(self, request: Message, context: object) -> Message:
        if request.first not in self._values:
            raise RemoteError(Code.NOT_FOUND, f"no such key: {request.first.decode()}")
        return Message(self._values[request.first])

    def put(self, request: Message, context: object) -> Message:
        self._values[request.first] = request.second
        return Message()

    def __mapping__(self) -> dict[str, Handler]:
        return {
            GET: Handler(self.get, Cardinality.UNARY_UNARY, Message, Message),
            PUT: Handler(self.put, Cardinality.UNARY_UNARY, Message, Message),
        }


class KVStub:
    """What grpclib's code generator would write."""

    def __init__(self, client: GRPCClient) -> None:
        self.get = UnaryUnaryMethod(client.channel, GET, Message, Message)
        self.put = UnaryUnaryMethod(client.channel, PUT, Message, Message)


class KVPlugin(GRPCPlugin):
    def __init__(self, version: int) -> None:
        self._version = version

    def grpc_server(self, server: GRPCServer) -> None:
        server.add_service(KVService(self._version))

    def grpc_client(self, client: GRPCClient) -> KVStub:
        return KVStub(client)


def plugin_sets(versions: Iterable[int]) -> dict[int, PluginSet]:
    """The store `kv` in each of the protocol versions."""
    return {version: {"kv": KVPlugin(version)} for version in versions}


if __name__ == "__main__":
    serve(ServeConfig(handshake=HANDSHAKE, versioned_plugins=plugin_sets(map(int, sys.argv[1:]))))
