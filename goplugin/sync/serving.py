"""A plugin's life in the blocking runtime, from its listener to its end."""
from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING

from ..core.environ import PluginEnvironment
from ..core.errors import ConfigError
from ..plugin import GRPCServer, is_coroutine
from ..services import ReflectionService
from ..serving import END_SECONDS, HOST_WATCH_SECONDS, prepare, serve_with
from .server import Server
from .services import BrokerService, ControllerService, HealthService, StdioService

if TYPE_CHECKING:
    from ..core.reattach import ReattachConfig
    from ..credentials import Credentials
    from ..serving import Announce, ServeConfig, Serving
    from ..transport import Listener
    from .broker import Broker
    from .serving_mux import HostConnection

__all__ = ["make_broker", "run", "serve", "serve_test"]


def serve(config: ServeConfig) -> None:
    """Serve until the host says Shutdown, or is gone; returns then, and the program ends as it likes.

    Run by hand, without the host's magic cookie, it explains itself on stderr and exits with code 1.
    Raises ConfigError for a configuration that cannot be served, coroutine functions among the methods included, and
    for a place where nothing can listen.
    """
    serve_with(config, _new_server, lambda serving: run)


@contextlib.contextmanager
def serve_test(
    config: ServeConfig, *, on_shutdown: Callable[[], object] = lambda: None
) -> Generator[ReattachConfig]:
    """Serve in this process, for a test or under a debugger, while the context lasts; gives how a client finds it.

    Nobody needs the cookie, nothing is printed or captured, signals are left alone. Shutdown ends nothing either, but
    calls `on_shutdown`. Raises ConfigError as `serve` does.
    """
    serving = prepare(config, PluginEnvironment(), _new_server)
    with _running(serving, on_shutdown) as listener:
        yield serving.reattach_config(listener)


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
    stop_read, stop_write = os.pipe()

    def stop() -> None:
        os.write(stop_write, b"\0")

    def on_sigterm(number: int, frame: object) -> None:
        stop()

    # A pipe, because a signal handler that sets an event may meet itself there.
    previous = signal.signal(signal.SIGTERM, on_sigterm)
    try:
        with _running(serving, stop) as listener:
            # Looked at before the announcement, which fails if the host has ended by then.
            host = os.getppid()
            if announce(listener):
                _wait(stop_read, None if serving.outlive_host else host)
    finally:
        signal.signal(signal.SIGTERM, previous)
        os.close(stop_read)
        os.close(stop_write)


@contextlib.contextmanager
def _running(serving: Serving, stop: Callable[[], object]) -> Generator[Listener]:
    """A context whose body runs while the plugin is served; `stop` is called when the host says Shutdown."""
    run_shutdown_hook = _shutdown_hook(serving)
    stdio = StdioService(serving.output.buffer)
    broker = serving.server.taken_sync_broker
    if broker is None and serving.environment.multiplex:
        broker = make_broker(serving.environment, serving.credentials)

    def wind_up() -> None:
        run_shutdown_hook()
        serving.output.stop()
        stdio.wait_sent(END_SECONDS)

    with serving.listen() as listener:
        services = [HealthService(), BrokerService(broker), ControllerService(wind_up, stop), stdio]
        servicers = [*services, *serving.server.servicers]
        server = Server([ReflectionService(servicers), *servicers], tls=serving.credentials.server)
        connection = _accept(serving, listener, server, broker, stop)
        try:
            yield listener
        finally:
            # First, because a host may lose its patience and kill: nobody new is to come any more.
            listener.withdraw()
            wind_up()
            if broker is not None:
                broker.close()
            server.stop(END_SECONDS)
            if connection is not None:
                connection.close()


def _shutdown_hook(serving: Serving) -> Callable[[], None]:
    """What the plugin's author has to do before the end. Raises ConfigError for a coroutine function."""
    if serving.on_shutdown is None:
        return lambda: None
    if is_coroutine(serving.on_shutdown):
        raise ConfigError("on_shutdown is a coroutine function, and this plugin is served by the blocking runtime")
    from ..shutdown import ShutdownHook  # few plugins have one

    return ShutdownHook(serving.on_shutdown, serving.grace).run


def _accept(
    serving: Serving, listener: Listener, server: Server, broker: Broker | None, stop: Callable[[], object]
) -> HostConnection | None:
    """Let `server` have who connects. If that is one connection, the caller closes it behind the server's end."""
    if not serving.environment.multiplex:
        server.start(listener.socket)
        return None
    from .broker_mux import MultiplexedBroker  # few hosts want that
    from .serving_mux import HostConnection

    assert isinstance(broker, MultiplexedBroker)
    return HostConnection(listener, server, broker, stop)


def _new_server(environment: PluginEnvironment, credentials: Credentials) -> GRPCServer:
    return GRPCServer(make_sync_broker=lambda: make_broker(environment, credentials))


def _wait(stop_read: int, host: int | None) -> None:
    """Return when something is written to the pipe, or the process `host` is no longer our parent."""
    period = None if host is None else HOST_WATCH_SECONDS
    while host is None or os.getppid() == host:
        if select.select([stop_read], [], [], period)[0]:
            return
