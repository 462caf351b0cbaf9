"""This project's blocking runtime: `goplugin.sync`, and `goplugin.serve` with plain methods, which chooses it."""
from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from goplugin import GRPCPlugin, GRPCServer, ServeConfig
from goplugin import serve as serve_plugin

from ..service import HANDSHAKE, PlainService

if TYPE_CHECKING:
    from ..hosts import Host

__all__ = ["host", "serve"]


class _Plugin(GRPCPlugin):
    def grpc_server(self, server: GRPCServer) -> None:
        server.add_service(PlainService())


def serve() -> None:
    serve_plugin(ServeConfig(handshake=HANDSHAKE, plugins={"bench": _Plugin()}))


def host(command: Sequence[str], **options: Any) -> Host:
    from ..hosts import BlockingHost
    from ._goplugin_sync_client import Client

    return BlockingHost(lambda: Client(command, options))
