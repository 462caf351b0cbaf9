"""What an application writes for each kind of plugin: how it is served, and how it is consumed.

Source: go-plugin plugin.go, GRPCPlugin. Go passes the broker and the connection as separate arguments; here both hooks
take one object, so that what a connection offers can grow without changing every plugin.
"""
from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from grpclib.client import Channel
    from grpclib.const import Handler

__all__ = ["GRPCClient", "GRPCPlugin", "GRPCServer", "Method", "PluginSet", "Servicer", "Streams"]


class Streams(NamedTuple):
    """Which side of a method may send any number of messages; the other sends one."""

    client_streaming: bool = False
    server_streaming: bool = False


class Method(NamedTuple):
    """What grpclib's Handler is, for a service that must not pay for grpclib's import."""

    func: Callable[..., Any]
    cardinality: Streams
    request_type: type
    reply_type: type


class Servicer(Protocol):
    """The implementation of one gRPC service: a subclass of a base that grpclib's code generator wrote.

    Its methods are grpclib's own ``async def Method(self, stream)``, or plain functions
    ``def Method(self, request, context) -> reply`` that may block.
    """

    def __mapping__(self) -> Mapping[str, Handler | Method]:
        """Each method by its full path, ``/package.Service/Method``."""
        ...


class GRPCServer:
    """What a plugin registers its services on before it is served."""

    def __init__(self) -> None:
        self.servicers: list[Servicer] = []

    def add_service(self, servicer: Servicer) -> None:
        """Serve every method of `servicer`; of two servicers with one method the later wins."""
        self.servicers.append(servicer)


class GRPCClient:
    """The host's side of one plugin connection; `channel` goes into a generated stub."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel


class GRPCPlugin:
    """One kind of plugin. A plugin process needs `grpc_server`, a host needs `grpc_client`, a test may need both."""

    def grpc_server(self, server: GRPCServer) -> None:
        """Register this plugin's services on `server`, with ``server.add_service(...)``."""
        raise NotImplementedError(f"{type(self).__name__} cannot be served: it does not implement grpc_server")

    def grpc_client(self, client: GRPCClient) -> object:
        """What ``Client.dispense`` returns to the host, usually a generated stub on ``client.channel``."""
        raise NotImplementedError(f"{type(self).__name__} cannot be dispensed: it does not implement grpc_client")


PluginSet = Mapping[str, GRPCPlugin]
"""The kinds of plugin that one application protocol version offers, by the name that `dispense` takes."""
