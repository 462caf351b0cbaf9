"""What a client is in either runtime: a plugin's process, what is known of it, and the steps of its life.

    launch -> (handshake line) -> accept -> (connect, calls, Shutdown) -> reap

Rule 1: before the end nothing here waits. What a step leads to is a concurrent Future of the process, and each runtime
waits for that in its own way.
Rule 2: from `launch` on there is a process, and whatever happens then, the runtime's client comes to `reap`.
Rule 3: a client has one plugin in its life. When that has ended, or its start has failed, nothing starts any more.
Source: go-plugin client.go, Start and Kill; grpc_client.go.
"""
from __future__ import annotations

import contextlib
import logging
import os
import shutil
from collections.abc import Generator
from concurrent.futures import Future

from .attached import AttachedProcess
from .client_config import ClientConfig
from .core.environ import UNIX_SOCKET_DIR, PluginEnvironment, host_environment
from .core.errors import ConfigError, IncompatibleVersionError, LaunchError, PluginError, RemoteError
from .core.handshake import HandshakeLine, UnrecognizedLineError, format_handshake, parse_handshake
from .core.lifecycle import Event, Lifecycle, State
from .core.messages import STDERR, STDOUT, StdioData
from .core.reattach import ReattachConfig
from .core.semver import parse_constraint, parse_version
from .core.status import Code
from .core.versions import client_plugin_sets
from .endpoint import Endpoint, HostCredentials
from .logs import StderrLog, write_to_sink
from .plugin import GRPCPlugin
from .process import PluginProcess
from .runner import CommandRunner, Runner
from .transport import is_too_long, make_private_directory, remove_dead_socket

__all__ = ["STDIO_END_SECONDS", "ClientBase", "Process"]

log = logging.getLogger("goplugin.client")

STDIO_END_SECONDS = 1.0
"""How long what an ended plugin has printed may take to its sinks."""

_START_END_SECONDS = 0.5     # for a plugin of ours that is ended while it starts, on a busy machine

Process = PluginProcess | AttachedProcess


