"""The services every plugin carries beside the application's own, for the asyncio runtime: health, controller, stdio.

Source: go-plugin grpc_server.go, grpc_controller.go and grpc_stdio.go; grpc.health.v1.
"""
from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, cast

from grpclib.const import Cardinality, Handler

from .core.errors import RemoteError
from .core.messages import (
    HEALTH_CHECK_PATH,
    HEALTH_SERVICE_NAME,
    HEALTH_WATCH_PATH,
    SHUTDOWN_PATH,
    STREAM_STDIO_PATH,
    Empty,
    HealthCheckRequest,
    HealthCheckResponse,
    StdioData,
)
from .core.status import Code

if TYPE_CHECKING:
    from grpclib.server import Stream

    from .stdio import OutputBuffer

__all__ = ["ControllerService", "HealthService", "StdioService"]


class HealthService:
    """`plugin`, and the server as a whole (the empty name), are serving for as long as they answer."""

    def __mapping__(self) -> dict[str, Handler]:
        return {
            HEALTH_CHECK_PATH: Handler(
                self.check, Cardinality.UNARY_UNARY, HealthCheckRequest, HealthCheckResponse
            ),
            HEALTH_WATCH_PATH: Handler(
                self.watch, Cardinality.UNARY_STREAM, HealthCheckRequest, HealthCheckResponse
            ),
        }

    async def check(self, stream: Stream[Any, Any]) -> None:
        request = cast("HealthCheckRequest", await stream.recv_message())
        if request.service not in ("", HEALTH_SERVICE_NAME):
            raise RemoteError(Code.NOT_FOUND, "unknown service")
        await stream.send_message(HealthCheckResponse(HealthCheckResponse.SERVING))

    async def watch(self, stream: Stream[Any, Any]) -> None:
        """The state now, and no change until the connection ends: a plugin serves until it exits."""
        request = cast("HealthCheckRequest", await stream.recv_message())
        known = request.service in ("", HEALTH_SERVICE_NAME)
        status = HealthCheckResponse.SERVING if known else HealthCheckResponse.SERVICE_UNKNOWN
        await stream.send_message(HealthCheckResponse(status))
        await asyncio.Event().wait()


class ControllerService:
    """Shutdown: `prepare` (what must reach the host first), then the reply, then `stop`.

    A Go plugin stops its server inside the call, so that its host sees UNAVAILABLE; hosts accept either.
    """

    def __init__(self, prepare: Callable[[], Awaitable[None]], stop: Callable[[], None]) -> None:
        self._prepare = prepare
        self._stop = stop

    def __mapping__(self) -> dict[str, Handler]:
        return {SHUTDOWN_PATH: Handler(self.shutdown, Cardinality.UNARY_UNARY, Empty, Empty)}

    async def shutdown(self, stream: Stream[Any, Any]) -> None:
        await stream.recv_message()
        try:
            await self._prepare()
            await stream.send_message(Empty())
            await stream.send_trailing_metadata()
        finally:
            self._stop()


class StdioService:
    """StreamStdio: what the plugin prints, once. Of two callers each gets a part, as from a Go plugin."""

    def __init__(self, output: OutputBuffer) -> None:
        self._output = output
        self._data_ready = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._streams: set[asyncio.Task[Any]] = set()
        output.on_data = self._wake

    def __mapping__(self) -> dict[str, Handler]:
        return {STREAM_STDIO_PATH: Handler(self.stream_stdio, Cardinality.UNARY_STREAM, Empty, StdioData)}

    async def stream_stdio(self, stream: Stream[Any, Any]) -> None:
        await stream.recv_message()
        task = asyncio.current_task()
        assert task is not None
        self._streams.add(task)
        task.add_done_callback(self._streams.discard)
        # Headers at once: a host may wait for them before it makes its first call.
        await stream.send_initial_metadata()
        while not self._output.finished:
            self._data_ready.clear()
            while (data := self._output.get()) is not None:
                await stream.send_message(data)
                # As long as the host's window is open, sending never waits; but it is not alone on this loop.
                await asyncio.sleep(0)
            if not self._output.finished:
                await self._data_ready.wait()

    async def wait_sent(self, timeout: float) -> None:
        """Wait until those who listen have everything, once the output is closed; at most `timeout` seconds."""
        if self._streams:
            await asyncio.wait(self._streams, timeout=timeout)

    def _wake(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens any more
            self._loop.call_soon_threadsafe(self._data_ready.set)
