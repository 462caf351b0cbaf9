"""Health, controller and stdio for the blocking runtime; `../services.py` says what they are."""
from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from ..core.messages import ConnInfo, Empty, HealthCheckRequest, HealthCheckResponse, StdioData
from ..services import broker_methods, checked, controller_methods, health_methods, stdio_methods, watched

if TYPE_CHECKING:
    from ..context import CallContext
    from ..plugin import Method
    from ..stdio import OutputBuffer
    from .broker import Broker

__all__ = ["BrokerService", "ControllerService", "HealthService", "StdioService"]


class HealthService:
    def __mapping__(self) -> dict[str, Method]:
        return health_methods(self.check, self.watch)

    def check(self, request: HealthCheckRequest, context: CallContext) -> HealthCheckResponse:
        return checked(request)

    def watch(self, request: HealthCheckRequest, context: CallContext) -> Iterator[HealthCheckResponse]:
        yield watched(request)
        context.wait_cancelled()


class BrokerService:
    """Exchanges messages for `broker`, if the plugin has taken it."""

    def __init__(self, broker: Broker | None) -> None:
        self._broker = broker

    def __mapping__(self) -> dict[str, Method]:
        return broker_methods(self.start_stream)

    def start_stream(self, requests: Iterator[ConnInfo], context: CallContext) -> Iterator[ConnInfo]:
        context.send_initial_metadata()
        if self._broker is not None:
            yield from self._broker.exchange(requests)
        else:
            for _ in requests:
                pass


class ControllerService:
    """`prepare` is called (what must reach the host first), then the reply is sent, then `stop` is called."""

    def __init__(self, prepare: Callable[[], None], stop: Callable[[], object]) -> None:
        self._prepare = prepare
        self._stop = stop

    def __mapping__(self) -> dict[str, Method]:
        return controller_methods(self.shutdown)

    def shutdown(self, request: Empty, context: CallContext) -> Empty:
        context.add_callback(self._stop)
        self._prepare()
        return Empty()


class StdioService:
    """Gives what is in `output`."""

    def __init__(self, output: OutputBuffer) -> None:
        self._output = output
        self._changed = threading.Condition()
        self._streams = 0
        output.on_data = self._wake

    def __mapping__(self) -> dict[str, Method]:
        return stdio_methods(self.stream_stdio)

    def stream_stdio(self, request: Empty, context: CallContext) -> Iterator[StdioData]:
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
