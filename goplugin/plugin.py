"""What an application writes for each kind of plugin: how it is served, and how it is consumed.

Source: go-plugin plugin.go, GRPCPlugin. Go passes the broker and the connection as separate arguments; here both hooks
take one object, so that what a connection offers can grow without changing every plugin.
"""
from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast

from .core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from grpclib.const import Handler

    from .aio.broker import Broker
    from .sync.broker import Broker as SyncBroker

__all__ = [
    "GRPCClient", "GRPCPlugin", "GRPCServer", "Method", "PluginSet", "Servicer", "Streams", "is_async", "is_coroutine",
]

# Of code.co_flags, as documented for `inspect`, whose import costs more than a plugin has to spend at its start.
_ASYNC_FLAGS = 0x0080 | 0x0200


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


def is_async(method: Handler | Method) -> bool:
    """Whether this is a coroutine function, which takes grpclib's stream; a plain one takes request and context."""
    return is_coroutine(cast("object", method.func))


def is_coroutine(function: object) -> bool:
    """Whether this is a coroutine function, or a functools.partial of one."""
    code = getattr(getattr(function, "func", function), "__code__", None)
    return code is not None and bool(code.co_flags & _ASYNC_FLAGS)


class Servicer(Protocol):
    """The implementation of one gRPC service: a subclass of a base that grpclib's code generator wrote.

    Its methods are grpclib's own ``async def Method(self, stream)``, or plain functions
    ``def Method(self, request, context) -> reply`` that may block.
    """

    def __mapping__(self) -> Mapping[str, Handler | Method]:
        """Each method by its full path, ``/package.Service/Method``."""
        ...


class GRPCServer:
    """What a plugin registers its services on before it is served.

    `taken_broker` and `taken_sync_broker` are the brokers that it has taken meanwhile.
    """

    def __init__(
        self,
        make_broker: Callable[[], Broker] | None = None,
        make_sync_broker: Callable[[], SyncBroker] | None = None,
    ) -> None:
        self.servicers: list[Servicer] = []
        self.taken_broker: Broker | None = None
        self.taken_sync_broker: SyncBroker | None = None
        self._make_broker = make_broker
        self._make_sync_broker = make_sync_broker

    def add_service(self, servicer: Servicer) -> None:
        """Serve every method of `servicer`; of two servicers with one method the later wins."""
        self.servicers.append(servicer)

    @property
    def broker(self) -> Broker:
        """The GRPCBroker for coroutines: a plugin that takes it is served by asyncio.

        It is there to be kept, and works once a host has connected.
        Raises ConfigError where only the blocking runtime serves, or if the plugin has taken `sync_broker`.
        """
        if self.taken_broker is None:
            if self._make_broker is None or self.taken_sync_broker is not None:
                raise ConfigError("broker is for coroutines, and this plugin is served by the blocking runtime")
            self.taken_broker = self._make_broker()
        return self.taken_broker

    @property
    def sync_broker(self) -> SyncBroker:
        """The GRPCBroker for plain methods: a plugin that takes it is served by the blocking runtime.

        It is there to be kept, and works once a host has connected.
        Raises ConfigError where only asyncio serves, or if the plugin has taken `broker`.
        """
        if self.taken_sync_broker is None:
            if self._make_sync_broker is None or self.taken_broker is not None:
                raise ConfigError("sync_broker is for plain methods, and this plugin is served by asyncio")
            self.taken_sync_broker = self._make_sync_broker()
        return self.taken_sync_broker


class GRPCClient:
    """The host's side of one plugin connection.

    `channel` is that of the client's runtime: grpclib's, which goes into a generated stub, or the blocking
    `goplugin.sync.Channel`, from which `goplugin.sync.stub` makes one. Its type is open because a generated stub
    demands grpclib's.
    """

    def __init__(self, channel: Any, open_broker: Callable[[], Any] | None = None) -> None:
        self.channel = channel
        self._open_broker = open_broker

    @property
    def broker(self) -> Any:
        """The connection's GRPCBroker, that of the client's runtime too; a plugin's is answered from now on.

        Raises ConfigError if the connection is none of a client's, PluginLostError if the plugin is gone.
        """
        if self._open_broker is None:
            raise ConfigError("there is no broker without a client")
        return self._open_broker()


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
