"""The host's side: launch a plugin, agree on a version, call it, end it.

Source: go-plugin client.go and grpc_client.go.
"""
from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import IO, Any, TypeVar

import anyio
import attrs

from .core.environ import host_environment
from .core.errors import ConfigError, LaunchError, PluginError, RemoteError
from .core.handshake import HandshakeConfig, HandshakeLine, parse_handshake
from .core.lifecycle import Event, Lifecycle, State
from .core.messages import (
    HEALTH_CHECK_PATH,
    HEALTH_SERVICE_NAME,
    SHUTDOWN_PATH,
    STDERR,
    STDOUT,
    STREAM_STDIO_PATH,
    Empty,
    HealthCheckRequest,
    HealthCheckResponse,
    StdioData,
)
from .core.status import Code
from .core.versions import client_plugin_sets
from .grpc import Channel, channel_to, unary_stream, unary_unary
from .logs import StderrLog, write_to_sink
from .plugin import GRPCClient, PluginSet
from .process import PluginProcess
from .proctree import ProcessTree
from .transport import remove_dead_socket

__all__ = ["Client", "ClientConfig"]

log = logging.getLogger("goplugin.client")

_STDIO_END_SECONDS = 1.0

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class ClientConfig:
    """Which plugin to launch and what to expect of it; times are in seconds.

    Give `plugins` (for `handshake.protocol_version`), or `versioned_plugins` by application protocol version, or both.
    `env` is added to the host's own environment, or stands alone with `skip_host_env`.
    `stderr` gets the plugin's stderr as it comes, `sync_stdout` and `sync_stderr` what the plugin prints once it is
    served; all three are binary files, written to from one thread or task.
    What the plugin logs goes to `logger`, under the name of its executable.
    """

    handshake: HandshakeConfig
    command: Sequence[str]
    plugins: PluginSet | None = None
    versioned_plugins: Mapping[int, PluginSet] | None = None
    env: Mapping[str, str] = attrs.field(factory=dict[str, str])
    skip_host_env: bool = False
    start_timeout: float = 60.0
    allowed_protocols: Sequence[str] = ("grpc",)
    min_port: int = 10000
    max_port: int = 25000
    stderr: IO[bytes] | None = None
    sync_stdout: IO[bytes] | None = None
    sync_stderr: IO[bytes] | None = None
    logger: logging.Logger = attrs.field(factory=lambda: logging.getLogger("plugin"))

    def __attrs_post_init__(self) -> None:
        if isinstance(self.command, str):
            raise ConfigError(f"command is a text: give the executable and its arguments as a list, [{self.command!r}]")
        if not self.command:
            raise ConfigError("command is empty: give the plugin's executable and its arguments")
        if self.plugins is None and not self.versioned_plugins:
            raise ConfigError("give plugins or versioned_plugins: without them there is nothing to dispense")


