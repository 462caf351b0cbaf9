"""Compiled modules, kept on disk: compiling a Go module takes a second, loading it from here ten milliseconds.

What the engine loads is machine code, and it cannot tell what it would do. So a file is only taken if this very user
wrote it with this module: the directory and the file are the user's own and closed to everybody else, and the file is
signed with a key that lies beside it. Whatever is not so is compiled anew and written over.
Nothing here is needed: what fails is logged, and the module compiled.
"""
from __future__ import annotations

import contextlib
import hashlib
import hmac
import logging
import os
import secrets
import stat
import tempfile

__all__ = ["CompiledCache", "can_tell_owners", "default_directory"]

log = logging.getLogger("goplugin.wasm")

_KEY = "key"
_KEY_SIZE = 32
_CODE, _SIGNATURE = ".code", ".signature"
_MOST_MODULES = 64


def can_tell_owners() -> bool:
    """Whether this system knows whose a file is; on Windows Python does not say, and nothing can be kept safely."""
    return hasattr(os, "getuid")


def default_directory() -> str:
    """Where the user's caches are: `goplugin/wasm` below XDG_CACHE_HOME or ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(base, "goplugin", "wasm")


class CompiledCache:
    """The directory `directory`, which is made with mode 0700 when the first module is put into it.

    It holds the 64 modules that were used last, each in a file of its own, with its signature in another.
    """

    def __init__(self, directory: str) -> None:
        self._directory = directory

    def get(self, name: str) -> str | None:
        """The path of what was put here as `name`; None if there is nothing, or nothing that can be trusted."""
        path = self._path(name + _CODE)
        try:
            self._check_directory()
            code = _read_own_file(path)
            signature = _read_own_file(self._path(name + _SIGNATURE))
            key = self._key()
            os.utime(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            log.warning("compiled module is not used: %s", error)
            return None
        if not hmac.compare_digest(signature, _sign(key, name, code)):
            log.warning("compiled module is not used: %s is damaged, or another program wrote it", path)
            return None
        return path

    def put(self, name: str, code: bytes) -> None:
        """Keep `code` as `name`, a text that can be a file's name."""
        try:
            os.makedirs(self._directory, mode=0o700, exist_ok=True)
            self._check_directory()
            self._write(name + _SIGNATURE, _sign(self._new_key(), name, code))
            self._write(name + _CODE, code)
            self._drop_old_files()
        except OSError as error:
            log.warning("compiled module is not kept: %s", error)

    def _path(self, name: str) -> str:
        return os.path.join(self._directory, name)

    def _check_directory(self) -> None:
        """Raise PermissionError unless the directory is one that nobody else can write to."""
        status = os.lstat(self._directory)
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
            raise PermissionError(f"{self._directory} is not a directory of this user with mode 0700")

    def _key(self) -> bytes:
        key = _read_own_file(self._path(_KEY))
        if len(key) != _KEY_SIZE:
            raise PermissionError(f"{self._directory}: the file {_KEY} is damaged; remove it")
        return key

    def _new_key(self) -> bytes:
        with contextlib.suppress(FileExistsError):
            self._write(_KEY, secrets.token_bytes(_KEY_SIZE), replace=False)
        return self._key()

    def _write(self, name: str, content: bytes, *, replace: bool = True) -> None:
        """Make a file, all at once. Raises FileExistsError if it is there and not to be replaced."""
        descriptor, temporary = tempfile.mkstemp(dir=self._directory)  # mode 0600
        try:
            with open(descriptor, "wb") as file:
                file.write(content)
            (os.replace if replace else os.link)(temporary, self._path(name))
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)

    def _drop_old_files(self) -> None:
        names = [entry.name.removesuffix(_CODE) for entry in os.scandir(self._directory) if entry.name.endswith(_CODE)]
        names.sort(key=lambda name: os.stat(self._path(name + _CODE)).st_mtime)
        for name in names[:-_MOST_MODULES]:
            for suffix in (_CODE, _SIGNATURE):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self._path(name + suffix))


def _read_own_file(path: str) -> bytes:
    """The content of a file that is this user's alone. Raises PermissionError for any other."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(descriptor, "rb", buffering=0) as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
            raise PermissionError(f"{path} is not a file of this user with mode 0600")
        return file.readall()


def _sign(key: bytes, name: str, code: bytes) -> bytes:
    signature = hmac.new(key, hashlib.sha256(name.encode()).digest(), "sha256")
    signature.update(code)
    return signature.digest()