class ClientBase:
    """One plugin, as its host knows it. The runtimes' clients add `start`, `dispense`, `ping` and `kill`."""

    def __init__(self, config: ClientConfig) -> None:
        self._config = config
        self._sets = client_plugin_sets(config.handshake.protocol_version, config.plugins, config.versioned_plugins)
        self._lifecycle = Lifecycle()
        self._runner: Runner | None = None
        self._process: Process | None = None
        self._handshake: HandshakeLine | None = None
        self._credentials = HostCredentials(config)
        self._directory: str | None = None      # ours, for the sockets of this plugin
        self._started = False
        self._killed = False

    # --- what is known ---

    @property
    def id(self) -> str:
        """The process number as text, or what a runner of the host's own has for it; "" before the start."""
        return "" if self._process is None else self._process.id

    @property
    def exited(self) -> bool:
        """Whether the plugin process has ended."""
        return self._process is not None and self._process.exited

    @property
    def exit_code(self) -> int | None:
        """The exit code of the plugin process (negative: the signal that ended it).

        None while it has not ended, and for one that another host has launched.
        """
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

    def reattach_config(self) -> ReattachConfig | None:
        """How another host finds this plugin; None before the start, after the end, and where a `runner` runs it.

        Without AutoMTLS and multiplexing, that is: nobody else can speak to a plugin with those.
        """
        if self._process is None or self._handshake is None or self._killed:
            return None
        line = self._handshake
        if self._config.reattach is not None or self._config.runner is not None:
            return self._config.reattach
        return ReattachConfig(line.network, line.address, int(self._process.id), line.protocol, line.app_version)

    # --- the start ---

    def _check_not_ended(self) -> None:
        """Raises ConfigError if there was a plugin, or is to be none."""
        if self._killed:
            raise ConfigError("this client's plugin has ended; a new start takes a new Client")

    def _launch(self) -> PluginProcess:
        """Launch the plugin. Its `handshake_line` may be waited for until `config.start_timeout` is over.

        Raises LaunchError, ConfigError or ChecksumError, and then there is no process.
        """
        try:
            runner = self._runner = self._make_runner()
            stderr = StderrLog(self._config.logger.getChild(runner.name), self._config.stderr)
            process = PluginProcess.launch(runner, receive_stderr=stderr.receive)
        except BaseException:
            self._remove_directory()
            raise
        self._process = process
        self._lifecycle.advance(Event.LAUNCHED)
        log.debug("started %s as %s", process.name, process.id)
        process.exit_code.add_done_callback(self._report_exit)
        if self._killed:  # on another thread, before it could see the process
            process.give_up()
        return process

    def _attach(self, config: ReattachConfig) -> Endpoint:
        """Find the plugin that runs already.

        Raises LaunchError if there is none, and HandshakeError and its kinds.
        """
        version = self._reattach_version(config)
        line = format_handshake(version, config.network, config.address, protocol=config.protocol)
        handshake = parse_handshake(line, versions=self._sets, allowed_protocols=self._config.allowed_protocols)
        process = AttachedProcess.find(config)
        self._process = process
        self._handshake = handshake
        self._lifecycle.advance(Event.ATTACHED)
        process.exit_code.add_done_callback(self._report_exit)
        return self._endpoint(handshake)

    def _reattach_version(self, config: ReattachConfig) -> int:
        """The plugin's, or if its config does not say which, as upstream's own does not, that of `plugins`."""
        return config.protocol_version or self._config.handshake.protocol_version

    def _make_runner(self) -> Runner:
        config = self._config
        environment = self._environment()
        if config.runner is not None:
            self._directory = make_private_directory(config.socket_group, config.socket_dir)
            return config.runner(environment | {UNIX_SOCKET_DIR: self._directory}, self._directory)
        if config.socket_dir is None and is_too_long(environment.get("TMPDIR", "")):
            # A plugin in Go would fail to listen there, and end without a word.
            self._directory = environment[UNIX_SOCKET_DIR] = make_private_directory(config.socket_group)
        command = list(config.command)
        if config.secure is not None:
            # What is checked is what is executed, whatever PATH the plugin gets.
            command[0] = os.path.abspath(shutil.which(command[0]) or command[0])
            config.secure.check(command[0])
        return CommandRunner(command, environment, config.name)

    def _environment(self) -> dict[str, str]:
        config = self._config
        return host_environment(
            config.handshake,
            versions=self._sets,
            inherited={} if config.skip_host_env else os.environ,
            env=config.env,
            min_port=config.min_port,
            max_port=config.max_port,
            multiplex=config.multiplex,
            client_cert=self._credentials.client_cert,
            socket_dir=config.socket_dir,
            socket_group=config.socket_group,
        )

    def _remove_directory(self) -> None:
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)

    @contextlib.contextmanager
    def _diagnosing(self) -> Generator[None]:
        """A context that adds to an UnrecognizedLineError what may be wrong with the executable."""
        try:
            yield
        except UnrecognizedLineError as error:
            assert self._runner is not None
            raise UnrecognizedLineError(f"{error}\n{self._runner.diagnose()}") from error

    def _accept(self, line: str) -> Endpoint:
        """Take the plugin's handshake line. Raises HandshakeError and its kinds."""
        config = self._config
        handshake = parse_handshake(
            line,
            versions=self._sets,
            allowed_protocols=config.allowed_protocols,
            multiplex=config.multiplex,
            translate=None if self._runner is None else self._runner.plugin_to_host,
        )
        endpoint = self._endpoint(handshake)
        self._handshake = handshake
        self._lifecycle.advance(Event.HANDSHAKE_ACCEPTED)
        return endpoint

    def _endpoint(self, handshake: HandshakeLine) -> Endpoint:
        config = self._config
        client_tls = self._credentials.for_client(handshake.server_cert)
        listening = PluginEnvironment(socket_dir=self._directory or config.socket_dir, socket_group=config.socket_group)
        endpoint = Endpoint(handshake, self._credentials, client_tls, listening)
        if self._runner is None:
            return endpoint
        return endpoint._replace(
            host_to_plugin=self._runner.host_to_plugin, plugin_to_host=self._runner.plugin_to_host
        )

    def _too_late(self, process: PluginProcess) -> LaunchError:
        """What a start raises if there is no line in time."""
        return LaunchError(
            f"timeout while waiting for plugin to start: {process.name} printed no handshake line "
            f"within {self._config.start_timeout:g} s",
            stderr=process.stderr_tail,
        )

    def _plugin(self, handshake: HandshakeLine, name: str) -> GRPCPlugin:
        """The plugin set's `name` in the negotiated version."""
        plugin = self._sets[handshake.app_version].get(name)
        if plugin is None:
            raise PluginError(f"unknown plugin type: {name}")
        return plugin

    def _check_version(self, version: str | None) -> None:
        """Raises IncompatibleVersionError if the plugin has another version than the host requires, or none."""
        required = self._config.require_version
        assert required is not None
        if version is None:
            raise IncompatibleVersionError(f"incompatible plugin: it has no version, and this host requires {required}")
        try:
            allowed = parse_constraint(required).allows(parse_version(version))
        except ConfigError as error:
            raise IncompatibleVersionError(f"incompatible plugin: {error}, and this host requires {required}") from None
        if not allowed:
            raise IncompatibleVersionError(
                f"incompatible plugin: its version is {version}, and this host requires {required}"
            )

    def _complete_start(self) -> None:
        """The plugin may be used. Raises LaunchError if it was killed meanwhile."""
        if self._killed and self._process is not None:
            raise LaunchError(f"{self._process.name} was killed while it started", stderr=self._process.stderr_tail)
        self._started = True

    # --- what the plugin prints ---

    def _receive_output(self, data: StdioData) -> None:
        if data.channel == STDOUT:
            write_to_sink(self._config.sync_stdout, data.data)
        elif data.channel == STDERR:
            write_to_sink(self._config.sync_stderr, data.data)
        else:
            log.warning("unknown channel, dropping %d bytes: %d", len(data.data), data.channel)

    def _output_failed(self, error: PluginError) -> None:
        """StreamStdio ended with an error: with the connection, or because there is no such service, or a bad one."""
        code = error.code if isinstance(error, RemoteError) else None
        if code is Code.UNIMPLEMENTED:
            log.warning("stdio service not available, stdout/stderr syncing unavailable")
        elif code not in (Code.UNAVAILABLE, Code.CANCELLED):
            log.error("error receiving data", exc_info=error)

    # --- the end ---

    def _abandon_start(self) -> None:
        """There is to be no plugin any more: a start that is under way fails, and none begins."""
        self._killed = True
        if isinstance(self._process, PluginProcess):
            self._process.give_up()
            if self._handshake is not None and not self._started:
                self._process.kill()    # a peer that says nothing may be what the start waits for

    @property
    def _has_plugin(self) -> bool:
        """Whether there is a process that has not been reaped, or left to itself."""
        return self._lifecycle.state not in (State.NEW, State.EXITED, State.DETACHED)

    @property
    def _is_guest(self) -> bool:
        """Whether the plugin is not ours to end: a test's, or another host's which we have not come to use."""
        reattach = self._config.reattach
        return reattach is not None and (reattach.test or not self._started)

    def _check_detachable(self) -> ReattachConfig:
        """How the plugin is found later. Raises ConfigError if nobody will be able to, or there is no plugin."""
        config = self.reattach_config()
        if config is None:
            raise ConfigError("the plugin is not running: start the client first")
        if self._config.auto_mtls or self._config.multiplex:
            raise ConfigError("a plugin with AutoMTLS or multiplexing cannot be left to another host")
        return config

    def _leave(self) -> None:
        """Have nothing more to do with the process."""
        self._killed = True
        self._lifecycle.advance(Event.LEFT)
        if isinstance(self._process, AttachedProcess):
            self._process.release()

    def _reap(self, process: Process) -> None:
        """End the process with its descendants, those noted before included, and remove its socket file.

        Waits for all of that, but not without bounds. Nothing may interrupt it: it belongs on a thread.
        """
        self._end_start(process)
        process.kill()
        self._lifecycle.advance(Event.PROCESS_EXITED)
        log.debug("%s ended with code %s", process.name, self.exit_code)
        # The path that a plugin elsewhere has announced may be another file here.
        if self._config.runner is None and (path := process.announced_socket) is not None:
            remove_dead_socket(path)
        self._remove_directory()

    def _end_start(self, process: Process) -> None:
        """Give a plugin that has not said where it listens a moment to remove its socket: nobody else knows of it."""
        runner = self._runner
        if isinstance(runner, CommandRunner) and isinstance(process, PluginProcess) and not process.announced:
            runner.terminate()
            process.wait_for_end_of_output(_START_END_SECONDS)

    def _report_exit(self, exit_code: Future[int] | Future[None]) -> None:
        """The process has ended; called on the thread that has waited for it."""
        if self._config.on_exit is not None:
            self._config.on_exit(exit_code.result())
