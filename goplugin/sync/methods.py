"""The methods of a server's services, and the border between their authors' code and the wire.

A plain method takes the request and the context and returns the reply. Where the request is a stream it takes an
iterator of requests, and where the reply is a stream it returns an iterable of replies, or is a generator.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

from ..core.errors import ConfigError, RemoteError
from ..core.http2 import Status
from ..core.status import Code
from ..details import encode_details
from ..plugin import is_async

if TYPE_CHECKING:
    from ..context import CallContext
    from ..plugin import Servicer

__all__ = ["Method", "Methods", "as_status"]


class Method:
    """One method: `function` with its kinds of stream, and how its requests are decoded.

    `inline`: it is unary, and did not take long the last time.
    """

    __slots__ = ("client_streams", "decode", "function", "inline", "path", "server_streams")

    def __init__(self, path: str, handler: Any) -> None:
        self.path = path
        self.function: Callable[[Any, CallContext], Any] = handler.func
        self.client_streams: bool = handler.cardinality.client_streaming
        self.server_streams: bool = handler.cardinality.server_streaming
        self.inline = not (self.client_streams or self.server_streams)
        self.decode: Callable[[bytes], Any] = handler.request_type.FromString
        if is_async(handler):
            raise ConfigError(f"{path} is asynchronous: the blocking runtime serves plain methods only")

    def request(self, message: bytes) -> Any:
        """The decoded request. Raises RemoteError if the message is none."""
        try:
            return self.decode(message)
        except Exception as error:  # the border: every message class has its own exceptions
            status = _malformed(error)
            raise RemoteError(status.code, status.message) from error

    def answer(self, message: bytes, context: CallContext) -> bytes | Status:
        """The whole of an unary call: the encoded reply, or the status that it ends with instead."""
        try:
            request = self.decode(message)
        except Exception as error:  # noqa: BLE001 - the border: every message class has its own exceptions
            return _malformed(error)
        try:
            reply = self.function(request, context)
            return cast("bytes", reply.SerializeToString())
        except BaseException as error:  # noqa: BLE001 - the border: nobody above could take it
            return as_status(self.path, error)


class Methods(dict[str, Method]):
    """The methods of some services by path, `/package.Service/Method`; of two with one path the later wins."""

    def __init__(self, servicers: Iterable[Servicer]) -> None:
        """Raises ConfigError for a method that is a coroutine function."""
        super().__init__()
        for servicer in servicers:
            handlers: Mapping[str, Any] = servicer.__mapping__()
            self.update((path, Method(path, handler)) for path, handler in handlers.items())
        self.unary_paths = frozenset(path for path, method in self.items() if not method.client_streams)
        """Of the methods whose request is one message."""

    def unknown(self, path: str) -> Status:
        """What a call of any other path ends with, in Go's words."""
        service, _, method = path.lstrip("/").rpartition("/")
        known = any(other.startswith(f"/{service}/") for other in self)
        text = f"unknown method {method} for service {service}" if known else f"unknown service {service}"
        return Status(Code.UNIMPLEMENTED, text)


def as_status(path: str, error: BaseException) -> Status:
    """How a call ends whose method raised `error`."""
    if not isinstance(error, RemoteError):
        import logging  # not before something has failed: it is a fifth of a plugin's start

        logging.getLogger("goplugin.server").debug("%s failed", path, exc_info=error)
        return Status(Code.UNKNOWN, str(error))
    try:
        details = encode_details(error.code, error.message, error.details) if error.details else b""
    except Exception as failure:  # noqa: BLE001 - the border: details may be anything
        return Status(error.code, f"{error.message} (its details cannot be sent: {failure})")
    return Status(error.code, error.message, details)


def _malformed(error: Exception) -> Status:
    """How a call ends whose request is no message."""
    return Status(Code.INTERNAL, f"grpc: error unmarshalling request: {error}")
