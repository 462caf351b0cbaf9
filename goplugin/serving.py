"""Serving a plugin, as far as it is the same whatever runtime serves: what comes before the first connection.

A runtime is a function that takes a Serving and returns when the plugin has ended: `sync/serving.py` has the blocking
one and `aio/serving.py` that of asyncio.
Source: go-plugin server.go, Serve; the order of the steps is upstream's: cookie, version, TLS, services, listener,
handshake line, then the streams change hands.
"""
from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Generator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from .core.environ import PluginEnvironment, go_quote
from .core.errors import ConfigError, MagicCookieError
from .core.handshake import HandshakeConfig, check_magic_cookie, format_handshake
from .core.versions import negotiate, plugin_sets
from .crashes import crashes_as_entries
from .credentials import Credentials, credentials
from .loghook import send_logs_to_host
from .plugin import GRPCServer, PluginSet
from .services import PluginInfoService
from .stdio import OutputCapture, take_handshake_fd
from .transport import listen

if TYPE_CHECKING:
    import ssl

    from .core.reattach import ReattachConfig
    from .transport import Listener

__all__ = [
    "END_SECONDS", "HOST_WATCH_SECONDS", "Announce", "NewServer", "Runtime", "ServeConfig", "Serving", "announce_on",
    "expect_no_host", "interrupts_ignored", "prepare", "serve_with",
]

HOST_WATCH_SECONDS = 0.5
"""How often a plugin looks whether its host is still there."""

END_SECONDS = 1.0
"""How long each step of an orderly end may take."""

# Not configuration but a fact about the process: nobody has launched it as a plugin.
_without_host = False


class ServeConfig(NamedTuple):
    """What a plugin offers.

    Give `plugins` (for `handshake.protocol_version`), or `versioned_plugins` by application protocol version, or both.
    A plugin ends when its host is gone; `outlive_host` leaves it running, for hosts that reattach.
    `log_handler` false leaves the standard library's logging as the program configured it; otherwise what is logged
    reaches the host as hclog JSON, and so do uncaught exceptions.
    `version` is the plugin's own semantic version, for hosts that constrain it.
    `tls` makes the context for whoever connects, in place of the certificates that a host may want to exchange (an
    AutoMTLS host refuses such a plugin); `dial_tls` makes that for what the broker dials then.
    `network` is unix or tcp; None: what go-plugin takes on this system.
    `on_shutdown` is called before the plugin ends, because the host says so or is gone, or SIGTERM came; meanwhile
    calls go on, and so does output. It may take `grace` seconds: hosts wait two, unless they say otherwise, and those
    written in Go as long as it takes. A plain function has a thread of its own; a coroutine function makes it asyncio
    that serves.
    """

    handshake: HandshakeConfig
    plugins: PluginSet | None = None
    versioned_plugins: Mapping[int, PluginSet] | None = None
    outlive_host: bool = False
    log_handler: bool = True
    version: str | None = None
    tls: Callable[[], ssl.SSLContext] | None = None
    dial_tls: Callable[[], ssl.SSLContext] | None = None
    network: str | None = None
    on_shutdown: Callable[[], object] | None = None
    grace: float = 1.0


class Serving(NamedTuple):
    """What a runtime serves, and what it needs to know for that.

    `environment`, `network`: where to listen.
    `app_version`: the application protocol version that both sides have.
    `server`: the application's services, and the broker if it has taken one.
    `output`: what is printed meanwhile; the host gets it by the stdio service.
    `outlive_host`: the plugin does not end because its host is gone.
    `on_shutdown`: to be called before the end, which waits `grace` seconds for it.
    """

    environment: PluginEnvironment
    app_version: int
    server: GRPCServer
    credentials: Credentials
    output: OutputCapture
    outlive_host: bool
    network: str | None
    on_shutdown: Callable[[], object] | None = None
    grace: float = 0.0

    def listen(self) -> Listener:
        """Where a host will connect. Raises ConfigError where nothing can listen."""
        return listen(self.environment, network=self.network)

    def handshake_line(self, listener: Listener) -> str:
        """The line that tells a host where to connect."""
        return format_handshake(
            self.app_version,
            listener.network,
            listener.address,
            server_cert=self.credentials.certificate,
            multiplex_supported=True if self.environment.multiplex_field else None,
        )

    def reattach_config(self, listener: Listener) -> ReattachConfig:
        """How a host finds this process, which it is not to end."""
        from .core.reattach import ReattachConfig  # not for a plugin that a host launches

        return ReattachConfig(
            listener.network, listener.address, os.getpid(), protocol_version=self.app_version, test=True
        )


