"""Plain methods under asyncio: `def Method(self, request, context)`, which may block, run on threads of their own.

All that concerns the stream is done by a coroutine on the loop. It hands a thread one step at a time, the call of the
method or the making of the next reply, and what a method asks of the call meanwhile comes back to the loop. So a
stream whose method has nothing to say just now has a thread, and one whose host reads slowly has none.
"""
from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from grpclib.exceptions import StreamTerminatedError

from ..context import CallContext
from ..core.errors import RemoteError
from ..core.status import Code

if TYPE_CHECKING:
    from grpclib.exceptions import GRPCError

    from ..core.http2 import MetadataLike
    from ..plugin import Streams
    from ..workers import Workers
    from .server_stream import ServerStream

__all__ = ["as_coroutine"]

log = logging.getLogger("goplugin.server")

T = TypeVar("T")

_NO_MORE = object()
_CANCELLED = "context canceled"


def as_coroutine(
    function: Callable[..., Any],
    streams: Streams,
    workers: Workers,
    status_of: Callable[[Exception], GRPCError],
) -> Callable[[ServerStream[Any, Any]], Awaitable[None]]:
    """`function` as a method that takes grpclib's stream; `status_of` gives how an exception of its ends the call.

    Where the requests are a stream it takes an iterator of them, and where the replies are one it returns an iterable.
    """

    async def method(stream: ServerStream[Any, Any]) -> None:
        call = _Call(stream, streams.server_streaming)
        try:
            request = call.requests() if streams.client_streaming else await stream.recv_message()
            result = await _in_thread(workers, function, request, call)
            if streams.server_streaming:
                await _send_all(stream, result, workers)
            else:
                await call.send_only(result)
            await stream.send_trailing_metadata(metadata=call.trailers)
        except asyncio.CancelledError:
            call.end(True)
            raise
        except Exception as error:  # the border: an author's code may raise anything, and a call ends with a status
            if not call.trailers:
                raise
            status = status_of(error)
            await stream.send_trailing_metadata(
                status=status.status,
                status_message=status.message,
                status_details=status.details,
                metadata=call.trailers,
            )
        finally:
            call.end(False)

    return method


class _Call(CallContext):
    """A call, as its method sees it from its thread."""

    __slots__ = ("_loop", "_stream", "_streams_replies")

    def __init__(self, stream: ServerStream[Any, Any], streams_replies: bool) -> None:
        remaining = stream.deadline.time_remaining() if stream.deadline is not None else None
        metadata = cast("Mapping[str, str | bytes]", stream.metadata or {})
        super().__init__(tuple(metadata.items()), None if remaining is None else time.monotonic() + remaining)
        self._stream = stream
        self._streams_replies = streams_replies
        self._loop = asyncio.get_running_loop()

    def send_initial_metadata(self, metadata: MetadataLike = ()) -> None:
        super().send_initial_metadata(metadata)
        if self._streams_replies:
            self._ask(self._stream.send_initial_metadata(metadata=tuple(metadata)))

    def requests(self) -> Iterator[Any]:
        """The requests as they come. Raises RemoteError if the call is cancelled meanwhile."""
        while (request := self._ask(self._stream.recv_message())) is not None:
            yield request

    async def send_only(self, reply: Any) -> None:
        """Send the reply, and what the method wants before it."""
        if self.extras is not None and self.extras.initial_metadata:
            await self._stream.send_initial_metadata(metadata=self.extras.initial_metadata)
        await self._stream.send_message(reply)

    @property
    def trailers(self) -> Any:
        """What the method wants behind the answer."""
        return () if self.extras is None else self.extras.trailing_metadata

    def _ask(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Have the loop run this, and wait for it. Raises RemoteError if the call is cancelled meanwhile."""
        try:
            answer = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        except RuntimeError as error:
            coroutine.close()       # the loop has ended, and with it the server
            raise RemoteError(Code.CANCELLED, _CANCELLED) from error
        self.add_callback(answer.cancel)
        try:
            return answer.result()
        except (concurrent.futures.CancelledError, StreamTerminatedError) as error:
            raise RemoteError(Code.CANCELLED, _CANCELLED) from error
        finally:
            self.remove_callback(answer.cancel)


async def _send_all(stream: ServerStream[Any, Any], result: Iterable[Any], workers: Workers) -> None:
    replies = _Replies(result)
    try:
        while (reply := await _in_thread(workers, replies.take)) is not _NO_MORE:
            await stream.send_message(reply)
    finally:
        workers.start(replies.close)


class _Replies:
    """What a method streams, taken one by one by changing threads; may be closed while one is being made."""

    def __init__(self, replies: Iterable[Any]) -> None:
        self._replies: Iterator[Any] = iter(replies)
        self._lock = threading.Lock()

    def take(self) -> Any:
        with self._lock:
            return next(self._replies, _NO_MORE)

    def close(self) -> None:
        """Let a generator clean up, now and not when the garbage collector finds it."""
        with self._lock:
            replies: Any = self._replies
            if isinstance(replies, Generator):
                try:
                    cast("Generator[Any]", replies).close()
                except Exception:  # the border of an author's code, and the call is over
                    log.exception("%s failed", cast("Generator[Any]", replies))


async def _in_thread(workers: Workers, function: Callable[..., T], *arguments: object) -> T:
    """What `function` returns or raises on a thread; cancelled, the thread goes on and nobody waits for it."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

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

    workers.start(job)
    return await future
