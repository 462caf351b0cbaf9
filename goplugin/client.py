"""The host's side: launch a plugin, agree on a version, call it, end it.

Source: go-plugin client.go and grpc_client.go.
"""
from __future__ import annotations

import asyncio
import contextlib
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar, cast

import anyio

from .aio.plugin_connection import PluginConnection, connect
from .client_config import ClientConfig
from .core.errors import ConfigError, PluginError, RemoteError
from .core.handshake import HandshakeLine
from .core.lifecycle import Event
from .core.messages import (
    HEALTH_CHECK_PATH,
    HEALTH_SERVICE_NAME,
    PLUGIN_INFO_PATH,
    SHUTDOWN_PATH,
    STREAM_STDIO_PATH,
    Empty,
    HealthCheckRequest,
    HealthCheckResponse,
    PluginInfo,
    StdioData,
)
from .core.status import Code
from .grpc import Channel, unary_stream, unary_unary
from .launch import STDIO_END_SECONDS, ClientBase, Process, log
from .plugin import GRPCClient
from .process import PluginProcess

if TYPE_CHECKING:
    from .aio.broker import Broker
    from .core.reattach import ReattachConfig
    from .endpoint import Endpoint

__all__ = ["Client", "cleanup_clients"]

T = TypeVar("T")

# Not configuration but a fact about the process, like the processes that are its children.
_managed: set[Client] = set()


async def cleanup_clients() -> None:
    """End all plugins of this event loop whose configuration says `managed`, side by side, as `Client.kill` does.

    For the program's end. Cancelled, it does what `Client.kill` does then.
    Source: go-plugin client.go, CleanupClients.
    """
    loop = asyncio.get_running_loop()
    await asyncio.gather(*(client.kill() for client in _managed if client.loop is loop))


