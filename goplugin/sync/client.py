"""The host's side for programs that block: launch a plugin, agree on a version, call it, end it.

Calls are made on the calling thread; `plugin_connection.py` says over what.
Source: go-plugin client.go and grpc_client.go.
"""
from __future__ import annotations

import contextlib
import threading
from concurrent.futures import FIRST_COMPLETED, Future, InvalidStateError, ThreadPoolExecutor, wait
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any

from ..client_config import ClientConfig
from ..core.errors import ConfigError, PluginError, RemoteError
from ..core.handshake import HandshakeLine
from ..core.lifecycle import Event
from ..core.messages import (
    HEALTH_CHECK_PATH,
    HEALTH_SERVICE_NAME,
    PLUGIN_INFO_PATH,
    SHUTDOWN_PATH,
    STREAM_STDIO_PATH,
    Empty,
    HealthCheckRequest,
    PluginInfo,
    StdioData,
)
from ..core.status import Code
from ..launch import STDIO_END_SECONDS, ClientBase, Process, log
from ..plugin import GRPCClient
from ..process import PluginProcess
from .plugin_connection import PluginConnection, connect
from .uninterrupted import uninterrupted

if TYPE_CHECKING:
    from ..core.reattach import ReattachConfig
    from ..endpoint import Endpoint
    from .broker import Broker
    from .channel import Channel

__all__ = ["Client", "cleanup_clients"]

_HEALTH_CHECK = HealthCheckRequest(HEALTH_SERVICE_NAME).SerializeToString()
_EMPTY = Empty().SerializeToString()
_LOOK_SECONDS = 0.01        # between looks at connections on which nobody waits

# Not configuration but a fact about the process, like the processes that are its children.
_managed: set[Client] = set()


def cleanup_clients() -> None:
    """End all plugins whose configuration says `managed`, side by side, as `Client.kill` does; for the program's end.

    Source: go-plugin client.go, CleanupClients.
    """
    clients = list(_managed)
    if clients:
        with ThreadPoolExecutor(len(clients), "goplugin-cleanup") as ends:
            list(ends.map(Client.kill, clients))


