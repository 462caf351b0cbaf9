"""What a plugin gets of the world: nothing, unless the configuration says so."""
from __future__ import annotations

import logging
import os
import struct
import time
from pathlib import Path
from typing import Any

import pytest

from goplugin.core.errors import ConfigError
from goplugin.wasm import INHERIT, GuestError, Preopen, TimeLimitError, WasmConfig
from tests.goplugin.wasm.modules import bench
from tests.support import requirement

BAD_DESCRIPTOR, NO_ENTRY, NOT_PERMITTED = 8, 44, 63


def call(method: str, request: bytes = b"", **config: Any) -> bytes:
    with bench(**config) as instance:
        return instance.call(method, request)


def wasi_error(method: str, request: bytes, **config: Any) -> int:
    with pytest.raises(GuestError) as caught:
        call(method, request, **config)
    return ord(str(caught.value))


# --- Nothing by default ---


@requirement("wa.sandbox")
def test_by_default_there_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "of the host")

    assert call("bench_env") == call("bench_args") == call("bench_stdin") == b""
    assert wasi_error("bench_read_file", b"etc/passwd") == BAD_DESCRIPTOR
    assert wasi_error("bench_write_file", b"tmp/x") == BAD_DESCRIPTOR


@requirement("wa.sandbox", "wa.stdio")
def test_by_default_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    call("bench_print", b"text")
    call("bench_complain", b"text")

    assert capfd.readouterr() == ("", "")


# --- Configuration ---


@requirement("wa.config")
def test_environment_and_arguments_are_what_the_configuration_says() -> None:
    assert call("bench_env", env={"HOME": "/", "NAME": "W\u00f6rld"}) == "HOME=/\0NAME=W\u00f6rld\0".encode()
    assert call("bench_args", args=("greeter", "-v")) == b"greeter\0-v\0"


@requirement("wa.config")
def test_stdin_is_what_the_configuration_says(tmp_path: Path) -> None:
    (tmp_path / "input").write_bytes(b"of a file")

    assert call("bench_stdin", stdin=b"typed") == b"typed"
    assert call("bench_stdin", stdin=tmp_path / "input") == b"of a file"
    assert call("bench_stdin", stdin=str(tmp_path / "input")) == b"of a file"


