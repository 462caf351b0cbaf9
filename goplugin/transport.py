"""Where a plugin listens.

A plugin binds before it prints its handshake line, so a host may connect as soon as it has read the address.
Source: go-plugin server.go, serverListener; the names and limits are those of its unix and TCP listeners.
"""
from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
import sys
from collections.abc import Generator
from typing import TYPE_CHECKING

from .core.errors import ConfigError

if TYPE_CHECKING:
    from .core.environ import PluginEnvironment

__all__ = ["Listener", "is_too_long", "listen", "make_private_directory", "remove_dead_socket"]

# sun_path holds 108 bytes on Linux and 104 elsewhere, with a NUL at its end.
_SOCKET_PATH_LIMIT = 107 if sys.platform == "linux" else 103
_LAST_PORT = 65535
_BACKLOG = 128
_PRIVATE_DIRECTORY = "plugin-dir"
_LONGEST_NAME = len("/plugin0123456789")


class Listener:
    """A listening socket and what the handshake line says of it; a context manager that leaves no file behind."""

    def __init__(self, sock: socket.socket, network: str, address: str, *, directory: str | None = None) -> None:
        self.socket = sock
        self.network = network
        self.address = address
        self._directory = directory

    def withdraw(self) -> None:
        """Remove the socket's file, so that nobody else can connect. Idempotent."""
        if self.network == "unix":
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.address)

    def close(self) -> None:
        """Close the socket and remove its file, and the directory if one was made for it. Idempotent."""
        self.socket.close()
        self.withdraw()
        if self._directory is not None:
            with contextlib.suppress(FileNotFoundError):
                os.rmdir(self._directory)

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def listen(environment: PluginEnvironment, *, network: str | None = None) -> Listener:
    """A listener as `environment` asks for it: a unix socket, or TCP where there are none (Windows).

    `network`, unix or tcp, asks for the one of them.
    Raises ConfigError for an unknown socket group, a directory that takes no socket, or an impossible port range.
    """
    if network not in (None, "unix", "tcp"):
        raise ConfigError(f"unknown network {network}: a plugin listens on unix or tcp")
    if network == "tcp" or (network is None and sys.platform == "win32"):
        return _listen_tcp(environment.min_port, environment.max_port)
    return _listen_unix(environment.socket_dir or os.environ.get("TMPDIR") or "/tmp", environment.socket_group)


def remove_dead_socket(path: str) -> None:
    """Remove the socket that an ended plugin left behind, with the directory if it made one for it.

    `path` is what the plugin said: another file that it names stays, and so does a socket on which somebody listens.
    """
    with contextlib.suppress(OSError, ValueError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            return
        probe.setblocking(False)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
            if os.path.basename(os.path.dirname(path)).startswith(_PRIVATE_DIRECTORY):
                os.rmdir(os.path.dirname(path))


def is_too_long(directory: str) -> bool:
    """Whether the path of a plugin's socket there would be longer than the system takes."""
    return len(os.fsencode(directory)) + _LONGEST_NAME > _SOCKET_PATH_LIMIT


def make_private_directory(group: str | None, parent: str | None = None) -> str:
    """A new directory in `parent` for the sockets of one plugin, for this user, and the `group` if there is one.

    Without a parent its path is short.

    The caller removes it. Raises ConfigError for an unknown group, and where none can be made.
    """
    with _translated_errors():
        return _make_private_directory(None if group is None else _group_id(group), parent)


def _make_private_directory(gid: int | None, parent: str | None = None) -> str:
    # Imported here: a plugin with an ordinary TMPDIR need not pay for it at its start.
    import tempfile

    directory = tempfile.mkdtemp(prefix=_PRIVATE_DIRECTORY, dir=parent or "/tmp")
    try:
        _set_mode(directory, gid, owner=0o700, group=0o770)
    except OSError:
        os.rmdir(directory)
        raise
    return directory


def _listen_unix(directory: str, group: str | None) -> Listener:
    gid = None if group is None else _group_id(group)
    private: str | None = None
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with contextlib.ExitStack() as failed, _translated_errors():
        failed.callback(sock.close)
        if is_too_long(directory):
            directory = private = _make_private_directory(gid)
            failed.callback(os.rmdir, directory)
        path = _bind_to_new_name(sock, directory)
        failed.callback(os.unlink, path)
        # Nobody can connect before listen(), so there is no moment with wider permissions than these.
        _set_mode(path, gid, owner=0o600, group=0o660)
        sock.listen(_BACKLOG)
        failed.pop_all()
    return Listener(sock, "unix", path, directory=private)


def _set_mode(path: str, gid: int | None, *, owner: int, group: int) -> None:
    if gid is not None:
        os.chown(path, -1, gid)
    os.chmod(path, owner if gid is None else group)


def _bind_to_new_name(sock: socket.socket, directory: str) -> str:
    while True:
        path = os.path.join(directory, f"plugin{int.from_bytes(os.urandom(4)):010d}")
        try:
            sock.bind(path)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise OSError(error.errno, error.strerror, path) from None
        else:
            return path


@contextlib.contextmanager
def _translated_errors() -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigError(f"open {error.filename}: {(error.strerror or str(error)).lower()}") from error


def _group_id(group: str) -> int:
    if group.isdecimal():
        gid = int(group)
        if gid >> 32:
            raise ConfigError(f"failed to parse \"{group}\" group's gid as an integer")
        return gid
    import grp

    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        raise ConfigError(f'failed to find gid from "{group}": group: unknown group {group}') from None


def _listen_tcp(min_port: int, max_port: int) -> Listener:
    if min_port > max_port:
        raise ConfigError(
            f"PLUGIN_MIN_PORT value of {min_port} is greater than PLUGIN_MAX_PORT value of {max_port}"
        )
    for port in range(max(min_port, 0), min(max_port, _LAST_PORT) + 1):
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            sock.bind(("127.0.0.1", port))
            sock.listen(_BACKLOG)
        except OSError:
            sock.close()
            continue
        return Listener(sock, "tcp", "{}:{}".format(*sock.getsockname()))
    raise ConfigError("couldn't bind plugin TCP listener")
