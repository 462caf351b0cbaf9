"""How a plugin's process is run: as a child of this one, or in whatever way a host has of its own.

Source: go-plugin runner/runner.go, Runner and AttachedRunner; internal/cmdrunner.
"""
from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Mapping, Sequence
from typing import IO, Protocol, cast

from .core.errors import ConfigError, LaunchError
from .diagnosis import diagnose
from .proctree import ProcessTree

__all__ = ["CommandRunner", "Output", "Runner"]

Address = tuple[str, str]
"""Network and address, as in a handshake line."""


class Output(Protocol):
    """What the plugin writes, without a buffer in between."""

    def read(self, size: int, /) -> bytes | None:
        """Wait until there is something, and return at most `size` bytes of it; b"" at the end."""
        ...

    def close(self) -> None: ...


class Runner(Protocol):
    """One plugin in a container, behind a wrapper, as another user.

    It is made with the plugin's whole environment, and the directory for its sockets. Then `start` is called once, and
    `stdout`, `stderr` and `wait` are used by a thread each.
    """

    @property
    def name(self) -> str:
        """For threads, logs and errors."""
        ...

    @property
    def id(self) -> str:
        """What `Client.id` says; `start` may be what makes it known."""
        ...

    @property
    def stdout(self) -> Output: ...

    @property
    def stderr(self) -> Output: ...

    def start(self) -> None:
        """Run the plugin. Raises LaunchError if that cannot be, and ConfigError if it never could."""
        ...

    def wait(self) -> int:
        """Wait for the plugin's end; its exit code, or, negative, the number of the signal that ended it."""
        ...

    def note_family(self) -> None:
        """Note what the plugin has started so far, for `kill`: the plugin itself may have ended by then."""
        ...

    def kill(self) -> None:
        """End the plugin at once, with all that it has started, so that `wait` returns."""
        ...

    def plugin_to_host(self, network: str, address: str) -> Address:
        """What the plugin calls so, as it is called here."""
        ...

    def host_to_plugin(self, network: str, address: str) -> Address:
        """What is called so here, as the plugin has to call it."""
        ...

    def diagnose(self) -> str:
        """What may be wrong with a plugin that printed no handshake; lines to be put behind an error's text."""
        ...


class CommandRunner:
    """A child of this process: `command` with exactly `environment`, in the host's directory, with the host's stdin.

    Its name is that of the executable, unless it is given another.
    It stays in the host's process group: a terminal stops whatever reads from it in a group of its own.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], name: str | None = None) -> None:
        self.name = name or os.path.basename(command[0])
        self._command = list(command)
        self._environment = dict(environment)
        self._family: ProcessTree | None = None

    def start(self) -> None:
        """Raises LaunchError if the system cannot run it, ConfigError for a text that no command can hold."""
        path = self._command[0]
        try:
            self._popen = subprocess.Popen(
                self._command, env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
            )
        except OSError as error:
            raise _launch_error(path, error) from error
        except ValueError as error:
            raise ConfigError(f"fork/exec {path}: {error}") from error

    @property
    def id(self) -> str:
        return str(self._popen.pid)

    @property
    def stdout(self) -> IO[bytes]:
        return cast("IO[bytes]", self._popen.stdout)

    @property
    def stderr(self) -> IO[bytes]:
        return cast("IO[bytes]", self._popen.stderr)

    def wait(self) -> int:
        return self._popen.wait()

    def note_family(self) -> None:
        self._family = ProcessTree(self._popen.pid)

    def kill(self) -> None:
        family = self._whole_family()
        if family is not None:
            family.kill()

    def terminate(self) -> None:
        """Ask the plugin and all that it has started to end; `kill`, later, ends those that have not."""
        family = self._whole_family()
        if family is not None:
            family.terminate()

    def _whole_family(self) -> ProcessTree | None:
        """What was noted, and what there is now; None if there was and is nobody."""
        if self._popen.returncode is None:      # otherwise its number may be somebody else's
            if self._family is None:
                self.note_family()
            else:
                self._family.add_descendants()
        return self._family

    def plugin_to_host(self, network: str, address: str) -> Address:
        return network, address

    def host_to_plugin(self, network: str, address: str) -> Address:
        return network, address

    def diagnose(self) -> str:
        return diagnose(self._command[0])


def _launch_error(path: str, error: OSError) -> LaunchError:
    text = "exec format error" if error.errno == errno.ENOEXEC else (error.strerror or str(error)).lower()
    launch_error = LaunchError(f"fork/exec {path}: {text}")
    if error.errno == errno.ENOENT and os.path.dirname(path) and os.path.isfile(path):
        launch_error.add_note("the file is there: the interpreter that its first line names is not")
    return launch_error
