"""A plugin's server as an object, for programs that have a life of their own beside it.

    plugin = PluginServer(plugin_version=1, magic_cookie_key="BASIC_PLUGIN", magic_cookie_value="hello")
    plugin.server.add_service(KV())
    async with plugin:                          # start() and close()
        plugin.console.log("ready")
        await plugin.wait_stopped()

`goplugin.serve` does the same for a program whose only business is to be a plugin.
Source: the Node port of go-plugin's server.
"""
from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

from .aio.serving import new_server, running, wait_for_end
from .core.environ import PluginEnvironment
from .core.errors import LocalProtocolError
from .core.handshake import HandshakeConfig, check_magic_cookie
from .credentials import credentials
from .serving import Serving, announce_on, interrupts_ignored
from .stdio import OutputCapture, protect_stdout, take_handshake_fd

if TYPE_CHECKING:
    from .plugin import GRPCServer

__all__ = ["Console", "PluginServer"]


class Console:
    """Prints to the host: once the plugin is served by the stdio service, and before that to its log."""

    def log(self, *values: object, sep: str = " ", end: str = "\n") -> None:
        """As `print` does, to the host's copy of stdout."""
        print(*values, sep=sep, end=end, flush=True)

    def error(self, *values: object, sep: str = " ", end: str = "\n") -> None:
        """As `print` does, to the host's copy of stderr."""
        print(*values, sep=sep, end=end, file=sys.stderr, flush=True)

    debug = info = log
    warn = error


class PluginServer:
    """One plugin, served by asyncio from `start` to `close`, or in the body of ``async with``.

    `server` is where services are added before the start, `console` prints to the host. `network` is unix or tcp; None:
    what go-plugin takes on this system. How the program logs is left to itself.
    """

    def __init__(
        self,
        *,
        plugin_version: int,
        magic_cookie_key: str,
        magic_cookie_value: str,
        network: str | None = None,
    ) -> None:
        """`plugin_version` is the application protocol version.

        Raises MagicCookieError in a process that no host of this plugin has launched, and ConfigError without a cookie.
        """
        handshake = HandshakeConfig(magic_cookie_key, magic_cookie_value, plugin_version)
        check_magic_cookie(handshake, os.environ)
        protect_stdout()
        environment = PluginEnvironment.from_environ(os.environ)
        secured_by = credentials(environment, None, None)
        self.server: GRPCServer = new_server(environment, secured_by)
        self.console = Console()
        self._serving = Serving(
            environment, plugin_version, self.server, secured_by, OutputCapture(), outlive_host=False, network=network
        )
        self._stopped = asyncio.Event()
        self._ending: contextlib.AsyncExitStack | None = None
        self._watch: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen, and tell the host where: it may connect from now on. Once.

        Cancelled or failed, it leaves nothing behind.
        Raises ConfigError for services that cannot be served, and where nothing can listen.
        """
        if self._ending is not None:
            raise LocalProtocolError("a plugin is started once")
        self._ending = contextlib.AsyncExitStack()
        try:
            handshake_fd = take_handshake_fd()
            self._ending.callback(os.close, handshake_fd)
            if threading.current_thread() is threading.main_thread():
                self._ending.enter_context(interrupts_ignored())
                loop = asyncio.get_running_loop()
                loop.add_signal_handler(signal.SIGTERM, self._stopped.set)
                self._ending.callback(loop.remove_signal_handler, signal.SIGTERM)
            self._ending.enter_context(self._serving.output)
            listener = await self._ending.enter_async_context(running(self._serving, self._stopped.set))
            # Looked at before the announcement, which fails if the host has ended by then.
            self._watch = asyncio.create_task(self._watch_host(os.getppid()))
            if not announce_on(handshake_fd, self._serving, listener):
                self._stopped.set()
        except BaseException:
            await self.close()
            raise

    async def wait_stopped(self) -> None:
        """Return when the host has said Shutdown, or is gone, or SIGTERM has come, or somebody has called `close`."""
        await self._stopped.wait()

    async def close(self) -> None:
        """Deliver what was printed, end all calls, and remove the socket. Takes three seconds at most. Idempotent.

        Cancelled, it goes on without anybody who waits for it.
        """
        if self._closing is None:
            self._closing = asyncio.create_task(self._close())
        await asyncio.shield(self._closing)

    async def __aenter__(self) -> PluginServer:
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    async def _watch_host(self, host: int) -> None:
        await wait_for_end(self._stopped, host)
        self._stopped.set()

    async def _close(self) -> None:
        self._stopped.set()
        if self._watch is not None:
            await self._watch
        if self._ending is not None:
            await self._ending.aclose()
