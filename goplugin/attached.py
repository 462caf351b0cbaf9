"""The process of a plugin that somebody else has launched.

Rule 1: it is found by connecting to its address. A process that cannot be found so is left alone.
Rule 2: nothing is done to a process that has no part in the plugin: where the system tells who listens at the address,
the process has to be that one or an ancestor of it.
Rule 3: its exit is noticed within a second; its exit code belongs to its parent.
Source: go-plugin client.go, reattach; internal/cmdrunner, cmd_reattach.
"""
from __future__ import annotations

import contextlib
import logging
import os
import select
import socket
import struct
import threading
from concurrent.futures import Future

from .core.errors import ConfigError, LaunchError
from .core.reattach import ReattachConfig
from .proctree import ProcessTree

__all__ = ["AttachedProcess"]

log = logging.getLogger("goplugin.client")

_NOT_FOUND = "reattachment process not found"
_PERIOD_MS = 1000
_CONNECT_SECONDS = 5.0
_EXIT_SECONDS = 2.0


class AttachedProcess:
    """A running plugin. `exit_code` resolves to None once it has ended."""

    def __init__(self, config: ReattachConfig) -> None:
        """Raises LaunchError if there is no such process."""
        self.name = f"plugin {config.pid}"
        self.id = str(config.pid)
        self.stderr_tail = ""               # goes to whoever launched it
        self.announced_socket = config.address if config.network == "unix" else None
        self.exit_code: Future[None] = Future()
        self._pid = config.pid
        self._pidfd = _open_process(config.pid)
        self._family = ProcessTree(config.pid)
        self._released, self._release = os.pipe()
        self._watcher = threading.Thread(target=self._watch, name=f"{self.name}-wait", daemon=True)
        self._watcher.start()

    @classmethod
    def find(cls, config: ReattachConfig) -> AttachedProcess:
        """The plugin that listens at the address of `config`.

        Raises LaunchError if nobody listens there, or not the process that is named; ConfigError for our own, unless it
        is a test's.
        """
        if config.pid == os.getpid() and not config.test:
            raise ConfigError(f"Pid is {config.pid}, which is this process itself")
        try:
            owner = _owner(config.network, config.address)
        except OSError as error:
            raise LaunchError(f"{_NOT_FOUND}: {config.address}: {(error.strerror or str(error)).lower()}") from error
        if not config.test and owner and _is_alive(owner) and owner not in ProcessTree(config.pid).pids:
            raise LaunchError(f"{_NOT_FOUND}: at {config.address} process {owner} listens, not {config.pid}")
        return cls(config)

    @property
    def exited(self) -> bool:
        """Whether the process has ended."""
        return self.exit_code.done()

    def note_family(self) -> None:
        """Take note of the plugin's descendants as they are now, to be ended later even if it is gone itself."""
        self._family = ProcessTree(self._pid)

    def kill(self) -> None:
        """End the process and its descendants at once (SIGKILL), those that were noted before included.

        Returns when it has ended, or after a bounded wait if it cannot be ended.
        """
        if not self.exited:
            self._family.add_descendants()
        try:
            self._family.kill()
        except PermissionError as error:
            log.warning("%s cannot be killed: %s", self.name, error)
        with contextlib.suppress(TimeoutError):
            self.exit_code.result(_EXIT_SECONDS)
        self.release()

    def release(self) -> None:
        """Watch it no longer. Once."""
        os.close(self._release)
        self._watcher.join()

    def _watch(self) -> None:
        poll = select.poll()
        poll.register(self._released, select.POLLHUP)
        if self._pidfd is not None:
            poll.register(self._pidfd, select.POLLIN)
        ready: list[int] = []
        while self._released not in ready:
            ready = [descriptor for descriptor, _ in poll.poll(_PERIOD_MS)]
            if not self.exited and (self._pidfd in ready or (self._pidfd is None and not _is_alive(self._pid))):
                self.exit_code.set_result(None)
                if self._pidfd is not None:
                    poll.unregister(self._pidfd)
        os.close(self._released)
        if self._pidfd is not None:
            os.close(self._pidfd)


def _open_process(pid: int) -> int | None:
    """A descriptor that stands for this process and no later one of its number, where the system has them."""
    if not _is_alive(pid):
        raise LaunchError(f"{_NOT_FOUND}: there is no process {pid}")
    if not hasattr(os, "pidfd_open"):
        return None
    try:
        return os.pidfd_open(pid)
    except OSError:     # it has ended just now, or the kernel is too old
        return None


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _owner(network: str, address: str) -> int:
    """The process that listens at the address; 0 where the system does not tell. Raises OSError if nobody does."""
    if network == "tcp":
        host, _, port = address.rpartition(":")
        socket.create_connection((host.strip("[]"), int(port)), _CONNECT_SECONDS).close()
        return 0
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_CONNECT_SECONDS)
        probe.connect(address)
        if not hasattr(socket, "SO_PEERCRED"):
            return 0
        pid, _, _ = struct.unpack("3i", probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        return pid
