"""Where a plugin listens."""
from __future__ import annotations

import contextlib
import grp
import os
import re
import socket
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from goplugin.core.environ import PluginEnvironment
from goplugin.core.errors import ConfigError, RemoteProtocolError
from goplugin.transport import Listener, listen, remove_dead_socket
from tests.support import requirement

LONG_NAME = "d" * 110


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only place for sockets, empty."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def long_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / LONG_NAME
    path.mkdir()
    monkeypatch.setenv("TMPDIR", str(path))
    return path


@pytest.fixture
def foreign_group() -> Iterator[int]:
    """A group that this process, which has no special rights while the test runs, is not in."""
    if os.geteuid() != 0:
        assert 0 not in os.getgroups()
        yield 0
        return
    groups = os.getgroups()
    os.setgroups([])
    os.setegid(65534)
    os.seteuid(65534)
    try:
        yield 1
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


def environment(**variables: str) -> PluginEnvironment:
    return PluginEnvironment.from_environ({f"PLUGIN_{name.upper()}": value for name, value in variables.items()})


def connects_to(listener: Listener) -> bool:
    """Whether somebody who connects meets `listener`."""
    if listener.network == "unix":
        client = socket.socket(socket.AF_UNIX)
        client.connect(listener.address)
    else:
        host, _, port = listener.address.rpartition(":")
        client = socket.create_connection((host, int(port)))
    with client, listener.socket.accept()[0] as connection:
        connection.sendall(b"x")
        return client.recv(1) == b"x"


# --- unix sockets ------------------------------------------------------------------------------------------------


@requirement("gp.listen.unix")
def test_a_listener_is_a_unix_socket_in_tmpdir(directory: Path) -> None:
    with listen(environment()) as listener:
        assert listener.network == "unix"
        assert re.fullmatch(r"plugin\d{10}", Path(listener.address).name)
        assert Path(listener.address).parent == directory
        assert connects_to(listener)


def test_the_directory_that_the_host_names_comes_first(directory: Path) -> None:
    (directory / "of-host").mkdir()

    with listen(environment(unix_socket_dir=str(directory / "of-host"))) as listener:
        assert Path(listener.address).parent == directory / "of-host"