class Client:
    """One plugin process and the connection to it.

    Use it as ``async with Client(config) as client``: the body runs with the plugin started and connected, and at its
    end the plugin is gone. `start` and `kill` do the same by hand.
    """

    def __init__(self, config: ClientConfig) -> None:
        self._config = config
        self._sets = client_plugin_sets(config.handshake.protocol_version, config.plugins, config.versioned_plugins)
        self._lifecycle = Lifecycle()
        self._lock = anyio.Lock()
        self._process: PluginProcess | None = None
        self._handshake: HandshakeLine | None = None
        self._channel: Channel | None = None
        self._stdio: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Client:
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.kill()

    @property
    def id(self) -> str:
        """The process number as text; "" before the start."""
        return "" if self._process is None else str(self._process.pid)

    @property
    def exited(self) -> bool:
        """Whether the plugin process has ended."""
        return self._process is not None and self._process.exited

    @property
    def exit_code(self) -> int | None:
        """The exit code of the plugin process (negative: the signal that ended it); None while it has not ended."""
        return self._process.exit_code.result() if self._process is not None and self._process.exited else None

    @property
    def negotiated_version(self) -> int:
        """The application protocol version both sides agreed on; 0 before the start."""
        return 0 if self._handshake is None else self._handshake.app_version

    @property
    def protocol(self) -> str:
        """`grpc`; "" before the start."""
        return "" if self._handshake is None else self._handshake.protocol

    @property
    def stderr_tail(self) -> str:
        """The end of what the plugin wrote to stderr, at most 4096 bytes."""
        return "" if self._process is None else self._process.stderr_tail

    async def start(self) -> HandshakeLine:
        """Launch the plugin and read its handshake; the line, again, if that has happened already.

        Cancelled or failed, it leaves no process behind.
        Raises LaunchError (cannot run, ended early, no line in time), HandshakeError and its kinds, and ConfigError if
        this client was killed before.
        """
        async with self._lock:
            if self._lifecycle.state is State.EXITED:
                raise ConfigError("this client's plugin has ended; a new start takes a new Client")
            if self._handshake is None:
                try:
                    self._handshake = await self._launch()
                except BaseException:
                    with anyio.CancelScope(shield=True):
                        await self._end(grace=0.0)
                    raise
                self._lifecycle.advance(Event.HANDSHAKE_ACCEPTED)
                self._connect(self._handshake)
            return self._handshake

    async def _launch(self) -> HandshakeLine:
        config = self._config
        environment = host_environment(
            config.handshake,
            versions=self._sets,
            inherited={} if config.skip_host_env else os.environ,
            env=config.env,
            min_port=config.min_port,
            max_port=config.max_port,
        )
        stderr = StderrLog(config.logger.getChild(os.path.basename(config.command[0])), config.stderr)
        self._process = PluginProcess.launch(config.command, environment, receive_stderr=stderr.receive)
        self._lifecycle.advance(Event.LAUNCHED)
        log.debug("started %s as pid %d", config.command[0], self._process.pid)
        try:
            with anyio.fail_after(config.start_timeout):
                line = await _result_of(self._process.handshake_line)
        except TimeoutError:
            raise LaunchError(
                f"timeout while waiting for plugin to start: {self._process.name} printed no handshake line "
                f"within {config.start_timeout:g} s",
                stderr=self._process.stderr_tail,
            ) from None
        return parse_handshake(line, versions=self._sets, allowed_protocols=config.allowed_protocols)

    def _connect(self, handshake: HandshakeLine) -> None:
        self._channel = channel_to(handshake.network, handshake.address)
        self._stdio = asyncio.create_task(self._sync_output(self._channel))

    async def _sync_output(self, channel: Channel) -> None:
        """Pass on what the plugin prints, from before the first call to the end of the connection."""
        sinks = {STDOUT: self._config.sync_stdout, STDERR: self._config.sync_stderr}

        def receive(data: StdioData) -> None:
            if data.channel in sinks:
                write_to_sink(sinks[data.channel], data.data)
            else:
                log.warning("unknown channel, dropping %d bytes: %d", len(data.data), data.channel)

        try:
            await unary_stream(channel, STREAM_STDIO_PATH, Empty(), StdioData, receive)
        except PluginError as error:
            code = error.code if isinstance(error, RemoteError) else None
            if code is Code.UNIMPLEMENTED:
                log.warning("stdio service not available, stdout/stderr syncing unavailable")
            elif code not in (Code.UNAVAILABLE, Code.CANCELLED):
                log.exception("error receiving data")

    async def dispense(self, name: str) -> Any:
        """What the plugin set's `name` makes of this connection (`GRPCPlugin.grpc_client`); starts if need be.

        Raises PluginError with go-plugin's `unknown plugin type` for a name that the negotiated version lacks.
        """
        handshake = await self.start()
        plugin = self._sets[handshake.app_version].get(name)
        if plugin is None:
            raise PluginError(f"unknown plugin type: {name}")
        return plugin.grpc_client(GRPCClient(self.channel))

    @property
    def channel(self) -> Channel:
        """The connection, for stubs. Raises ConfigError unless the plugin is running."""
        if self._channel is None:
            raise ConfigError("the plugin is not running: start the client first")
        return self._channel

    async def ping(self, *, timeout: float | None = None) -> None:
        """Ask the plugin's health service. Raises RemoteError, or PluginLostError if nobody answers any more."""
        request = HealthCheckRequest(HEALTH_SERVICE_NAME)
        await unary_unary(self.channel, HEALTH_CHECK_PATH, request, HealthCheckResponse, timeout=timeout)

    async def kill(self, *, grace: float = 2.0) -> None:
        """End the plugin: ask it to shut down, wait `grace` seconds for its exit, then kill it with its descendants.

        Returns when the process is reaped and its socket file removed. Idempotent. Cancelled, it waits no longer for
        an exit of the plugin's own will, but still for the end; everything in it is bounded.
        """
        # anyio's cancellation comes again at every step, the first included; asyncio's comes once for each cancel().
        with anyio.CancelScope(shield=True):
            async with self._lock:
                await self._end(grace)

    async def _end(self, grace: float) -> None:
        process = self._process
        if process is None or self._lifecycle.state is State.EXITED:
            return
        family = process.family()
        try:
            if self._channel is not None and not process.exited:
                await self._shutdown(self._channel, process, grace)
        finally:
            await self._reap(process, family)

    async def _shutdown(self, channel: Channel, process: PluginProcess, grace: float) -> None:
        self._lifecycle.advance(Event.SHUTDOWN_SENT)
        with anyio.move_on_after(grace):
            # A Go plugin hangs up instead of answering: whatever comes back, only the exit counts.
            with contextlib.suppress(PluginError):
                await unary_unary(channel, SHUTDOWN_PATH, Empty(), Empty)
            await _result_of(process.exit_code)
            return
        log.warning("plugin failed to exit gracefully: %s", process.name)

    async def _reap(self, process: PluginProcess, family: ProcessTree) -> None:
        cancelled = await _done(asyncio.get_running_loop().run_in_executor(None, process.kill, family))
        self._lifecycle.advance(Event.PROCESS_EXITED)
        log.debug("%s ended with code %d", process.name, process.exit_code.result())
        if (path := process.announced_socket) is not None:
            remove_dead_socket(path)
        await self._disconnect()
        if cancelled is not None:
            raise cancelled

    async def _disconnect(self) -> None:
        try:
            if self._stdio is not None:
                # The stream ends by itself once the process is gone, and what it still holds belongs to the sinks.
                await asyncio.wait([self._stdio], timeout=_STDIO_END_SECONDS)
        finally:
            if self._stdio is not None:
                self._stdio.cancel()
            if self._channel is not None:
                self._channel.close()
                self._channel = None


async def _done(future: asyncio.Future[None]) -> asyncio.CancelledError | None:
    """Wait until `future` is done, whatever cancellations come meanwhile; the last of them is the result."""
    cancelled: asyncio.CancelledError | None = None
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError as error:
            cancelled = error
    future.result()
    return cancelled


async def _result_of(future: Future[T]) -> T:
    # Shielded: cancelling the wait must not cancel a future that the process's threads will set. If that is an
    # exception then, nobody waits for it any more, and asyncio is not to complain about that.
    waiter = asyncio.wrap_future(future)
    waiter.add_done_callback(lambda done: done.cancelled() or done.exception())
    return await asyncio.shield(waiter)
