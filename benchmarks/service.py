"""bench.proto's service with plain methods, and what all who serve or call it agree on.

Imports nothing that a plugin with generated messages can do without: its start is measured too.
"""
from __future__ import annotations

from collections.abc import Iterator

from goplugin.core.handshake import HandshakeConfig
from goplugin.plugin import Method, Streams

from .bench_pb2 import Burst, Payload

__all__ = ["ECHO_PATH", "HANDSHAKE", "REPEAT_PATH", "SMALL", "PlainService"]

HANDSHAKE = HandshakeConfig(protocol_version=1, magic_cookie_key="BENCH_PLUGIN", magic_cookie_value="bench")

ECHO_PATH = "/bench.Bench/Echo"
REPEAT_PATH = "/bench.Bench/Repeat"

SMALL = bytes(48)
"""The data that makes a message of 50 bytes."""


class PlainService:
    """As grpcio wants it, and goplugin's blocking runtime."""

    def Echo(self, request: Payload, context: object) -> Payload:
        return Payload(data=request.data)

    def Repeat(self, request: Burst, context: object) -> Iterator[Payload]:
        for _ in range(request.count):
            yield Payload(data=request.data)

    def __mapping__(self) -> dict[str, Method]:
        return {
            ECHO_PATH: Method(self.Echo, Streams(), Payload, Payload),
            REPEAT_PATH: Method(self.Repeat, Streams(server_streaming=True), Burst, Payload),
        }
