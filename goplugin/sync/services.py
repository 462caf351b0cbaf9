"""The services every plugin carries beside the application's own, for the blocking runtime: health, controller, stdio.

Source: go-plugin grpc_server.go, grpc_controller.go and grpc_stdio.go; grpc.health.v1.
"""
from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from ..core.errors import RemoteError
from ..core.messages import (
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
from ..core.status import Code
from ..plugin import Method, Streams

if TYPE_CHECKING:
    from ..context import CallContext
    from ..stdio import OutputBuffer

__all__ = ["ControllerService", "HealthService", "StdioService"]

_UNARY = Streams()
_SERVER_STREAMS = Streams(server_streaming=True)


class HealthService:
    """`plugin`, and the server as a whole (the empty name), are serving for as long as they answer."""

    def __mapping__(self) -> dict[str, Method]:
        return {
            HEALTH_CHECK_PATH: Method(self.check, _UNARY, HealthCheckRequest, HealthCheckResponse),
            HEALTH_WATCH_PATH: Method(self.watch, _SERVER_STREAMS, HealthCheckRequest, HealthCheckResponse),
        }

    def check(self, request: HealthCheckRequest, context: CallContext) -> HealthCheckResponse:
        if request.service not in ("", HEALTH_SERVICE_NAME):
            raise RemoteError(Code.NOT_FOUND, "unknown service")
        return HealthCheckResponse(HealthCheckResponse.SERVING)

    def watch(self, request: HealthCheckRequest, context: CallContext) -> Iterator[HealthCheckResponse]:
        """The state now, and no change until the connection ends: a plugin serves until it exits."""
        known = request.service in ("", HEALTH_SERVICE_NAME)
        yield HealthCheckResponse(HealthCheckResponse.SERVING if known else HealthCheckResponse.SERVICE_UNKNOWN)
        context.wait_cancelled()


class ControllerService:
    """Shutdown: `prepare` (what must reach the host first), then the reply, then `stop`."""

    def __init__(self, prepare: Callable[[], None], stop: Callable[[], None]) -> None:
        self._prepare = prepare
        self._stop = stop

    def __mapping__(self) -> dict[str, Method]:
        return {SHUTDOWN_PATH: Method(self.shutdown, _UNARY, Empty, Empty)}

    def shutdown(self, request: Empty, context: CallContext) -> Empty:
        context.add_callback(self._stop)
        self._prepare()
        return Empty()


class StdioService:
    """StreamStdio: what the plugin prints, once. Of two callers each gets a part, as from a Go plugin."""

    def __init__(self, output: OutputBuffer) -> None:
        self._output = output
        self._changed = threading.Condition()
        self._streams = 0
        output.on_data = self._wake

    def __mapping__(self) -> dict[str, Method]:
        return {STREAM_STDIO_PATH: Method(self.stream_stdio, _SERVER_STREAMS, Empty, StdioData)}

    def stream_stdio(self, request: Empty, context: CallContext) -> Iterator[StdioData]:
        # Headers at once: a host may wait for them before it makes its first call.
        context.send_initial_metadata()
        context.add_callback(self._wake)
        with self._changed:
            self._streams += 1
        try:
            while (data := self._next(context)) is not None:
                yield data
        finally:
            with self._changed:
                self._streams -= 1
                self._changed.notify_all()

    def wait_sent(self, timeout: float) -> None:
        """Wait until those who listen have everything, once the output is closed; at most `timeout` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: not self._streams, timeout)

    def _next(self, context: CallContext) -> StdioData | None:
        """Wait for the next chunk; None when there will be none, or nobody wants it."""
        with self._changed:
            while not context.cancelled and not self._output.finished:
                data = self._output.get()
                if data is not None:
                    return data
                self._changed.wait()
        return None

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()