def test_without_any_directory_it_is_tmp(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TMPDIR")

    with listen(environment()) as listener:
        assert Path(listener.address).parent == Path("/tmp")


def test_two_listeners_do_not_meet(directory: Path) -> None:
    with listen(environment()) as one, listen(environment()) as other:
        assert one.address != other.address


def test_a_name_that_is_taken_is_not_used(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = iter([7, 7, 8])
    monkeypatch.setattr(os, "urandom", lambda size: next(numbers).to_bytes(size))

    with listen(environment()) as one, listen(environment()) as other:
        assert [Path(listener.address).name for listener in (one, other)] == ["plugin0000000007", "plugin0000000008"]


@requirement("gp.listen.unix")
def test_the_socket_is_the_owners_alone(directory: Path) -> None:
    with listen(environment()) as listener:
        assert stat.S_IMODE(os.stat(listener.address).st_mode) == 0o600


@requirement("gp.listen.unix")
@pytest.mark.parametrize("named", [False, True])
def test_a_group_may_use_the_socket_too(directory: Path, named: bool) -> None:
    gid = os.getgid()
    group = grp.getgrgid(gid).gr_name if named else str(gid)

    with listen(environment(unix_socket_group=group)) as listener:
        status = os.stat(listener.address)

    assert (status.st_gid, stat.S_IMODE(status.st_mode)) == (gid, 0o660)


@pytest.mark.parametrize(
    ("group", "text"),
    [
        ("no-such-group", 'failed to find gid from "no-such-group": group: unknown group no-such-group'),
        ("99999999999", 'failed to parse "99999999999" group\'s gid as an integer'),
    ],
)
def test_an_unknown_group_is_named(directory: Path, group: str, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        listen(environment(unix_socket_group=group))

    assert str(caught.value) == text
    assert list(directory.iterdir()) == []


@pytest.mark.parametrize("length", [0, 110])
def test_a_group_that_may_not_be_given_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, foreign_group: int, length: int
) -> None:
    directory = Path("/tmp", f"gp-{os.getpid()}" + "d" * length)  # of the user without special rights
    directory.mkdir()
    monkeypatch.setenv("TMPDIR", str(directory))
    before = private_directories_of(os.geteuid())
    try:
        with pytest.raises(ConfigError, match=r"^open /tmp/.*: operation not permitted$"):
            listen(environment(unix_socket_group=str(foreign_group)))

        assert list(directory.iterdir()) == []
        assert private_directories_of(os.geteuid()) == before
    finally:
        directory.rmdir()


def private_directories_of(user: int) -> set[Path]:
    return {path for path in Path("/tmp").glob("plugin-dir*") if path.stat().st_uid == user}


def test_a_missing_directory_is_named(directory: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        listen(environment(unix_socket_dir=str(directory / "none")))

    assert re.fullmatch(rf"open {directory}/none/plugin\d{{10}}: no such file or directory", str(caught.value))


@requirement("gp.listen.unix")
def test_closing_removes_the_socket_and_may_be_repeated(directory: Path) -> None:
    listener = listen(environment())

    listener.close()
    listener.close()

    assert list(directory.iterdir()) == []


@pytest.mark.parametrize(("length", "is_private"), [(107, False), (108, True)])
def test_a_path_of_107_bytes_is_the_longest(length: int, is_private: bool) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as short:  # wherever the tests themselves run
        name = "\u00e9" * 10  # characters are not bytes
        directory = Path(short, name.ljust(length - len(name) - len(os.fsencode(f"{short}//plugin0123456789")), "d"))
        directory.mkdir()

        with listen(environment(unix_socket_dir=str(directory))) as listener:
            assert (Path(listener.address).parent != directory) is is_private
            assert connects_to(listener)


@requirement("gp.listen.unix")
def test_a_directory_with_a_long_name_is_replaced_by_a_private_one_which_is_removed(long_directory: Path) -> None:
    with listen(environment()) as listener:
        directory = Path(listener.address).parent
        assert directory.name.startswith("plugin-dir")
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        assert connects_to(listener)

    assert not directory.exists()
    assert list(long_directory.iterdir()) == []


def test_the_private_directory_is_open_to_the_group_too(long_directory: Path) -> None:
    with listen(environment(unix_socket_group=str(os.getgid()))) as listener:
        status = Path(listener.address).parent.stat()

    assert (status.st_gid, stat.S_IMODE(status.st_mode)) == (os.getgid(), 0o770)


# --- what an ended plugin leaves ---------------------------------------------------------------------------------


def dead_socket(directory: Path) -> Path:
    path = directory / "plugin0000000001"
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))
        sock.listen()
    return path


def test_a_dead_socket_is_removed(directory: Path) -> None:
    path = dead_socket(directory)

    remove_dead_socket(str(path))

    assert list(directory.iterdir()) == []


def test_a_dead_socket_is_removed_with_its_private_directory(directory: Path) -> None:
    private = directory / "plugin-dirx1y2"
    private.mkdir()

    remove_dead_socket(str(dead_socket(private)))

    assert list(directory.iterdir()) == []


def test_a_directory_with_other_files_stays(directory: Path) -> None:
    private = directory / "plugin-dirx1y2"
    private.mkdir()
    (private / "other").touch()

    remove_dead_socket(str(dead_socket(private)))

    assert list(private.iterdir()) == [private / "other"]


def test_a_socket_on_which_somebody_listens_stays(directory: Path) -> None:
    with listen(environment()) as listener:
        remove_dead_socket(listener.address)

        listener.socket.accept()[0].close()  # the look itself
        assert connects_to(listener)


def test_a_file_that_is_no_socket_stays(directory: Path) -> None:
    file, link = directory / "plugin1", directory / "link"
    file.write_text("precious")
    target = dead_socket(directory)
    link.symlink_to(target)

    for path in (file, link, directory):
        remove_dead_socket(str(path))

    assert sorted(directory.iterdir()) == sorted([file, link, target])
    target.unlink()


@pytest.mark.parametrize("path", ["/nowhere/plugin1", "", "a\0b", "\0abstract", "x" * 500])
def test_a_path_that_leads_nowhere_is_no_error(path: str) -> None:
    remove_dead_socket(path)


# --- TCP ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")


@contextlib.contextmanager
def two_ports() -> Iterator[tuple[int, int]]:
    """Neighbouring ports of which the first is taken and the second is free, as far as one can know."""
    for port in range(20000, 30000):
        with socket.socket() as first, socket.socket() as second:
            try:
                first.bind(("127.0.0.1", port))
                second.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            second.close()
            first.listen()
            yield port, port + 1
            return


@requirement("gp.listen.tcp")
@pytest.mark.usefixtures("windows")
def test_where_there_are_no_unix_sockets_the_first_free_port_is_taken() -> None:
    with two_ports() as (taken, free), listen(environment(min_port=str(taken), max_port=str(free))) as listener:
        assert (listener.network, listener.address) == ("tcp", f"127.0.0.1:{free}")
        assert connects_to(listener)


@requirement("gp.listen.tcp")
@pytest.mark.usefixtures("windows")
def test_a_range_without_a_free_port_is_an_error() -> None:
    with two_ports() as (taken, _), pytest.raises(ConfigError, match=r"^couldn't bind plugin TCP listener$"):
        listen(environment(min_port=str(taken), max_port=str(taken)))


@pytest.mark.usefixtures("windows")
def test_without_a_range_the_system_chooses() -> None:
    with listen(environment()) as listener:
        assert re.fullmatch(r"127\.0\.0\.1:[1-9]\d+", listener.address)
        assert connects_to(listener)


@requirement("gp.listen.tcp")
def test_tcp_may_be_asked_for_where_there_are_unix_sockets() -> None:
    with listen(environment(), network="tcp") as listener:
        assert listener.network == "tcp"
        assert connects_to(listener)


def test_a_plugin_listens_on_unix_or_tcp() -> None:
    with pytest.raises(ConfigError, match=r"^unknown network udp: a plugin listens on unix or tcp$"):
        listen(environment(), network="udp")


@pytest.mark.usefixtures("windows")
@pytest.mark.parametrize(
    ("first", "last", "text"),
    [
        ("9", "8", "PLUGIN_MIN_PORT value of 9 is greater than PLUGIN_MAX_PORT value of 8"),
        ("-9", "-8", "couldn't bind plugin TCP listener"),
        ("65536", "2147483647", "couldn't bind plugin TCP listener"),
    ],
)
def test_an_impossible_range_is_an_error(first: str, last: str, text: str) -> None:
    with pytest.raises(ConfigError, match=f"^{text}$"):
        listen(environment(min_port=first, max_port=last))


@pytest.mark.usefixtures("windows")
def test_a_port_that_is_no_number_is_the_hosts_mistake() -> None:
    with pytest.raises(RemoteProtocolError, match=r"^couldn't get value from PLUGIN_MAX_PORT: "):
        listen(environment(min_port="1", max_port="x"))
