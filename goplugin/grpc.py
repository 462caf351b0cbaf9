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
import weakref
from collections.abc import Awaitable, Callable, Collection, Generator, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from grpclib.client import Channel, UnaryStreamMethod, UnaryUnaryMethod
from grpclib.const import Cardinality, Handler, Status
from grpclib.exceptions import GRPCError, ProtocolError, StreamTerminatedError
from grpclib.protocol import H2Protocol
from grpclib.server import Server, Stream
from h2.settings import SettingCodes

from .core.errors import ConfigError, PluginLostError, RemoteError
from .core.status import Code

if TYPE_CHECKING:
    from .plugin import Method as PlainMethod
    from .plugin import Servicer

__all__ = [
    "CallContext",
    "Channel",
    "Message",
    "PluginChannel",
    "PluginServer",
    "channel_to",
    "serve_on",
    "translated_errors",
    "unary_stream",
    "unary_unary",
]

log = logging.getLogger("goplugin.grpc")

_DEADLINE_EXCEEDED = "context deadline exceeded"
_CLOCK_SLACK_SECONDS = 0.02
_HEADER_LIMIT = 16 * 1024 * 1024
_TEXT_LIMIT = 8 * 1024


class Message(Protocol):
    """What travels in a call: protobuf's generated classes have these two methods, and so have ours."""

    def SerializeToString(self) -> bytes: ...

    @classmethod
    def FromString(cls, data: bytes, /) -> Message: ...


ReplyT = TypeVar("ReplyT", bound=Message)


# --- host side ---------------------------------------------------------------------------------------------------


class PluginChannel(Channel):
    """grpclib's channel, to a peer that may hang up at any moment, and that need not be brief."""

    async def _create_connection(self) -> H2Protocol:
        protocol = await super()._create_connection()
        connection = protocol.connection
        if not connection.is_closing():
            # Error texts travel in headers. A Go host takes 16 MiB of them; h2 hangs up at 64 KiB.
            limits: dict[SettingCodes | int, int] = {SettingCodes.MAX_HEADER_LIST_SIZE: _HEADER_LIMIT}
            connection._connection.update_settings(limits)  # pyright: ignore[reportPrivateUsage]
            connection.flush()
        return protocol

    async def __connect__(self) -> H2Protocol:
        protocol = await super().__connect__()
        # Lost again before this coroutine went on: grpclib would trip over the connection that it has taken apart.
        if protocol.connection.is_closing():
            raise ConnectionResetError("the peer closed the connection at once")
        return protocol


def channel_to(network: str, address: str) -> Channel:
    """A channel to the address of a handshake line; it connects at its first call. grpclib sets no message size limit.

    Raises ConfigError if `network` is neither unix nor tcp.
    """
    if network == "unix":
        return PluginChannel(path=address)
    if network == "tcp":
        host, _, port = address.rpartition(":")
        return PluginChannel(host=host.strip("[]"), port=int(port))
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


async def serve_on(sock: socket.socket, servicers: Iterable[Servicer]) -> PluginServer:
    """A running server of `servicers` on a listening socket; the caller ends it.

    Raises ConfigError for a plain method that takes a stream of requests.
    """
    handlers: dict[str, Handler] = {}
    threads = _DaemonThreads()
    for servicer in servicers:
        for path, handler in servicer.__mapping__().items():
            method = cast("PlainMethod", handler)
            cardinality = Cardinality((method.cardinality.client_streaming, method.cardinality.server_streaming))
            function = _bounded(path, _as_coroutine(method.func, cardinality, threads))
            handlers[path] = Handler(function, cardinality, method.request_type, method.reply_type)
    server = PluginServer(handlers, threads)
    await server.start(sock=sock)
    return server


class PluginServer(Server):
    """grpclib's server with an end that hangs up.

    grpclib's own leaves the connections open, and from Python 3.12 on waits until the host has closed them.
    """

    def __init__(self, handlers: Mapping[str, Handler], threads: _DaemonThreads) -> None:
        super().__init__([])
        # Not through the constructor, which would copy the methods into a dict that knows no others.
        self._mapping = _Methods(handlers)
        self._threads = threads
        self._connections: weakref.WeakSet[_Connection] = weakref.WeakSet()

    def _protocol_factory(self) -> H2Protocol:
        protocol = super()._protocol_factory()
        connection = _Connection(protocol.handler, protocol.config, protocol.h2_config)
        self._connections.add(connection)
        return connection

    async def end(self, timeout: float) -> None:
        """Cancel the calls, send what is written, and hang up; takes twice `timeout` seconds at most."""
        self.close()
        calls = [asyncio.create_task(handler.wait_closed()) for handler in self._handlers]
        if calls:
            await asyncio.wait(calls, timeout=timeout)
        open_ones = [connection for connection in self._connections if not connection.lost.done()]
        for connection in open_ones:
            # Only one way: a host that finds it may not answer any more (window updates) drops what it has not read.
            with contextlib.suppress(OSError):  # the host was faster
                connection.transport.write_eof()
        if open_ones:
            await asyncio.wait([connection.lost for connection in open_ones], timeout=timeout)
        for connection in open_ones:
            connection.transport.close()
        self._threads.close()


