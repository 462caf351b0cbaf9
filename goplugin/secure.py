"""A plugin's executable, held against a checksum before it is launched.

Only the file that is executed is looked at: for a script behind an interpreter that is the interpreter. And whoever may
write to the file can exchange it between the look and the launch.
Source: go-plugin client.go, SecureConfig.
"""
from __future__ import annotations

import hashlib
import hmac

import attrs

from .core.errors import ChecksumError, ConfigError

__all__ = ["SecureConfig"]


@attrs.frozen
class SecureConfig:
    """What the executable has to be.

    `checksum` is the digest itself, 32 bytes for sha256 (``bytes.fromhex`` takes what sha256sum prints); `algorithm`
    is a name that hashlib knows. Raises ConfigError for an algorithm that is none, and a checksum that cannot be its.
    """

    checksum: bytes
    algorithm: str = "sha256"

    def __attrs_post_init__(self) -> None:
        if not self.checksum:
            raise ConfigError("no checksum provided")
        try:
            size = hashlib.new(self.algorithm).digest_size
        except ValueError:
            size = 0
        if not size:    # shake and its kin have no length of their own
            raise ConfigError(f"no hash implementation provided: {self.algorithm!r} is no hash of a fixed length")
        if len(self.checksum) != size:
            raise ConfigError(f"a checksum of {self.algorithm} has {size} bytes, not {len(self.checksum)}")

    def check(self, path: str) -> None:
        """Raise ChecksumError unless the file at `path` has this checksum."""
        try:
            with open(path, "rb") as file:
                digest = hashlib.file_digest(file, self.algorithm).digest()     # in pieces
        except OSError as error:
            raise ChecksumError(f"error verifying checksum: {error}") from error
        if not hmac.compare_digest(digest, self.checksum):
            raise ChecksumError("checksums did not match")
