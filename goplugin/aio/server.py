"""The server's end: grpclib's Server over our connections.

A connection takes calls until the server closes or the client is gone; each call has a task of its own. A method whose
requests are one message is called when that message is there, as in grpc-go; any other when the call begins.
"""
from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from grpclib.const import Handler, Status
from grpclib.exceptions import GRPCError

from ..core.http2 import (
    ConnectionEnded,
    Event,
    GoingAway,
    PingAcknowledged,
    RequestHead,
    RequestReceived,
    ServerConnection,
    SettingsChanged,
    UnaryRequest,
)
from ..core.status import Code
from .grpclib_parts import ServerBase
from .server_stream import STARTS_AT_ONCE, ServerStream
from .translation import check_codec, limits_of
from .transport import Link

if TYPE_CHECKING:
    from collections.abc import Collection

    from grpclib.config import Configuration
    from grpclib.encoding.base import CodecBase, StatusDetailsCodecBase

    from ..plugin import Servicer

__all__ = ["Adapt", "Function", "Method", "Server", "ServerLink"]

log = logging.getLogger("goplugin.aio")

_LINGER = 5.0       # seconds that a client has to hang up after we have gone away

Function = Callable[[Any], Awaitable[None]]
"""A method as grpclib calls it, with the call's stream."""

Adapt = Callable[[str, Handler], Function]
"""Makes a Function of what a service has at this path."""


class Method(NamedTuple):
    """One method of a service; what streams says whether there is more than one message that way."""

    function: Function
    streams_requests: bool
    streams_replies: bool
    request_type: Any
    reply_type: Any


class ServerLink(Link[ServerConnection]):
    """One connection to a client.

    `closing`: it takes no more calls, and ends behind those it has.
    `ended`: is done when the connection is over, and all its methods are.
    """

    ended: asyncio.Future[None]
    _starts_tasks = not STARTS_AT_ONCE

    def __init__(self, server: Server, machine: ServerConnection) -> None:
        super().__init__(machine)
        self.server = server
        self.closing = False
        self._lost = False
        self._streams: dict[int, ServerStream[Any, Any]] = {}

    def close(self) -> None:
        """Take no more calls, cancel those under way, and end the connection behind them. Idempotent."""
        if not self.closing:
            self.closing = True
            self.machine.send_goaway()
            self.flush()
            for stream in list(self._streams.values()):
                stream.interrupt()
            self._end_if_idle()

    def forget(self, stream_id: int) -> None:
        """The method of this call has ended."""
        del self._streams[stream_id]
        if self.closing or self._lost:
            self._end_if_idle()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.ended = self.loop.create_future()
        self.server.links.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._lost = True
        self._end_if_idle()

    def _end_if_idle(self) -> None:
        if self._streams:
            return
        if self._lost:
            self.server.links.discard(self)
            self.ended.set_result(None)
        elif self.closing:
            self.send_eof(_LINGER)

    def _receive(self, event: Event) -> None:
        if isinstance(event, UnaryRequest):
            self._start(event.stream_id, event.head, event.message)
        elif isinstance(event, RequestReceived):
            self._start(event.stream_id, event.head, None)
        elif not isinstance(event, (SettingsChanged, PingAcknowledged, GoingAway, ConnectionEnded)):
            stream = self._streams.get(event.stream_id)
            if stream is not None:
                stream.receive(event, self.woken)

    def _start(self, stream_id: int, head: RequestHead, message: bytes | None) -> None:
        method = self.server.methods.get(head.path)
        if method is None:
            self.machine.send_status(stream_id, Code.UNIMPLEMENTED, self.server.describe_unknown(head.path))
            return
        stream = self._streams[stream_id] = ServerStream[Any, Any](self, stream_id, head, method, message)
        stream.start()


class Server(ServerBase):
    """Serves grpclib's services; started, closed and waited for as grpclib's Server, to whose arguments it adds one.

    `adapt`: makes the methods of the services callable with a stream, where they are written otherwise.
    `loop`, which grpclib deprecates, is not taken. Raises ConfigError for a codec other than of protobuf, whose
    content type has a name of its own.
    """

    def __init__(
        self,
        handlers: Collection[Servicer],
        *,
        adapt: Adapt | None = None,
        codec: CodecBase | None = None,
        status_details_codec: StatusDetailsCodecBase | None = None,
        config: Configuration | None = None,
    ) -> None:
        super().__init__(handlers, codec=codec, status_details_codec=status_details_codec, config=config)
        self.methods = {path: _method(path, handler, adapt) for path, handler in self.handlers.items()}
        self._unary_paths = frozenset(path for path, method in self.methods.items() if not method.streams_requests)
        check_codec(self.codec)
        self._limits = limits_of(config)
        self.links: set[ServerLink] = set()

    def new_link(self) -> ServerLink:
        return ServerLink(self, ServerConnection(unary_paths=self._unary_paths, limits=self._limits))

    def failure(self, path: str, error: Exception) -> GRPCError:
        """What a call ends with whose method raised `error`: nothing that a stranger should know."""
        log.error("%s failed", path, exc_info=error)
        return GRPCError(Status.UNKNOWN, "Internal Server Error")

    def describe_unknown(self, path: str) -> str:
        """What Go says to a caller of a method that is not there."""
        service, _, method = path.lstrip("/").rpartition("/")
        if any(other.startswith(f"/{service}/") for other in self.methods):
            return f"unknown method {method} for service {service}"
        return f"unknown service {service}"

    def close(self) -> None:
        """Stop listening, cancel the calls under way, and end each connection behind its last call.

        Raises RuntimeError if the server has not been started.
        """
        super().close()
        self._leave()

    async def wait_closed(self) -> None:
        """Wait until `close` has been called, all methods have ended, and all connections are over.

        Raises RuntimeError if the server has not been started.
        """
        await super().wait_closed()
        if self.links:
            await asyncio.wait([link.ended for link in self.links])

    async def end(self, timeout: float) -> None:
        """`close`, and cut off the connections that are not over after `timeout` seconds.

        A server that was not started, but given connections that somebody else has accepted, ends as well.
        """
        if self.started:
            super().close()
        self._leave()
        if self.links:
            await asyncio.wait([link.ended for link in self.links], timeout=timeout)
        for link in list(self.links):
            link.abort()

    def _leave(self) -> None:
        for link in list(self.links):
            link.close()


def _method(path: str, handler: Handler, adapt: Adapt | None) -> Method:
    parts = cast("Any", handler)
    return Method(
        function=parts.func if adapt is None else adapt(path, handler),
        streams_requests=parts.cardinality.client_streaming,
        streams_replies=parts.cardinality.server_streaming,
        request_type=parts.request_type,
        reply_type=parts.reply_type,
    )