class _Connection(H2Protocol):
    """One host's connection; `lost` is done when it is closed."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.transport = cast("asyncio.Transport", transport)
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self.lost.set_result(None)


Method = Callable[[Stream[Any, Any]], Awaitable[None]]

_NO_MORE = object()


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
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise  # the host does not wait any more
            raise GRPCError(Status.CANCELLED, "context canceled") from error
        except RemoteError as error:
            details = list(error.details) or None
            raise GRPCError(Status(error.code.value), _header_text(error.message), details) from error
        except Exception as error:
            log.debug("%s failed", path, exc_info=True)
            raise GRPCError(Status.UNKNOWN, _header_text(str(error))) from error

    return handle


def _header_text(text: str) -> str:
    """`text` as it can travel in a header: UTF-8, and no longer than peers take and hpack encodes in a blink."""
    data = text.encode("utf-8", "replace")
    return data.decode() if len(data) <= _TEXT_LIMIT else data[:_TEXT_LIMIT].decode("utf-8", "ignore") + "..."


def _as_coroutine(function: Callable[..., Any], cardinality: Cardinality, threads: _DaemonThreads) -> Method:
    """A method in grpclib's form. Raises ConfigError for a plain one that takes a stream of requests."""
    if inspect.iscoroutinefunction(function):
        return cast("Method", function)
    client_streams, server_streams = cardinality.value
    if client_streams:
        name = getattr(function, "__qualname__", str(function))
        raise ConfigError(f"{name} takes a stream of requests: write it as `async def {name}(self, stream)`")

    async def unary(stream: Stream[Any, Any]) -> None:
        request = await stream.recv_message()
        await stream.send_message(await threads.run(function, request, _context(stream)))

    async def server_streaming(stream: Stream[Any, Any]) -> None:
        request = await stream.recv_message()
        replies = _Replies(await threads.run(function, request, _context(stream)))
        try:
            while (reply := await threads.run(replies.take)) is not _NO_MORE:
                await stream.send_message(reply)
        finally:
            threads.start(replies.close)

    return server_streaming if server_streams else unary


def _context(stream: Stream[Any, Any]) -> CallContext:
    remaining = stream.deadline.time_remaining() if stream.deadline else None
    metadata = cast("Mapping[str, str | bytes]", stream.metadata or {})
    return CallContext(metadata, None if remaining is None else time.monotonic() + remaining)


class _Replies:
    """What a plain method streams, taken one by one by changing threads; may be closed while one is being made."""

    def __init__(self, replies: Iterable[Any]) -> None:
        self._replies: Iterator[Any] = iter(replies)
        self._lock = threading.Lock()

    def take(self) -> Any:
        with self._lock:
            return next(self._replies, _NO_MORE)

    def close(self) -> None:
        """Let a generator clean up, now and not when the garbage collector finds it."""
        with self._lock:
            if isinstance(self._replies, Generator):
                cast("Generator[Any]", self._replies).close()


class _DaemonThreads:
    """Threads for plain methods, as many as calls run at once.

    The interpreter's own pools wait at exit for every thread, so one method that never returns would keep a plugin
    alive that was asked to shut down; daemon threads do not.
    """

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._threads = 0
        self._idle = 0
        self._lock = threading.Lock()

    def close(self) -> None:
        """Let every thread end when it has done what it does now."""
        for _ in range(self._threads):
            self._jobs.put(None)

    async def run(self, function: Callable[..., Any], *arguments: object) -> Any:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()

        def finish(result: Any, error: BaseException | None) -> None:
            if future.cancelled():
                return
            if error is None:
                future.set_result(result)
            elif isinstance(error, StopIteration):
                # No future takes it, and a coroutine that raises it gets the same change from the interpreter.
                future.set_exception(RuntimeError("method raised StopIteration"))
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

    def start(self, function: Callable[[], None]) -> None:
        """Run `function` without waiting for it."""

        def job() -> None:
            try:
                function()
            except Exception:  # the border of an author's code, as in _bounded
                log.exception("%s failed", function)

        self._submit(job)

    def _submit(self, job: Callable[[], None]) -> None:
        with self._lock:
            start_one = self._idle == 0
            if start_one:
                self._threads += 1
            else:
                self._idle -= 1
        self._jobs.put(job)
        if start_one:
            threading.Thread(target=self._work, name="goplugin-call", daemon=True).start()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
            del job  # an idle thread must not keep a request and its reply alive
            with self._lock:
                self._idle += 1
