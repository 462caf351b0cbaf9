"""A plugin's life in the blocking runtime, from its listener to its end."""
from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..transport import Listener, listen
from .server import serve_on
from .services import ControllerService, HealthService, StdioService

if TYPE_CHECKING:
    from ..core.environ import PluginEnvironment
    from ..plugin import Servicer
    from ..stdio import OutputCapture

__all__ = ["run"]

_HOST_WATCH_SECONDS = 0.5
_END_SECONDS = 1.0


def run(
    environment: PluginEnvironment,
    servicers: list[Servicer],
    output: OutputCapture,
    announce: Callable[[Listener], None],
    outlive_host: bool,
) -> None:
    """Serve plain `servicers` until the host says Shutdown, or is gone, or SIGTERM comes.

    `announce` is called when a host may connect. Raises ConfigError where nothing can listen.
    """
    stop_read, stop_write = os.pipe()

    def stop() -> None:
        os.write(stop_write, b"\0")

    def on_sigterm(number: int, frame: object) -> None:
        stop()

    # A pipe, because a signal handler that sets an event may meet itself there.
    previous = signal.signal(signal.SIGTERM, on_sigterm)
    stdio = StdioService(output.buffer)

    def deliver_output() -> None:
        output.stop()
        stdio.wait_sent(_END_SECONDS)

    try:
        with listen(environment) as listener:
            controller = ControllerService(deliver_output, stop)
            server = serve_on(listener.socket, [HealthService(), controller, stdio, *servicers])
            # Looked at before the announcement, which fails if the host has ended by then.
            host = os.getppid()
            try:
                announce(listener)
            except BrokenPipeError:
                stop()
            _wait(stop_read, None if outlive_host else host)
            # First, because a host may lose its patience and kill: nobody new is to come any more.
            listener.withdraw()
            deliver_output()
            server.stop(_END_SECONDS)
    finally:
        signal.signal(signal.SIGTERM, previous)
        os.close(stop_read)
        os.close(stop_write)


def _wait(stop_read: int, host: int | None) -> None:
    """Return when something is written to the pipe, or the process `host` is no longer our parent."""
    period = None if host is None else _HOST_WATCH_SECONDS
    while host is None or os.getppid() == host:
        if select.select([stop_read], [], [], period)[0]:
            return
