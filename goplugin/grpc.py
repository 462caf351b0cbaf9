"""gRPC over asyncio: the one module that knows grpclib.

Above it live servicers, stubs and this project's own errors; below it grpclib's Server, Channel and exceptions. A
servicer's plain methods run in threads of their own, so that a slow one holds up nobody else.
"""
from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
import queue
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Collection, Generator, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from grpclib.client import Channel, UnaryStreamMethod, UnaryUnaryMethod
from grpclib.const import Cardinality, Handler, Status
from grpclib.exceptions import GRPCError, ProtocolError, StreamTerminatedError
from grpclib.server import Server, Stream

from .core.errors import ConfigError, PluginLostError, RemoteError
from .core.status import Code

if TYPE_CHECKING:
    from .plugin import Servicer

__all__ = [
    "CallContext",
    "Channel",
    "Message",
    "channel_to",
    "serve_on",
    "translated_errors",
    "unary_stream",
    "unary_unary",
]

log = logging.getLogger("goplugin.grpc")


class Message(Protocol):
    """What travels in a call: protobuf's generated classes have these two methods, and so have ours."""

    def SerializeToString(self) -> bytes: ...

    @classmethod
    def FromString(cls, data: bytes, /) -> Message: ...


ReplyT = TypeVar("ReplyT", bound=Message)


# --- host side ---------------------------------------------------------------------------------------------------


def channel_to(network: str, address: str) -> Channel:
    """A channel to the address of a handshake line; it connects at its first call. grpclib sets no message size limit.

    Raises ConfigError if `network` is neither unix nor tcp.
    """
    if network == "unix":
        return Channel(path=address)
    if network == "tcp":
        host, _, port = address.rpartition(":")
        return Channel(host=host.strip("[]"), port=int(port))
    raise ConfigError(f"unknown address type: {address}")


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
    try:
        yield
    except GRPCError as error:
        details = tuple(cast("Collection[Any]", error.details or ()))
        raise RemoteError(Code(error.status.value), error.message or "", details) from error
    except TimeoutError as error:
        if timeout is None:
            raise PluginLostError(f"connection error: {error or 'timed out'}") from error
        raise RemoteError(Code.DEADLINE_EXCEEDED, "context deadline exceeded") from error
    except (StreamTerminatedError, ProtocolError) as error:
        raise PluginLostError("error reading from server: EOF") from error
    except OSError as error:
        raise PluginLostError(f"connection error: {error}") from error


# --- plugin side -------------------------------------------------------------------------------------------------


class CallContext:
    """What a plain method learns about its call beside the request."""

    def __init__(self, metadata: Mapping[str, str | bytes], deadline: float | None) -> None:
        self.metadata = metadata
        self.deadline = deadline
        """When the caller stops waiting, on `time.monotonic`'s clock; None if never."""

    def time_remaining(self) -> float | None:
        """Seconds until the deadline (0 at the least), or None without one."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())


async def serve_on(sock: socket.socket, servicers: Iterable[Servicer]) -> Server:
    """A running grpclib server of `servicers` on a listening socket; the caller closes it."""
    handlers: dict[str, Handler] = {}
    threads = _DaemonThreads()
    for servicer in servicers:
        for path, handler in servicer.__mapping__().items():
            handlers[path] = handler._replace(func=_bounded(path, _as_coroutine(handler, threads)))
    server = Server([])
    # Not through the constructor, which would copy the methods into a dict that knows no others.
    server._mapping = _Methods(handlers)  # pyright: ignore[reportPrivateUsage]
    await server.start(sock=sock)
    return server


Method = Callable[[Stream[Any, Any]], Awaitable[None]]


class _Methods(dict[str, Handler]):
    """A server's methods by path; any other path has one that says so in Go's words.

    grpclib's own answer to an unknown method lacks the content type, and its own client then reports only that.
    """

    def get(self, path: str, default: object = None) -> Handler:  # pyright: ignore[reportIncompatibleMethodOverride]
        handler = super().get(path)
        if handler is not None:
            return handler
        service, _, method = path.lstrip("/").rpartition("/")
        known = any(other.startswith(f"/{service}/") for other in self)
        text = f"unknown method {method} for service {service}" if known else f"unknown service {service}"

        async def unknown(stream: Stream[Any, Any]) -> None:
            raise GRPCError(Status.UNIMPLEMENTED, text)

        return Handler(unknown, Cardinality.UNARY_UNARY, None, None)


def _bounded(path: str, method: Method) -> Method:
    """The border between an author's code and the wire: whatever `method` raises becomes a status with its text."""

    async def handle(stream: Stream[Any, Any]) -> None:
        try:
            await method(stream)
        except (GRPCError, StreamTerminatedError, ProtocolError):
            raise
        except RemoteError as error:
            raise GRPCError(Status(error.code.value), error.message, list(error.details) or None) from error
        except Exception as error:
            log.debug("%s failed", path, exc_info=True)
            raise GRPCError(Status.UNKNOWN, str(error)) from error

    return handle


def _as_coroutine(handler: Handler, threads: _DaemonThreads) -> Method:
    """`handler`'s method in grpclib's form. Raises ConfigError for a plain method that takes a stream of requests."""
    function = cast("Callable[..., Any]", handler.func)
    if inspect.iscoroutinefunction(function):
        return cast("Method", function)
    client_streams, server_streams = cast("Cardinality", handler.cardinality).value
    if client_streams:
        name = getattr(function, "__qualname__", str(function))
        raise ConfigError(f"{name} takes a stream of requests: write it as `async def {name}(self, stream)`")

    async def unary(stream: Stream[Any, Any]) -> None:
        request = await stream.recv_message()
        await stream.send_message(await threads.run(function, request, _context(stream)))

    async def server_streaming(stream: Stream[Any, Any]) -> None:
        request = await stream.recv_message()
        replies = iter(function(request, _context(stream)))
        while (reply := await threads.run(next, replies, None)) is not None:
            await stream.send_message(reply)

    return server_streaming if server_streams else unary


def _context(stream: Stream[Any, Any]) -> CallContext:
    remaining = stream.deadline.time_remaining() if stream.deadline else None
    metadata = cast("Mapping[str, str | bytes]", stream.metadata or {})
    return CallContext(metadata, None if remaining is None else time.monotonic() + remaining)


class _DaemonThreads:
    """Threads for plain methods, as many as calls run at once.

    The interpreter's own pools wait at exit for every thread, so one method that never returns would keep a plugin
    alive that was asked to shut down; daemon threads do not.
    """

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._idle = 0
        self._lock = threading.Lock()

    async def run(self, function: Callable[..., Any], *arguments: object) -> Any:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()

        def finish(result: Any, error: BaseException | None) -> None:
            if future.cancelled():
                return
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)

        def job() -> None:
            result, failure = None, None
            try:
                result = function(*arguments)
            except BaseException as error:  # noqa: BLE001 - re-raised where the call is awaited
                failure = error
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(finish, result, failure)

        self._submit(job)
        return await future

    def _submit(self, job: Callable[[], None]) -> None:
        with self._lock:
            start_one = self._idle == 0
            if not start_one:
                self._idle -= 1
        self._jobs.put(job)
        if start_one:
            threading.Thread(target=self._work, name="goplugin-call", daemon=True).start()

    def _work(self) -> None:
        while True:
            self._jobs.get()()
            with self._lock:
                self._idle += 1
