"""Calls to a plugin over asyncio, by their path and with this project's own errors.

Stubs that grpclib's code generator wrote run on a channel as well, with grpclib's errors; `translated_errors` turns
these into ours.
"""
from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Generator
from ssl import SSLError
from typing import Any, Protocol, TypeVar, cast

from grpclib.client import Channel, UnaryStreamMethod, UnaryUnaryMethod
from grpclib.exceptions import GRPCError, ProtocolError, StreamTerminatedError

from .aio.plugin_channel import channel_to
from .core.errors import PluginLostError, RemoteError
from .core.status import Code
from .tls import explain

__all__ = ["Channel", "Message", "channel_to", "translated_errors", "unary_stream", "unary_unary"]

_DEADLINE_EXCEEDED = "context deadline exceeded"
_CLOCK_SLACK_SECONDS = 0.02
_BROKEN = "the peer broke the protocol: "       # what the machine says then


class Message(Protocol):
    """What travels in a call: protobuf's generated classes have these two methods, and so have ours."""

    def SerializeToString(self) -> bytes: ...

    @classmethod
    def FromString(cls, data: bytes, /) -> Message: ...


ReplyT = TypeVar("ReplyT", bound=Message)


async def unary_unary(
    channel: Channel, path: str, request: Message, reply_type: type[ReplyT], *, timeout: float | None = None
) -> ReplyT:
    """One unary call. Raises RemoteError, or PluginLostError if the connection is gone."""
    method = UnaryUnaryMethod(channel, path, type(request), reply_type)
    with translated_errors(timeout):
        return await method(request, timeout=timeout)


async def unary_stream(
    channel: Channel, path: str, request: Message, reply_type: type[ReplyT], receive: Callable[[ReplyT], None]
) -> None:
    """One server-streaming call without a deadline; `receive` gets each reply. Raises as `unary_unary` does."""
    method = UnaryStreamMethod(channel, path, type(request), reply_type)
    with translated_errors(None):
        async with method.open() as stream:
            await stream.send_message(request, end=True)
            async for reply in stream:
                receive(reply)


@contextlib.contextmanager
def translated_errors(timeout: float | None) -> Generator[None]:
    """Map what grpclib, sockets and timers raise to RemoteError and PluginLostError."""
    started = time.monotonic()
    try:
        yield
    except GRPCError as error:
        code = Code(error.status.value)
        # Which side notices first is chance, and grpclib's server says it without a text.
        text = error.message or (_DEADLINE_EXCEEDED if code is Code.DEADLINE_EXCEEDED else "")
        details = tuple(cast("Collection[Any]", error.details or ()))
        raise RemoteError(code, text, details) from error
    except TimeoutError as error:
        if timeout is None:
            raise PluginLostError(f"connection error: {error or 'timed out'}") from error
        raise RemoteError(Code.DEADLINE_EXCEEDED, _DEADLINE_EXCEEDED) from error
    except (StreamTerminatedError, ProtocolError) as error:
        # A Go plugin that comes upon the deadline first resets the stream, and its clock may be a little ahead.
        if timeout is not None and time.monotonic() - started > timeout - _CLOCK_SLACK_SECONDS:
            raise RemoteError(Code.DEADLINE_EXCEEDED, _DEADLINE_EXCEEDED) from error
        raise PluginLostError(_ending(error)) from error
    except SSLError as error:
        raise PluginLostError(f"connection error: authentication handshake failed: {explain(error)}") from error
    except OSError as error:
        raise PluginLostError(f"connection error: {error}") from error


def _ending(error: Exception) -> str:
    """Why a call ended without an answer, as far as anybody said."""
    if str(error).startswith(_BROKEN):
        return str(error)
    cause = error.__cause__
    reason = explain(cause) if isinstance(cause, SSLError) else str(cause or "") or "EOF"
    return f"error reading from server: {reason}"
