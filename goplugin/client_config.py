"""What a host says of a plugin that it wants."""
from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import IO, TYPE_CHECKING

import attrs

from .core.errors import ConfigError
from .core.semver import parse_constraint

if TYPE_CHECKING:
    import ssl

    from .core.handshake import HandshakeConfig
    from .core.reattach import ReattachConfig
    from .plugin import PluginSet
    from .runner import Runner
    from .secure import SecureConfig

__all__ = ["ClientConfig"]


@attrs.frozen(kw_only=True)
class ClientConfig:
    """Which plugin to launch and what to expect of it; times are in seconds.

    Give `command`, or `reattach` for a plugin that runs already, of whose stderr nothing is to be had then; or
    `runner`, which makes what runs the plugin, from its environment and the directory for its sockets.
    Give `plugins` (for `handshake.protocol_version`), or `versioned_plugins` by application protocol version, or both.
    `env` is added to the host's own environment, or stands alone with `skip_host_env`.
    `stderr` gets the plugin's stderr as it comes, `sync_stdout` and `sync_stderr` what the plugin prints once it is
    served; all three are binary files, written to from one thread or task.
    What the plugin logs goes to the child of `logger` that has its `name`, which errors and threads have as well: that
    of its executable, unless this is an interpreter, say, that runs several.

    `auto_mtls`: both sides make a certificate for this one launch, and each trusts the other's alone.
    `tls` is the context for a plugin that has TLS of its own, whose certificate has to be for `localhost` if the
    context checks names; `serve_tls` that for what the broker serves to it, which fails without. Neither counts with
    `auto_mtls`.
    `secure`: what the executable has to be, by its checksum.
    `socket_dir`: where the plugin and our broker listen, instead of TMPDIR; `socket_group`, a name or a number: who may
    connect besides this user.
    `multiplex`: all connections, those of the broker included, are streams of a single one; the plugin has to know how.
    `require_version`: which semantic versions of the plugin will do, such as `>= 1.2, < 2.0`; `core/semver.py` has the
    syntax. A plugin without a version does not do then.
    `managed`: the client is one of those that `cleanup_clients` ends.
    `on_exit` is called with `Client.exit_code` when the plugin has ended, by whatever: in the event
    loop of an asyncio client, otherwise on a thread of ours.
    """

    handshake: HandshakeConfig
    command: Sequence[str] = ()
    reattach: ReattachConfig | None = None
    runner: Callable[[Mapping[str, str], str], Runner] | None = None
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
    name: str | None = None
    auto_mtls: bool = False
    tls: ssl.SSLContext | None = None
    serve_tls: ssl.SSLContext | None = None
    secure: SecureConfig | None = None
    socket_dir: str | None = None
    socket_group: str | None = None
    multiplex: bool = False
    require_version: str | None = None
    managed: bool = False
    on_exit: Callable[[int | None], object] | None = None

    def __attrs_post_init__(self) -> None:
        if isinstance(self.command, str):
            raise ConfigError(f"command is a text: give the executable and its arguments as a list, [{self.command!r}]")
        if [bool(self.command), self.reattach is not None, self.runner is not None].count(True) != 1:
            raise ConfigError("exactly one of Cmd, or Reattach, or RunnerFunc must be set")
        if self.require_version is not None:
            parse_constraint(self.require_version)
        if self.reattach is not None:
            self._check_reattach(self.reattach)
        if self.runner is not None and self.secure is not None:
            raise ConfigError("SecureConfig checks the executable of Cmd, which is not set")
        if self.plugins is None and not self.versioned_plugins:
            raise ConfigError("give plugins or versioned_plugins: without them there is nothing to dispense")

    def _check_reattach(self, reattach: ReattachConfig) -> None:
        reattach.check()
        if self.secure is not None:
            raise ConfigError("only one of Reattach or SecureConfig can be set")
        if self.multiplex:
            raise ConfigError("gRPC broker multiplexing is not supported with Reattach config")
        if self.auto_mtls:
            raise ConfigError("AutoMTLS is not supported with Reattach config: no other host has the keys")
