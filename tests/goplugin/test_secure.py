from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from goplugin.core.errors import ChecksumError, ConfigError
from goplugin.secure import SecureConfig
from tests.support import requirement

CONTENT = b"\x7fELF" + bytes(3_000_000)


@pytest.fixture
def executable(tmp_path: Path) -> str:
    path = tmp_path / "plugin"
    path.write_bytes(CONTENT)
    return str(path)


@requirement("gp.secure.checksum")
@pytest.mark.parametrize("algorithm", ["sha256", "sha512", "md5"])
def test_the_promised_file_passes_and_may_be_checked_again(executable: str, algorithm: str) -> None:
    config = SecureConfig(hashlib.new(algorithm, CONTENT).digest(), algorithm)

    config.check(executable)
    config.check(executable)


@requirement("gp.secure.checksum")
def test_another_file_is_refused(executable: str) -> None:
    config = SecureConfig(hashlib.sha256(CONTENT + b"\0").digest())

    with pytest.raises(ChecksumError, match=r"^checksums did not match$"):
        config.check(executable)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    config = SecureConfig(bytes(32))

    with pytest.raises(ChecksumError, match=r"^error verifying checksum: \[Errno 2\] No such file") as caught:
        config.check(str(tmp_path / "plugin"))
    assert isinstance(caught.value.__cause__, FileNotFoundError)


@pytest.mark.parametrize(
    ("checksum", "algorithm", "message"),
    [
        (b"", "sha256", "no checksum provided"),
        (bytes(32), "sha257", "no hash implementation provided: 'sha257' is no hash of a fixed length"),
        (bytes(32), "", "no hash implementation provided: '' is no hash of a fixed length"),
        (bytes(32), "shake_128", "no hash implementation provided: 'shake_128' is no hash of a fixed length"),
        (bytes(32).hex().encode(), "sha256", "a checksum of sha256 has 32 bytes, not 64"),
    ],
)
def test_a_config_that_can_verify_nothing_is_refused_at_once(checksum: bytes, algorithm: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        SecureConfig(checksum, algorithm)

    assert str(caught.value) == message