Announce = Callable[["Listener"], bool]
"""To be called when a host may connect; returns whether there is one that hears it."""

Runtime = Callable[[Serving, Announce], None]
"""Serves until the host says Shutdown, or is gone, or SIGTERM comes. Raises ConfigError for what it cannot serve."""

NewServer = Callable[[PluginEnvironment, Credentials], GRPCServer]
"""Makes what plugins register their services on, with the brokers that they may take."""


def serve_with(config: ServeConfig, new_server: NewServer, runtime_for: Callable[[Serving], Runtime]) -> None:
    """Serve in the runtime that is chosen once it is known what there is to serve.

    Run by hand, without the host's magic cookie, the program explains itself on stderr and exits with code 1.
    Raises ConfigError for a configuration that cannot be served, and for a place where nothing can listen.
    """
    if _without_host:
        _serve_without_host(config, new_server, runtime_for)
        return
    try:
        check_magic_cookie(config.handshake, os.environ)
    except (MagicCookieError, ConfigError) as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(1) from None
    handshake_fd = take_handshake_fd()
    try:
        if config.log_handler:
            send_logs_to_host()
        serving = prepare(config, PluginEnvironment.from_environ(os.environ), new_server)

        run = runtime_for(serving)
        log_crashes = crashes_as_entries() if config.log_handler else contextlib.nullcontext()
        with interrupts_ignored(), log_crashes, serving.output:
            run(serving, lambda listener: announce_on(handshake_fd, serving, listener))
    finally:
        os.close(handshake_fd)


def expect_no_host() -> None:
    """From now on serving is for hosts that attach to this process: there is no cookie, and no handshake line.

    What takes the line's place is the ReattachConfig as JSON. Nothing that is printed is captured, what is logged goes
    to stderr as text, and Ctrl-C ends it all.
    """
    global _without_host
    _without_host = True


def _serve_without_host(
    config: ServeConfig, new_server: NewServer, runtime_for: Callable[[Serving], Runtime]
) -> None:
    if config.log_handler:
        import logging

        logging.basicConfig(level=logging.DEBUG)
    # Whoever attaches knows neither of the two.
    environment = PluginEnvironment.from_environ(os.environ)._replace(multiplex=False, client_cert=None)
    serving = prepare(config, environment, new_server)._replace(outlive_host=True)

    def announce(listener: Listener) -> bool:
        print(serving.reattach_config(listener).to_json(), flush=True)
        return True

    with contextlib.suppress(KeyboardInterrupt):
        runtime_for(serving)(serving, announce)


def prepare(config: ServeConfig, environment: PluginEnvironment, new_server: NewServer) -> Serving:
    """Agree on a version and have its plugins register their services.

    Raises ConfigError for a configuration that cannot be served.
    """
    for entry in environment.invalid_versions:
        sys.stderr.write(f"server sent invalid plugin version {go_quote(entry)}\n")
    sets = plugin_sets(config.handshake.protocol_version, config.plugins, config.versioned_plugins)
    version = negotiate(sets, environment.protocol_versions)
    secured_by = credentials(environment, config.tls, config.dial_tls)
    server = new_server(environment, secured_by)
    if config.version is not None:
        from .core.semver import parse_version  # few plugins have one

        parse_version(config.version)
        server.add_service(PluginInfoService(config.version))
    for plugin in sets[version].values():
        plugin.grpc_server(server)
    return Serving(
        environment, version, server, secured_by, OutputCapture(), config.outlive_host, config.network,
        config.on_shutdown, config.grace,
    )  # fmt: skip


def announce_on(handshake_fd: int, serving: Serving, listener: Listener) -> bool:
    """Print the line; returns whether there is somebody who reads it."""
    try:
        os.write(handshake_fd, f"{serving.handshake_line(listener)}\n".encode())
    except BrokenPipeError:
        return False
    return True


@contextlib.contextmanager
def interrupts_ignored() -> Generator[None]:
    """A context in which Ctrl-C, which reaches every process of the terminal's foreground group, ends nothing here.

    Whether the plugin ends is the host's decision. Only the main thread can enter it.
    """
    # A function and not SIG_IGN, which child processes would inherit.
    previous = signal.signal(signal.SIGINT, _ignore)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


def _ignore(number: int, frame: object) -> None:
    pass