class Client(ClientBase):
    """One plugin process and the connections to it. Any thread may use it, but no signal handler.

    Use it as ``with Client(config) as client``: the body runs with the plugin started and connected, and at its end the
    plugin is gone. `start` and `kill` do the same by hand.
    """

    def __init__(self, config: ClientConfig) -> None:
        super().__init__(config)
        self._lock = threading.Lock()
        self._connection: PluginConnection | None = None
        self._stdio: threading.Thread | None = None
        self._hurried: Future[Any] = Future()

    def __enter__(self) -> Client:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.kill()

    def start(self) -> HandshakeLine:
        """Launch the plugin and read its handshake; the line, again, if that has happened already.

        Failed or interrupted, it leaves no process behind. `kill` on another thread ends it.
        Raises LaunchError (cannot run, ended early, no line in time, killed meanwhile), HandshakeError and its kinds,
        ConfigError if this client was killed before, and what the call for a required version raises. That nobody
        listens at the plugin's address is told by the first call, as by upstream, or with `multiplex` here:
        PluginLostError.
        """
        if self._handshake is not None and self._started and not self._killed:
            return self._handshake
        try:
            return uninterrupted(self._start, self._abandon_start)
        except BaseException:
            self.kill(grace=0.0)
            raise

    def _start(self) -> HandshakeLine:
        with self._lock:
            self._check_not_ended()
            if not self._started:
                if self._config.managed:
                    _managed.add(self)
                self._connect(self._reach())
                self._ask_version()
                self._complete_start()
            assert self._handshake is not None
            return self._handshake

    def _reach(self) -> Endpoint:
        """Come to a plugin that listens."""
        if self._config.reattach is not None:
            return self._attach(self._config.reattach)
        process = self._launch()
        with self._diagnosing():
            return self._accept(self._line_of(process))

    def _line_of(self, process: PluginProcess) -> str:
        try:
            return process.handshake_line.result(self._config.start_timeout)
        except TimeoutError:
            raise self._too_late(process) from None

    def _connect(self, endpoint: Endpoint) -> None:
        self._connection = connect(endpoint, self._config.start_timeout)
        arguments = (self._connection.output,)
        self._stdio = threading.Thread(target=self._sync_output, args=arguments, name="goplugin-stdio", daemon=True)
        self._stdio.start()

    def _ask_version(self) -> None:
        if self._config.require_version is None:
            return
        version = None
        try:
            response = self.channel.unary(PLUGIN_INFO_PATH, _EMPTY, timeout=self._config.start_timeout)
            version = PluginInfo.FromString(response.message or b"").version
        except RemoteError as error:
            if error.code is not Code.UNIMPLEMENTED:
                raise
        self._check_version(version)

    def _sync_output(self, channel: Channel) -> None:
        """Pass on what the plugin prints, from before the first call to the end of the connection."""
        try:
            with channel.open(STREAM_STDIO_PATH) as call:
                call.send(_EMPTY, end=True)
                for message in call:
                    self._receive_output(StdioData.FromString(message))
        except PluginError as error:
            self._output_failed(error)

    def dispense(self, name: str) -> Any:
        """What the plugin set's `name` makes of this connection (`GRPCPlugin.grpc_client`); starts if need be.

        Raises PluginError with go-plugin's `unknown plugin type` for a name that the negotiated version lacks.
        """
        handshake = self.start()
        return self._plugin(handshake, name).grpc_client(GRPCClient(self.channel, lambda: self.broker))

    @property
    def channel(self) -> Channel:
        """The connection, for calls and stubs. Raises ConfigError unless the plugin is running."""
        return self._running().channel

    @property
    def broker(self) -> Broker:
        """The GRPCBroker of the connection; that of the plugin is answered from the first use of this one on.

        Raises ConfigError unless the plugin is running, PluginLostError if it is gone.
        """
        return self._running().broker

    def _running(self) -> PluginConnection:
        connection = self._connection
        if connection is None:
            raise ConfigError("the plugin is not running: start the client first")
        return connection

    def ping(self, *, timeout: float | None = None) -> None:
        """Ask the plugin's health service. Raises RemoteError, or PluginLostError if nobody answers any more."""
        self.channel.unary(HEALTH_CHECK_PATH, _HEALTH_CHECK, timeout=timeout)

    def kill(self, *, grace: float = 2.0) -> None:
        """End the plugin: ask it to shut down, wait `grace` seconds for its exit, then kill it with its descendants.

        Returns when the process is reaped and its socket file removed. Idempotent, and for good: a start that is under
        way fails, and a client that was never started cannot be any more. Interrupted, it waits no longer for an exit
        of the plugin's own will, but still for the end; everything in it is bounded.
        """
        uninterrupted(partial(self._kill, grace), self._hurry)

    def detach(self) -> ReattachConfig:
        """Leave the plugin running, and this client with nothing; returns how another host finds it.

        Only a plugin that does not end with its host is there for that host: one of ours says `outlive_host`.
        Raises ConfigError unless the plugin is running, and for one with AutoMTLS or multiplexing.
        """
        return uninterrupted(self._detach, self._hurry)

    def _detach(self) -> ReattachConfig:
        with self._lock:
            config = self._check_detachable()
            _managed.discard(self)
            self._leave()
            self._disconnect(0.0)
            return config

    def _kill(self, grace: float) -> None:
        self._abandon_start()
        with self._lock:
            _managed.discard(self)
            process = self._process
            if process is None or not self._has_plugin:
                return
            if self._is_guest:
                self._leave()
                self._disconnect(0.0)
                return
            process.note_family()
            if self._connection is not None and grace > 0 and not process.exited:
                self._shutdown(self._connection, process, grace)
            self._reap(process)
            self._disconnect(STDIO_END_SECONDS)

    def _hurry(self) -> None:
        with contextlib.suppress(InvalidStateError):
            self._hurried.set_result(None)

    def _shutdown(self, connection: PluginConnection, process: Process, grace: float) -> None:
        connection.end_broker()
        self._lifecycle.advance(Event.SHUTDOWN_SENT)
        with contextlib.suppress(PluginError):
            # A Go plugin hangs up instead of answering: whatever comes back, only the exit counts. The connection is
            # not that for calls, because an interrupted call may have ended it.
            connection.output.open(SHUTDOWN_PATH, timeout=grace).send(_EMPTY, end=True)
        either: list[Future[Any]] = [process.exit_code, self._hurried]
        deadline = monotonic() + grace
        while not wait(either, _LOOK_SECONDS, FIRST_COMPLETED).done and monotonic() < deadline:
            connection.look()       # for the end, which nobody else may be there to read: a plugin waits for ours
        if not (process.exited or self._hurried.done()):
            log.warning("plugin failed to exit gracefully: %s", process.name)

    def _disconnect(self, patience: float) -> None:
        if self._stdio is not None:
            # The stream ends by itself once the process is gone, and what it still holds belongs to the sinks.
            self._stdio.join(patience)
        if self._connection is not None:
            self._connection.close()
        self._connection = None
        if self._stdio is not None:
            self._stdio.join()