class Client(ClientBase):
    """One plugin process and the connection to it.

    Use it as ``async with Client(config) as client``: the body runs with the plugin started and connected, and at its
    end the plugin is gone. `start` and `kill` do the same by hand.
    """

    def __init__(self, config: ClientConfig) -> None:
        super().__init__(config)
        self.loop: asyncio.AbstractEventLoop | None = None      # that has started the plugin
        self._lock = anyio.Lock()
        self._connection: PluginConnection | None = None
        self._stdio: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Client:
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.kill()

    async def start(self) -> HandshakeLine:
        """Launch the plugin and read its handshake; the line, again, if that has happened already.

        Cancelled or failed, it leaves no process behind.
        Raises LaunchError (cannot run, ended early, no line in time, killed meanwhile), HandshakeError and its kinds,
        ConfigError if this client was killed before, and what the call for a required version raises. That nobody
        listens at the plugin's address is told by the first call, as by upstream, or with `multiplex` here:
        PluginLostError.
        """
        async with self._lock:
            self._check_not_ended()
            if not self._started:
                try:
                    self.loop = asyncio.get_running_loop()
                    if self._config.managed:
                        _managed.add(self)
                    await self._connect(await self._reach())
                    await self._ask_version()
                    self._complete_start()
                except BaseException:
                    self._abandon_start()
                    with anyio.CancelScope(shield=True):
                        await self._end(grace=0.0)
                    raise
            assert self._handshake is not None
            return self._handshake

    async def _reach(self) -> Endpoint:
        """Come to a plugin that listens."""
        if self._config.reattach is not None:
            return self._attach(self._config.reattach)
        process = self._launch()
        with self._diagnosing():
            return self._accept(await self._line_of(process))

    async def _line_of(self, process: PluginProcess) -> str:
        try:
            with anyio.fail_after(self._config.start_timeout):
                return await _result_of(process.handshake_line)
        except TimeoutError:
            raise self._too_late(process) from None

    async def _connect(self, endpoint: Endpoint) -> None:
        self._connection = await connect(endpoint, self._config.start_timeout)
        self._stdio = asyncio.create_task(self._sync_output(self._connection.channel))

    async def _ask_version(self) -> None:
        if self._config.require_version is None:
            return
        version, timeout = None, self._config.start_timeout
        try:
            version = (await unary_unary(self.channel, PLUGIN_INFO_PATH, Empty(), PluginInfo, timeout=timeout)).version
        except RemoteError as error:
            if error.code is not Code.UNIMPLEMENTED:
                raise
        self._check_version(version)

    async def _sync_output(self, channel: Channel) -> None:
        """Pass on what the plugin prints, from before the first call to the end of the connection."""
        try:
            await unary_stream(channel, STREAM_STDIO_PATH, Empty(), StdioData, self._receive_output)
        except PluginError as error:
            self._output_failed(error)

    async def dispense(self, name: str) -> Any:
        """What the plugin set's `name` makes of this connection (`GRPCPlugin.grpc_client`); starts if need be.

        Raises PluginError with go-plugin's `unknown plugin type` for a name that the negotiated version lacks.
        """
        handshake = await self.start()
        return self._plugin(handshake, name).grpc_client(GRPCClient(self.channel, lambda: self.broker))

    @property
    def channel(self) -> Channel:
        """The connection, for stubs. Raises ConfigError unless the plugin is running."""
        return self._running().channel

    @property
    def broker(self) -> Broker:
        """The GRPCBroker of the connection; that of the plugin is answered from the first use of this one on.

        Raises ConfigError unless the plugin is running, PluginLostError if it is about to end.
        """
        return self._running().broker

    def _running(self) -> PluginConnection:
        if self._connection is None:
            raise ConfigError("the plugin is not running: start the client first")
        return self._connection

    async def ping(self, *, timeout: float | None = None) -> None:
        """Ask the plugin's health service. Raises RemoteError, or PluginLostError if nobody answers any more."""
        request = HealthCheckRequest(HEALTH_SERVICE_NAME)
        await unary_unary(self.channel, HEALTH_CHECK_PATH, request, HealthCheckResponse, timeout=timeout)

    async def kill(self, *, grace: float = 2.0) -> None:
        """End the plugin: ask it to shut down, wait `grace` seconds for its exit, then kill it with its descendants.

        Returns when the process is reaped and its socket file removed. Idempotent, and for good: a start that is under
        way fails, and a client that was never started cannot be any more. Cancelled, it waits no longer for an exit of
        the plugin's own will, but still for the end; everything in it is bounded.
        """
        self._abandon_start()
        # anyio's cancellation comes again at every step, the first included; asyncio's comes once for each cancel().
        with anyio.CancelScope(shield=True):
            async with self._lock:
                await self._end(grace)

    async def detach(self) -> ReattachConfig:
        """Leave the plugin running, and this client with nothing; returns how another host finds it.

        Only a plugin that does not end with its host is there for that host: one of ours says `outlive_host`.
        Cancelled, it has left the plugin all the same, unless it was still waiting for a start or an end.
        Raises ConfigError unless the plugin is running, and for one with AutoMTLS or multiplexing.
        """
        async with self._lock:
            config = self._check_detachable()
            _managed.discard(self)
            self._leave()
            with anyio.CancelScope(shield=True):
                await self._disconnect(0.0)
            return config

    async def _end(self, grace: float) -> None:
        _managed.discard(self)
        process = self._process
        if process is None or not self._has_plugin:
            return
        if self._is_guest:
            self._leave()
            await self._disconnect(0.0)
            return
        process.note_family()
        try:
            if self._connection is not None and not process.exited:
                await self._shutdown(self._connection, process, grace)
        finally:
            await self._finish(process)

    async def _shutdown(self, connection: PluginConnection, process: Process, grace: float) -> None:
        await connection.end_broker()
        self._lifecycle.advance(Event.SHUTDOWN_SENT)
        with anyio.move_on_after(grace):
            # A Go plugin hangs up instead of answering: whatever comes back, only the exit counts.
            with contextlib.suppress(PluginError):
                await unary_unary(connection.channel, SHUTDOWN_PATH, Empty(), Empty)
            await _result_of(cast("Future[int | None]", process.exit_code))
            return
        log.warning("plugin failed to exit gracefully: %s", process.name)

    def _report_exit(self, exit_code: Future[int] | Future[None]) -> None:
        assert self.loop is not None
        with contextlib.suppress(RuntimeError):     # the loop is closed, and nobody is there to hear of it
            self.loop.call_soon_threadsafe(super()._report_exit, exit_code)

    async def _finish(self, process: Process) -> None:
        cancelled = await _done(asyncio.get_running_loop().run_in_executor(None, self._reap, process))
        await self._disconnect(STDIO_END_SECONDS)
        if cancelled is not None:
            raise cancelled

    async def _disconnect(self, patience: float) -> None:
        try:
            if self._stdio is not None:
                # The stream ends by itself once the process is gone, and what it still holds belongs to the sinks.
                await asyncio.wait([self._stdio], timeout=patience)
        finally:
            if self._stdio is not None:
                self._stdio.cancel()
            connection, self._connection = self._connection, None
            if connection is not None:
                await connection.close()


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
