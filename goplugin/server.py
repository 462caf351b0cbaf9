"""Serving a plugin: `serve` is a plugin program's last line.

Source: go-plugin server.go, Serve; the order of the steps is protocol.md's of upstream: cookie, version, listener,
services, handshake line, then the streams change hands.
"""
from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple, cast

from .core.environ import PluginEnvironment, go_quote
from .core.errors import ConfigError, MagicCookieError
from .core.handshake import HandshakeConfig, check_magic_cookie, format_handshake
from .core.versions import negotiate, plugin_sets
from .plugin import GRPCServer, PluginSet
from .stdio import OutputCapture, take_handshake_fd
from .transport import Listener, listen

if TYPE_CHECKING:
    import asyncio

    from .plugin import Servicer

__all__ = ["ServeConfig", "serve"]

_HOST_WATCH_SECONDS = 0.5
_STUCK_AFTER_SECONDS = 0.1
_END_SECONDS = 1.0
# Of code.co_flags, as documented for `inspect`, whose import costs more than a plugin has to spend at its start.
_ASYNC_FLAGS = 0x0080 | 0x0200


class ServeConfig(NamedTuple):
    """What a plugin offers.

    Give `plugins` (for `handshake.protocol_version`), or `versioned_plugins` by application protocol version, or both.
    A plugin ends when its host is gone; `outlive_host` leaves it running, for hosts that reattach.
    `log_handler` false leaves the standard library's logging as the program configured it; otherwise what is logged
    reaches the host as hclog JSON.
    """

    handshake: HandshakeConfig
    plugins: PluginSet | None = None
    versioned_plugins: Mapping[int, PluginSet] | None = None
    outlive_host: bool = False
    log_handler: bool = True


def serve(config: ServeConfig) -> None:
    """Serve until the host says Shutdown, or is gone; returns then, and the program ends as it likes.

    Run by hand, without the host's magic cookie, it explains itself on stderr and exits with code 1.
    Raises ConfigError for a configuration that cannot be served, and for a place where nothing can listen.
    """
    try:
        check_magic_cookie(config.handshake, os.environ)
    except (MagicCookieError, ConfigError) as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(1) from None
    handshake_fd = take_handshake_fd()
    try:
        environment = PluginEnvironment.from_environ(os.environ)
        for entry in environment.invalid_versions:
            sys.stderr.write(f"server sent invalid plugin version {go_quote(entry)}\n")
        sets = plugin_sets(config.handshake.protocol_version, config.plugins, config.versioned_plugins)
        version = negotiate(sets, environment.protocol_versions)
        server = GRPCServer()
        for plugin in sets[version].values():
            plugin.grpc_server(server)
        if config.log_handler:
            from .logs import install_log_handler

            install_log_handler()

        def announce(listener: Listener) -> None:
            # A host that asks for the seventh field hears that this plugin does not multiplex.
            multiplex = False if environment.multiplex_field else None
            line = format_handshake(version, listener.network, listener.address, multiplex_supported=multiplex)
            os.write(handshake_fd, f"{line}\n".encode())

        if _are_plain(server.servicers):
            from .sync.serving import run
        else:
            run = _run_asyncio
        # Ctrl-C reaches every process of the terminal's foreground group; whether the plugin ends is the host's
        # decision. A function and not SIG_IGN, which child processes would inherit.
        previous = signal.signal(signal.SIGINT, _ignore)
        try:
            with OutputCapture() as output:
                run(environment, server.servicers, output, announce, config.outlive_host)
        finally:
            signal.signal(signal.SIGINT, previous)
    finally:
        os.close(handshake_fd)


def _are_plain(servicers: list[Servicer]) -> bool:
    """Whether no method is a coroutine function: then threads and blocking sockets are the faster way to serve."""
    for servicer in servicers:
        for method in servicer.__mapping__().values():
            code = getattr(cast("object", method.func), "__code__", None)
            if code is not None and code.co_flags & _ASYNC_FLAGS:
                return False
    return True


def _run_asyncio(
    environment: PluginEnvironment,
    servicers: list[Servicer],
    output: OutputCapture,
    announce: Callable[[Listener], None],
    outlive_host: bool,
) -> None:
    import asyncio

    asyncio.run(_serve(environment, servicers, output, announce, outlive_host))


async def _serve(
    environment: PluginEnvironment,
    servicers: list[Servicer],
    output: OutputCapture,
    announce: Callable[[Listener], None],
    outlive_host: bool,
) -> None:
    import asyncio

    from .grpc import serve_on
    from .services import ControllerService, HealthService, StdioService

    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    output.buffer.writer_is_stuck = _StuckLoop(loop)
    stdio = StdioService(output.buffer)

    async def deliver_output() -> None:
        await asyncio.to_thread(output.stop)
        await stdio.wait_sent(_END_SECONDS)

    # From here on nobody who ends this process, short of SIGKILL, makes it leave its socket behind.
    if sys.platform != "win32":
        loop.add_signal_handler(signal.SIGTERM, stopped.set)
    with listen(environment) as listener:
        controller = ControllerService(deliver_output, stopped.set)
        server = await serve_on(listener.socket, [HealthService(), controller, stdio, *servicers])
        # Looked at before the announcement, which fails if the host has ended by then.
        host = os.getppid()
        try:
            announce(listener)
        except BrokenPipeError:
            stopped.set()
        watch = None if outlive_host else asyncio.create_task(_watch_host(host, stopped))
        await stopped.wait()
        if watch is not None:
            watch.cancel()
        await deliver_output()
        await server.end(_END_SECONDS)


def _ignore(number: int, frame: object) -> None:
    pass


async def _watch_host(host: int, stopped: asyncio.Event) -> None:
    """Set `stopped` when `host`, which launched this process, is gone, however it ended: a plugin is no orphan."""
    import asyncio

    while os.getppid() == host:  # noqa: ASYNC110 - the system tells nobody
        await asyncio.sleep(_HOST_WATCH_SECONDS)
    stopped.set()


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
