"""Every error that crosses a public border of this project.

    PluginError
    +-- ConfigError              the caller configured something impossible
    +-- LaunchError              the plugin process did not start, or ended or hung before its handshake
    +-- HandshakeError           the first line of the plugin cannot be accepted
    |   +-- MagicCookieError         plugin side: not started by a host that knows the cookie
    |   +-- CoreVersionError         not core protocol 1
    |   +-- IncompatibleVersionError no application protocol version in common
    |   +-- UnsupportedProtocolError grpc or netrpc, but not one that is allowed
    +-- ChecksumError            the executable is not the one that was promised
    +-- LocalProtocolError       we would break the protocol: a bug in the calling code
    +-- RemoteProtocolError      the peer broke the protocol
    +-- BrokerTimeout            nobody accepted or announced a brokered connection in time
    +-- RemoteError              the plugin answered with an error (gRPC code, message, details)
        +-- PluginLostError          there was no answer: the connection to the plugin is gone

Texts use go-plugin's own wording where users will search for it.
"""
from __future__ import annotations

from typing import Any

from .status import Code

__all__ = [
    "BrokerTimeout",
    "ChecksumError",
    "ConfigError",
    "CoreVersionError",
    "HandshakeError",
    "IncompatibleVersionError",
    "LaunchError",
    "LocalProtocolError",
    "MagicCookieError",
    "PluginError",
    "PluginLostError",
    "RemoteError",
    "RemoteProtocolError",
    "UnsupportedProtocolError",
]


class PluginError(Exception):
    """Root of the tree; catch it to catch whatever this project raises on purpose."""


class ConfigError(PluginError, ValueError):
    """The configuration contradicts itself or names something that does not exist."""


class LaunchError(PluginError):
    """The plugin process could not be started, ended before its handshake, or did not print it in time.

    `exit_code` is the process's (negative: the signal that ended it), or None while it was still running.
    `stderr` is the end of what the plugin wrote there, stripped; it may be empty. A traceback shows it, as a note.
    """

    def __init__(self, message: str, *, exit_code: int | None = None, stderr: str = "") -> None:
        super().__init__(message)
        self.exit_code = exit_code
        self.stderr = stderr
        if stderr:
            self.add_note(f"plugin stderr: {stderr}")


class HandshakeError(PluginError):
    """The first line on the plugin's stdout is not a handshake that this host can accept."""


class MagicCookieError(HandshakeError):
    """The process was not launched by a host of this plugin: the magic cookie is missing or wrong."""


class CoreVersionError(HandshakeError):
    """The plugin speaks another core protocol version than 1."""


class IncompatibleVersionError(HandshakeError):
    """The plugin's application protocol version is not one of the host's."""


class UnsupportedProtocolError(HandshakeError):
    """The plugin speaks grpc or netrpc, and the host does not allow it."""


class ChecksumError(PluginError):
    """The executable's checksum is not the one the configuration promises."""


class LocalProtocolError(PluginError):
    """The calling code asked for a step that the protocol forbids now."""


class RemoteProtocolError(PluginError):
    """The peer sent what the protocol forbids."""


class BrokerTimeout(PluginError, TimeoutError):
    """A brokered connection was not announced, accepted or acknowledged within its five seconds."""


class RemoteError(PluginError):
    """The plugin answered a call with an error status.

    `code` is the gRPC status code, `message` its text as sent, `details` the decoded status details (may be empty).
    `str()` gives the shape of Go's status errors: ``rpc error: code = NotFound desc = no such key``.
    """

    def __init__(self, code: Code, message: str, details: tuple[Any, ...] = ()) -> None:
        super().__init__(code, message, details)
        self.code = code
        self.message = message
        self.details = details

    def __str__(self) -> str:
        return f"rpc error: code = {self.code.go_name} desc = {self.message}"


class PluginLostError(RemoteError):
    """The connection to the plugin ended before it answered, or could not be made (code UNAVAILABLE)."""

    def __init__(self, message: str) -> None:
        super().__init__(Code.UNAVAILABLE, message)

    def __reduce__(self) -> tuple[type[PluginLostError], tuple[str]]:
        return type(self), (self.message,)
