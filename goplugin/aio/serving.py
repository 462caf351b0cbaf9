"""A plugin's life in the asyncio runtime, from its listener to its end."""
from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, cast

from ..core.environ import PluginEnvironment
from ..plugin import GRPCServer, is_coroutine
from ..services import ReflectionService
from ..serving import END_SECONDS, HOST_WATCH_SECONDS, prepare
from ..shutdown import ShutdownHook
from .plugin_server import PluginServer
from .services import BrokerService, ControllerService, HealthService, StdioService

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from ..core.reattach import ReattachConfig
    from ..credentials import Credentials
    from ..serving import Announce, ServeConfig, Serving
    from ..transport import Listener
    from .broker import Broker
    from .serving_mux import HostConnection

__all__ = ["make_broker", "new_server", "run", "running", "serve_test", "wait_for_end"]

_STUCK_AFTER_SECONDS = 0.1


@contextlib.asynccontextmanager
async def serve_test(
    config: ServeConfig, *, on_shutdown: Callable[[], object] = lambda: None
) -> AsyncGenerator[ReattachConfig]:
    """Serve in this process, for a test or under a debugger, while the context lasts; gives how a client finds it.

    Nobody needs the cookie, nothing is printed or captured, signals are left alone. Shutdown ends nothing either, but
    calls `on_shutdown`. Raises ConfigError as `serve` does.
    """
    serving = prepare(config, PluginEnvironment(), new_server)
    async with running(serving, on_shutdown) as listener:
        yield serving.reattach_config(listener)


def new_server(environment: PluginEnvironment, credentials: Credentials) -> GRPCServer:
    """For plugins of which it is known that asyncio serves them."""
    return GRPCServer(make_broker=lambda: make_broker(environment, credentials))


def make_broker(environment: PluginEnvironment, credentials: Credentials) -> Broker:
    """The broker of a plugin that wants one, or whose host wants everything to be multiplexed."""
    # Most plugins have none.
    if environment.multiplex:
        from .broker_mux import MultiplexedBroker

        return MultiplexedBroker(server_tls=credentials.server, client_tls=credentials.client)
    from ..reach import Reach
    from .broker_plain import PlainBroker

    return PlainBroker(Reach(environment, credentials.server, credentials.client))


def run(serving: Serving, announce: Announce) -> None:
    """The runtime; see `../serving.py`."""
    asyncio.run(_run(serving, announce))


async def _run(serving: Serving, announce: Announce) -> None:
    stopped = asyncio.Event()
    # From here on nobody who ends this process, short of SIGKILL, makes it leave its socket behind.
    if sys.platform != "win32":
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    async with running(serving, stopped.set) as listener:
        # Looked at before the announcement, which fails if the host has ended by then.
        host = os.getppid()
        if announce(listener):
            await wait_for_end(stopped, None if serving.outlive_host else host)


@contextlib.asynccontextmanager
async def running(serving: Serving, stop: Callable[[], object]) -> AsyncGenerator[Listener]:
    """A context whose body runs while the plugin is served; `stop` is called when the host says Shutdown."""
    serving.output.buffer.writer_is_stuck = _StuckLoop(asyncio.get_running_loop())
    run_shutdown_hook = _shutdown_hook(serving)
    stdio = StdioService(serving.output.buffer)
    broker = serving.server.taken_broker
    if broker is None and serving.environment.multiplex:
        broker = make_broker(serving.environment, serving.credentials)

    def end_output() -> None:
        run_shutdown_hook()
        serving.output.stop()

    async def wind_up() -> None:
        await asyncio.to_thread(end_output)
        await stdio.wait_sent(END_SECONDS)

    with serving.listen() as listener:
        services = [HealthService(), BrokerService(broker), ControllerService(wind_up, stop), stdio]
        servicers = [*services, *serving.server.servicers]
        server = PluginServer([ReflectionService(servicers), *servicers])
        connection = await _accept(serving, listener, server, broker, stop)
        try:
            yield listener
        finally:
            # First, because a host may lose its patience and kill: nobody new is to come any more.
            listener.withdraw()
            await wind_up()
            if broker is not None:
                await broker.close()
            await server.end(END_SECONDS)
            if connection is not None:
                await connection.close()


def _shutdown_hook(serving: Serving) -> Callable[[], None]:
    """What the plugin's author has to do before the end, for a thread; a coroutine of it runs in this loop."""
    function = serving.on_shutdown
    if function is None:
        return lambda: None
    loop = asyncio.get_running_loop()

    def run_in_loop() -> None:
        with contextlib.suppress(CancelledError):       # its time is over, and so is the loop
            asyncio.run_coroutine_threadsafe(cast("Coroutine[object, object, object]", function()), loop).result()

    return ShutdownHook(run_in_loop if is_coroutine(function) else function, serving.grace).run


async def _accept(
    serving: Serving, listener: Listener, server: PluginServer, broker: Broker | None, stop: Callable[[], object]
) -> HostConnection | None:
    """Let `server` have who connects. If that is one connection, the caller closes it behind the server's end."""
    if not serving.environment.multiplex:
        await server.start(sock=listener.socket, ssl=serving.credentials.server)
        return None
    from .broker_mux import MultiplexedBroker  # few hosts want that
    from .serving_mux import HostConnection

    assert isinstance(broker, MultiplexedBroker)
    return HostConnection(listener, server, broker, stop)


async def wait_for_end(stopped: asyncio.Event, host: int | None) -> None:
    """Return when `stopped` is set, or the process `host` is no longer our parent."""
    period = None if host is None else HOST_WATCH_SECONDS
    while host is None or os.getppid() == host:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(period):
                await stopped.wait()
                return


class _StuckLoop:
    """Whether the event loop has not run for a while, though somebody waits for it: it is itself printing."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._asked: float | None = None

    def __call__(self) -> bool:
        asked = self._asked  # the loop may answer at any moment
        if asked is None:
            self._asked = time.monotonic()
            with contextlib.suppress(RuntimeError):  # closed, and so stuck for good
                self._loop.call_soon_threadsafe(self._answer)
            return False
        return time.monotonic() - asked > _STUCK_AFTER_SECONDS

    def _answer(self) -> None:
        self._asked = None