@requirement("wa.config")
def test_stdin_may_be_the_hosts(tmp_path: Path) -> None:
    (tmp_path / "input").write_bytes(b"of the host")
    saved = os.dup(0)
    with open(tmp_path / "input", "rb") as file:
        os.dup2(file.fileno(), 0)
    try:
        assert call("bench_stdin", stdin=INHERIT) == b"of the host"
    finally:
        os.dup2(saved, 0)
        os.close(saved)


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ({"args": "greeter"}, r"args is a text: give the arguments as a list, \['greeter'\]"),
        ({"time_limit": 0}, "time_limit is 0: nothing could run at all"),
        ({"memory_limit": -1}, "memory_limit is -1"),
        ({"fuel": 0}, "fuel is 0"),
        ({"env": {"A": "x\0y"}}, "cannot hold a zero byte"),
        ({"args": ["x\0y"]}, "cannot hold a zero byte"),
    ],
)
def test_a_configuration_that_cannot_be_is_refused(config: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        WasmConfig(**config)


@pytest.mark.parametrize("config", [{"stdin": "/no/such/file"}, {"dirs": [Preopen("/no/such/directory")]}])
def test_files_that_are_not_there_are_refused(config: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"^the sandbox cannot have its files: "):
        bench(**config)


# --- Files ---


@pytest.fixture
def files(tmp_path: Path) -> Path:
    directory = tmp_path / "files"
    (directory / "below").mkdir(parents=True)
    (directory / "below" / "name").write_bytes(b"content")
    (tmp_path / "secret").write_bytes(b"of the host")
    (directory / "link").symlink_to(tmp_path / "secret")
    return directory


@requirement("wa.fs")
@pytest.mark.parametrize("writable", [False, True])
def test_a_plugin_reads_where_it_may(files: Path, writable: bool) -> None:
    assert call("bench_read_file", b"below/name", dirs=[Preopen(str(files), "/", writable)]) == b"content"


@requirement("wa.fs")
def test_a_plugin_writes_where_it_may(files: Path) -> None:
    call("bench_write_file", b"new", dirs=[Preopen(str(files), "/data", writable=True)])

    assert (files / "new").read_bytes() == b"new"


@requirement("wa.fs")
def test_a_plugin_does_not_write_where_it_may_read(files: Path) -> None:
    assert wasi_error("bench_write_file", b"new", dirs=[Preopen(str(files))]) == NOT_PERMITTED
    assert wasi_error("bench_write_file", b"below/name", dirs=[Preopen(str(files))]) == NOT_PERMITTED

    assert (files / "below" / "name").read_bytes() == b"content"


@requirement("wa.fs")
@pytest.mark.parametrize("path", [b"../secret", b"below/../../secret", b"/etc/passwd", b"link"])
def test_nothing_leads_out_of_a_directory(files: Path, path: bytes) -> None:
    assert wasi_error("bench_read_file", path, dirs=[Preopen(str(files))]) in (NO_ENTRY, NOT_PERMITTED)


# --- Output ---


@requirement("wa.stdio")
def test_output_goes_to_a_file_a_path_or_a_function(tmp_path: Path) -> None:
    pieces: list[bytes] = []
    with open(tmp_path / "file", "wb") as file:
        call("bench_print", b"one", stdout=file)
        assert not file.closed
    call("bench_print", b"two", stdout=str(tmp_path / "path"))
    call("bench_print", b"three", stdout=pieces.append)
    call("bench_complain", b"four", stderr=pieces.append)

    assert (tmp_path / "file").read_bytes() == b"one"
    assert (tmp_path / "path").read_bytes() == b"two"
    assert pieces == [b"three", b"four"]


@requirement("wa.stdio")
def test_output_goes_to_a_logger_by_lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with bench(stdout=logging.getLogger("greeter")) as instance:
        for piece in (b"hel", b"lo\nwor", b"ld\n[WARN] rain\nend"):
            instance.call("bench_print", piece)
        assert [record.message for record in caplog.records] == ["hello", "world", "[WARN] rain"]

    assert [(record.name, record.levelname, record.message) for record in caplog.records] == [
        ("greeter", "DEBUG", "hello"), ("greeter", "DEBUG", "world"), ("greeter", "WARNING", "[WARN] rain"),
        ("greeter", "DEBUG", "end"),
    ]  # fmt: skip


@requirement("wa.stdio")
def test_output_may_be_the_hosts(capfd: pytest.CaptureFixture[str]) -> None:
    call("bench_print", b"out", stdout=INHERIT)
    call("bench_complain", b"err", stderr=INHERIT)

    assert capfd.readouterr() == ("out", "err")


@requirement("wa.stdio")
def test_much_output_arrives_in_order() -> None:
    pieces: list[bytes] = []
    data = bytes(range(256)) * 200

    call("bench_print", data, stdout=pieces.append)

    assert b"".join(pieces) == data


def test_output_that_cannot_be_taken_does_not_stop_the_plugin(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    def fail(data: bytes) -> None:
        raise LookupError("no place")

    assert call("bench_print", b"text", stdout=fail) == b""
    assert "failed to copy all bytes" in caplog.text
    with pytest.raises(ConfigError, match=r"^no output can go there: .*No such file"):
        bench(stdout=tmp_path / "no" / "such")


@requirement("wa.stdio")
def test_the_end_of_stderr_is_kept(tmp_path: Path) -> None:
    with bench(stderr=tmp_path / "err") as instance:
        instance.call("bench_complain", b"x" * 5000)
        instance.call("bench_complain", b"the end\n")
        assert instance.stderr_tail == "x" * 4088 + "the end"

    assert instance.stderr_tail.endswith("the end")
    assert (tmp_path / "err").stat().st_size == 5008


# --- Sleep ---


def clock(nanoseconds: int, *, user_data: int = 1, clock_id: int = 1, flags: int = 0) -> bytes:
    return struct.pack("<QB7xI4xQQH6x", user_data, 0, clock_id, nanoseconds, 0, flags)


def descriptor(kind: int, *, user_data: int = 9) -> bytes:
    return struct.pack("<QB7xI4x24x", user_data, kind, 0)


def events(answer: bytes) -> tuple[int, list[tuple[int, int, int]]]:
    """WASI's error, and of each event the user's data, the error and the kind."""
    error, count = struct.unpack_from("<II", answer)
    return error, [struct.unpack_from("<QHB", answer, 8 + 32 * index) for index in range(count)]


def test_a_guest_sleeps_as_long_as_it_wants(machine: str) -> None:
    began = time.monotonic()

    assert events(call("bench_poll", clock(10_000_000))) == (0, [(1, 0, 0)])
    assert 0.01 <= time.monotonic() - began < 5


def test_the_shortest_sleep_ends_them_all() -> None:
    answer = call("bench_poll", clock(3600 * 10**9, user_data=1) + clock(1000, user_data=2))

    assert events(answer) == (0, [(2, 0, 0)])


def test_a_time_of_day_can_be_slept_for() -> None:
    assert events(call("bench_poll", clock(time.time_ns() + 1000, clock_id=0, flags=1))) == (0, [(1, 0, 0)])
    assert events(call("bench_poll", clock(1, flags=1))) == (58, [])


def test_a_descriptor_is_ready() -> None:
    answer = call("bench_poll", clock(3600 * 10**9) + descriptor(1) + descriptor(2, user_data=8))

    assert events(answer) == (0, [(9, 0, 1), (8, 0, 2)])


def test_nothing_cannot_be_waited_for() -> None:
    assert events(call("bench_poll", b"")) == (28, [])


@requirement("wa.sandbox")
@pytest.mark.parametrize("seconds", [3600, 2**64 // 10**9])
def test_a_guest_does_not_sleep_longer_than_it_may(machine: str, seconds: int) -> None:
    with bench() as instance:
        with pytest.raises(TimeLimitError):
            instance.call("bench_poll", clock(seconds * 10**9), timeout=0.05)

        assert instance.lost
