"""Health, controller and stdio for the asyncio runtime; `../services.py` says what they are."""
from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, cast

from ..core.messages import Empty
from ..services import broker_methods, checked, controller_methods, health_methods, stdio_methods, watched

if TYPE_CHECKING:
    from grpclib.server import Stream

    from ..core.messages import HealthCheckRequest
    from ..plugin import Method
    from ..stdio import OutputBuffer
    from .broker import Broker

__all__ = ["BrokerService", "ControllerService", "HealthService", "StdioService"]


class HealthService:
    def __mapping__(self) -> dict[str, Method]:
        return health_methods(self.check, self.watch)

    async def check(self, stream: Stream[Any, Any]) -> None:
        await stream.send_message(checked(cast("HealthCheckRequest", await stream.recv_message())))

    async def watch(self, stream: Stream[Any, Any]) -> None:
        await stream.send_message(watched(cast("HealthCheckRequest", await stream.recv_message())))
        await asyncio.Event().wait()


class BrokerService:
    """Exchanges messages for `broker`, if the plugin has taken it."""

    def __init__(self, broker: Broker | None) -> None:
        self._broker = broker

    def __mapping__(self) -> dict[str, Method]:
        return broker_methods(self.start_stream)

    async def start_stream(self, stream: Stream[Any, Any]) -> None:
        await stream.send_initial_metadata()
        if self._broker is not None:
            await self._broker.exchange(stream)
        else:
            async for _ in stream:
                pass


class ControllerService:
    """`prepare` is awaited (what must reach the host first), then the reply is sent, then `stop` is called."""

    def __init__(self, prepare: Callable[[], Awaitable[None]], stop: Callable[[], object]) -> None:
        self._prepare = prepare
        self._stop = stop

    def __mapping__(self) -> dict[str, Method]:
        return controller_methods(self.shutdown)

    async def shutdown(self, stream: Stream[Any, Any]) -> None:
        await stream.recv_message()
        try:
            await self._prepare()
            await stream.send_message(Empty())
            await stream.send_trailing_metadata()
        finally:
            self._stop()


class StdioService:
    """Gives what is in `output`."""

    def __init__(self, output: OutputBuffer) -> None:
        self._output = output
        self._data_ready = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._streams: set[asyncio.Task[Any]] = set()
        output.on_data = self._wake

    def __mapping__(self) -> dict[str, Method]:
        return stdio_methods(self.stream_stdio)

    async def stream_stdio(self, stream: Stream[Any, Any]) -> None:
        await stream.recv_message()
        task = asyncio.current_task()
        assert task is not None
        self._streams.add(task)
        task.add_done_callback(self._streams.discard)
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
