"""The asyncio runtime's server, as a plugin has it: plain methods beside coroutines, and errors in Go's way.

grpclib hides from a client what an unexpected exception says; go-plugin's authors and hosts are used to reading it.
"""
from __future__ import annotations

import logging
import socket
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

from grpclib.const import Status
from grpclib.encoding.base import StatusDetailsCodecBase
from grpclib.exceptions import GRPCError

from ..core.errors import RemoteError
from ..details import decode_details, encode_details
from ..plugin import is_async
from ..workers import Workers
from .plain import as_coroutine
from .server import Function, Server

if TYPE_CHECKING:
    import ssl

    from grpclib.const import Handler

    from ..plugin import Servicer

__all__ = ["DetailsCodec", "PluginServer", "serve_on"]

log = logging.getLogger("goplugin.server")

_TEXT_LIMIT = 8 * 1024


async def serve_on(
    sock: socket.socket, servicers: Iterable[Servicer], *, tls: ssl.SSLContext | None = None
) -> PluginServer:
    """A running server of `servicers` on a listening socket; the caller ends it.

    With `tls` it serves those whom the context trusts.
    """
    server = PluginServer(servicers)
    await server.start(sock=sock, ssl=tls)
    return server


class DetailsCodec(StatusDetailsCodecBase):
    """Status details as the blocking runtime has them; grpclib's own codec takes a package that few have installed."""

    def encode(self, status: Status, message: str | None, details: Any) -> bytes:
        return encode_details(status.value, message or "", details)

    def decode(self, status: Status, message: str | None, data: bytes) -> tuple[Any, ...]:
        return decode_details(data)


class PluginServer(Server):
    """Serves the services of one plugin."""

    def __init__(self, servicers: Iterable[Servicer]) -> None:
        self._workers = Workers("goplugin-call")
        super().__init__(list(servicers), adapt=self._adapt, status_details_codec=DetailsCodec())

    async def end(self, timeout: float) -> None:
        """Cancel the calls, send what is written, and hang up; takes `timeout` seconds at most."""
        await super().end(timeout)
        self._workers.close()

    def failure(self, path: str, error: Exception) -> GRPCError:
        """The border between an author's code and the wire: whatever a method raises becomes a status with its text."""
        if isinstance(error, GRPCError):
            return error
        if isinstance(error, RemoteError):
            return _as_grpc_error(error)
        log.debug("%s failed", path, exc_info=error)
        return GRPCError(Status.UNKNOWN, _header_text(str(error)))

    def _adapt(self, path: str, handler: Handler) -> Function:
        method = cast("Any", handler)
        if is_async(method):
            return method.func
        return as_coroutine(method.func, method.cardinality, self._workers, lambda error: self.failure(path, error))


def _as_grpc_error(error: RemoteError) -> GRPCError:
    status = Status(error.code.value)
    if not error.details:
        return GRPCError(status, _header_text(error.message))
    try:
        encode_details(error.code, error.message, error.details)
    except Exception as failure:  # noqa: BLE001 - the border: details may be anything
        return GRPCError(status, _header_text(f"{error.message} (its details cannot be sent: {failure})"))
    return GRPCError(status, _header_text(error.message), list(error.details))


def _header_text(text: str) -> str:
    """`text` as it can travel in a header: UTF-8, and no longer than peers take."""
    data = text.encode("utf-8", "replace")
    return data.decode() if len(data) <= _TEXT_LIMIT else data[:_TEXT_LIMIT].decode("utf-8", "ignore") + "..."
