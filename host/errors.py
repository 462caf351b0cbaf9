"""What can go wrong in the host itself; host/failure.py says how it is reported.

    PluginError (goplugin.core.errors)
    +-- LoadError        a plugin could not be started, or its manifest could not be read or accepted
    +-- PolicyError      refused by a rule of the user's: the allowlist, or strictness
    +-- NotFoundError    a script, module or export that does not exist
    KeyboardInterrupt
    +-- Interrupted      a signal or the time limit ended the run
"""
from __future__ import annotations

from goplugin.core.errors import PluginError

__all__ = ["Interrupted", "LoadError", "NotFoundError", "PolicyError"]


class LoadError(PluginError):
    """A plugin that is installed cannot be used.

    `stage` is what was being done, with the path in it; `cause` what went wrong; `stderr` the end of the plugin's
    stderr, maybe empty. `str()` joins the three as go-go-goja does. `module_name` is empty unless the plugin came to
    tell it.
    """

    def __init__(
        self, stage: str, cause: PluginError, *, path: str, stderr: str = "", module_name: str = ""
    ) -> None:
        super().__init__(f"{stage}: {cause}" + (f"; plugin stderr: {stderr}" if stderr else ""))
        self.stage = stage
        self.cause = self.__cause__ = cause
        self.path = path
        self.stderr = stderr
        self.module_name = module_name


class PolicyError(PluginError):
    """The allowlist or strictness forbids it."""


class NotFoundError(PluginError):
    """There is no such script, module or export."""


class Interrupted(KeyboardInterrupt):
    """The run was ended from outside; `exit_code` is the one that says by what."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code
