"""What can go wrong with a plugin that is a WebAssembly module: branches of the tree in core/errors.py.

    HandshakeError
    +-- IncompatibleVersionError
    |   +-- VersionMismatchError     the plugin's version of the service is not the host's
    +-- MissingExportError           the module lacks a function, or it has another type
    PluginError
    +-- HostFunctionError            a function of the host raised, and with that the call ended
    RemoteError
    +-- GuestError                   the plugin answered with an error
    +-- PluginLostError
        +-- InstanceLostError            the instance is gone: closed, or by one of these, and takes no more calls
            +-- TrapError                    the plugin crashed: a panic, a deadlock, a bad access to memory
            |   +-- LimitError                   it wanted more than it may have
            |       +-- TimeLimitError
            |       +-- MemoryLimitError
            |       +-- FuelLimitError
            +-- ExitError                    the plugin ended itself

What a module is like that cannot be loaded or started at all is a LaunchError.
"""
from __future__ import annotations

import functools
from collections.abc import Callable

from ..core.errors import HandshakeError, IncompatibleVersionError, PluginError, PluginLostError, RemoteError
from ..core.status import Code

__all__ = [
    "ExitError",
    "FuelLimitError",
    "GuestError",
    "HostFunctionError",
    "InstanceLostError",
    "LimitError",
    "MemoryLimitError",
    "MissingExportError",
    "TimeLimitError",
    "TrapError",
    "VersionMismatchError",
]


class VersionMismatchError(IncompatibleVersionError):
    """The plugin implements another version of the service: `plugin`, and not `host`."""

    def __init__(self, message: str, *, host: int, plugin: int) -> None:
        super().__init__(message)
        self.host = host
        self.plugin = plugin

    def __reduce__(self) -> tuple[Callable[..., VersionMismatchError], tuple[str]]:
        return functools.partial(type(self), host=self.host, plugin=self.plugin), (str(self),)


class MissingExportError(HandshakeError):
    """The module does not export the function `name`, or with another type."""

    def __init__(self, message: str, name: str) -> None:
        super().__init__(message)
        self.name = name

    def __reduce__(self) -> tuple[type[MissingExportError], tuple[str, str]]:
        return type(self), (str(self), self.name)


class HostFunctionError(PluginError):
    """The host's function `function` raised; `__cause__` is what it raised. The plugin's call has ended there.

    The instance stays usable, but what the plugin had under way is as it was: it did not get the chance to tidy up.
    """

    def __init__(self, message: str, function: str) -> None:
        super().__init__(message)
        self.function = function

    def __reduce__(self) -> tuple[type[HostFunctionError], tuple[str, str]]:
        return type(self), (str(self), self.function)


class GuestError(RemoteError):
    """The plugin answered a call with an error: its text, and nothing else, is all that the contract carries.

    `str()` is that text, `code` is UNKNOWN.
    """

    def __init__(self, message: str) -> None:
        super().__init__(Code.UNKNOWN, message)

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[type[GuestError], tuple[str]]:
        return type(self), (self.message,)


class InstanceLostError(PluginLostError):
    """The instance takes no calls any more.

    `stderr` is the end of what it wrote there, stripped; it may be empty. A Go panic's text and stack are in it.
    """

    def __init__(self, message: str, stderr: str = "") -> None:
        super().__init__(message)
        self.stderr = stderr

    def __str__(self) -> str:
        return f"{self.message}\n{self.stderr}" if self.stderr else self.message

    # pyright takes the arguments of the base class for a promise; they are those of this __init__.
    def __reduce__(self) -> tuple[type[InstanceLostError], tuple[str, str]]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return type(self), (self.message, self.stderr)


class TrapError(InstanceLostError):
    """The plugin crashed during the call; `message` is the engine's word for how."""


class LimitError(TrapError):
    """The plugin reached a limit of its configuration, and was stopped or could not go on."""


class TimeLimitError(LimitError, TimeoutError):
    """The call took longer than it may."""


class MemoryLimitError(LimitError):
    """The plugin crashed with as much memory as it may have, or said itself that it had too little."""


class FuelLimitError(LimitError):
    """The call took more steps than it may."""


class ExitError(InstanceLostError):
    """The plugin ended itself with `exit_code`, which may be 0."""

    def __init__(self, message: str, exit_code: int, stderr: str = "") -> None:
        super().__init__(message, stderr)
        self.exit_code = exit_code

    def __reduce__(self) -> tuple[type[ExitError], tuple[str, int, str]]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return type(self), (self.message, self.exit_code, self.stderr)
