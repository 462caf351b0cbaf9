# pyright: basic, reportMissingImports=false, reportMissingModuleSource=false
"""grpcio's blocking API, wired as its code generator does it."""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

from ..bench_pb2 import Burst, Payload
from ..hosts import BlockingHost, Host
from ..launch import LaunchedPlugin, announce, socket_path
from ..service import ECHO_PATH, REPEAT_PATH, PlainService

__all__ = ["GENERATED", "OPTIONS", "add_service", "host", "serve"]

OPTIONS = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
"""The limits on messages lifted, as go-plugin's hosts lift theirs."""

GENERATED: Any = {"_registered_method": True}
"""What the generated stubs say to a channel."""


def add_service(server, service) -> None:
    """What the generated `add_BenchServicer_to_server` would do."""
    handlers = {
        "Echo": grpc.unary_unary_rpc_method_handler(service.Echo, Payload.FromString, Payload.SerializeToString),
        "Repeat": grpc.unary_stream_rpc_method_handler(service.Repeat, Burst.FromString, Payload.SerializeToString),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("bench.Bench", handlers),))
    server.add_registered_method_handlers("bench.Bench", handlers)


def serve() -> None:
    server = grpc.server(ThreadPoolExecutor(max_workers=64), options=OPTIONS)
    add_service(server, PlainService())
    server.add_insecure_port(f"unix:{socket_path()}")
    server.start()
    announce(socket_path())
    server.wait_for_termination()


class _Client:
    def __init__(self, command: Sequence[str]) -> None:
        self._plugin = LaunchedPlugin(command)
        self.plugin_pid = self._plugin.pid
        self._channel = grpc.insecure_channel(f"unix:{self._plugin.address}", options=OPTIONS)
        self.echo = self._channel.unary_unary(
            ECHO_PATH, Payload.SerializeToString, Payload.FromString, **GENERATED
        )
        self._repeat = self._channel.unary_stream(
            REPEAT_PATH, Burst.SerializeToString, Payload.FromString, **GENERATED
        )

    def repeat(self, request: Burst) -> Iterable[Payload]:
        return self._repeat(request)

    def close(self) -> None:
        self._channel.close()
        self._plugin.kill()


def host(command: Sequence[str]) -> Host:
    return BlockingHost(lambda: _Client(command))
