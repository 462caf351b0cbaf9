from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from goplugin.wasm.cache import CompiledCache, default_directory

CODE = b"machine code"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "wasm"


@pytest.fixture
def cache(directory: Path) -> CompiledCache:
    cache = CompiledCache(str(directory))
    cache.put("one", CODE)
    return cache


def read(cache: CompiledCache, name: str = "one") -> bytes | None:
    path = cache.get(name)
    return None if path is None else Path(path).read_bytes()


def test_what_is_put_there_is_found_by_the_next_one(directory: Path, cache: CompiledCache) -> None:
    assert read(CompiledCache(str(directory))) == CODE


def test_there_may_be_nothing(directory: Path) -> None:
    assert CompiledCache(str(directory)).get("one") is None
    assert not directory.exists()


def test_what_is_put_again_replaces(cache: CompiledCache) -> None:
    cache.put("one", b"other")

    assert read(cache) == b"other"


def test_everything_is_for_this_user_alone(directory: Path, cache: CompiledCache) -> None:
    assert directory.stat().st_mode & 0o777 == 0o700
    assert {path.name: path.stat().st_mode & 0o777 for path in directory.iterdir()} == {
        "key": 0o600, "one.code": 0o600, "one.signature": 0o600,
    }  # fmt: skip


@pytest.mark.parametrize("name", ["one.code", "one.signature"])
@pytest.mark.parametrize("content", [b"", b"machine c0de", CODE + b"\0"])
def test_a_file_that_is_damaged_is_not_used(
    directory: Path, cache: CompiledCache, name: str, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (directory / name).write_bytes(content)

    assert cache.get("one") is None
    assert "one.code is damaged, or another program wrote it" in caplog.text


def test_a_file_of_another_name_is_not_used(directory: Path, cache: CompiledCache) -> None:
    for suffix in ("code", "signature"):
        os.rename(directory / f"one.{suffix}", directory / f"two.{suffix}")

    assert cache.get("two") is None


def test_a_file_that_was_brought_from_elsewhere_is_not_used(directory: Path, tmp_path: Path) -> None:
    CompiledCache(str(directory)).put("one", CODE)
    other = tmp_path / "other"
    cache = CompiledCache(str(other))
    cache.put("two", CODE)
    for suffix in ("code", "signature"):
        os.rename(directory / f"one.{suffix}", other / f"one.{suffix}")

    assert cache.get("one") is None


@pytest.mark.parametrize("name", ["one.code", "one.signature", "key"])
def test_a_file_that_others_can_read_is_not_used(directory: Path, cache: CompiledCache, name: str) -> None:
    (directory / name).chmod(0o644)

    assert cache.get("one") is None


@pytest.mark.parametrize("name", ["one.code", "one.signature", "key"])
def test_a_link_is_not_followed(directory: Path, cache: CompiledCache, name: str) -> None:
    os.rename(directory / name, directory / "elsewhere")
    os.symlink(directory / "elsewhere", directory / name)

    assert cache.get("one") is None


def test_a_directory_that_others_can_write_to_is_neither_read_nor_written(
    directory: Path, cache: CompiledCache, caplog: pytest.LogCaptureFixture
) -> None:
    directory.chmod(0o777)

    assert cache.get("one") is None
    cache.put("two", CODE)
    assert not (directory / "two.code").exists()
    assert "is not a directory of this user with mode 0700" in caplog.text


def test_a_key_that_is_damaged_is_not_used(directory: Path, cache: CompiledCache) -> None:
    (directory / "key").write_bytes(b"short")

    assert cache.get("one") is None
    cache.put("one", CODE)
    assert cache.get("one") is None


def test_where_nothing_can_be_written_nothing_is_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").touch()
    cache = CompiledCache(str(tmp_path / "file" / "cache"))

    cache.put("one", CODE)

    assert cache.get("one") is None
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


def test_the_modules_that_were_used_last_stay(
    directory: Path, cache: CompiledCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("goplugin.wasm.cache._MOST_MODULES", 2)
    cache.put("two", CODE)
    os.utime(directory / "one.code", (1, 1))
    os.utime(directory / "two.code", (2, 2))
    assert cache.get("one")

    cache.put("three", CODE)

    assert sorted(path.name for path in directory.iterdir() if path.suffix == ".code") == ["one.code", "three.code"]
    assert not (directory / "two.signature").exists()


def test_caches_are_where_the_user_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/caches")
    assert default_directory() == "/var/caches/goplugin/wasm"

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/users/me")
    assert default_directory() == "/users/me/.cache/goplugin/wasm"
