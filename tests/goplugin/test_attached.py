"""Processes that somebody else has launched, without a plugin in them."""
from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator

import pytest

from goplugin.attached import AttachedProcess
from goplugin.core.errors import LaunchError
from goplugin.core.reattach import ReattachConfig

from .harness import SECONDS, nothing_left_behind

without_pidfd = pytest.mark.parametrize("pidfd", [True, False], ids=["pidfd", "signal 0"])


@pytest.fixture
def address() -> Iterator[str]:
    """Where somebody listens on TCP, of whom the system does not tell who it is."""
    with socket.socket(socket.AF_INET) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        yield "{}:{}".format(*sock.getsockname())


def choose(monkeypatch: pytest.MonkeyPatch, pidfd: bool) -> None:
    if not pidfd:
        monkeypatch.delattr(os, "pidfd_open")


@without_pidfd
def test_an_exit_is_noticed_within_a_second_or_so(address: str, pidfd: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    with nothing_left_behind(), subprocess.Popen(["sleep", "60"]) as popen:
        choose(monkeypatch, pidfd)
        process = AttachedProcess.find(ReattachConfig("tcp", address, popen.pid))
        assert not process.exited

        popen.kill()
        popen.wait()
        started = time.monotonic()

        assert process.exit_code.result(SECONDS) is None
        assert time.monotonic() - started < 3.0
        process.release()
        monkeypatch.undo()


@without_pidfd
def test_a_process_is_killed_with_its_family(address: str, pidfd: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    with nothing_left_behind(), subprocess.Popen(["sh", "-c", "sleep 60 & wait"]) as popen:
        choose(monkeypatch, pidfd)
        process = AttachedProcess.find(ReattachConfig("tcp", address, popen.pid))

        process.kill()

        assert popen.wait(SECONDS) == -9
        monkeypatch.undo()


@without_pidfd
def test_a_process_that_is_released_goes_on(address: str, pidfd: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    with nothing_left_behind(), subprocess.Popen(["sleep", "60"]) as popen:
        choose(monkeypatch, pidfd)
        process = AttachedProcess.find(ReattachConfig("tcp", address, popen.pid))

        process.release()

        assert popen.poll() is None
        popen.kill()
        monkeypatch.undo()


def test_where_nobody_listens_nothing_is_found() -> None:
    with pytest.raises(LaunchError, match=r"^reattachment process not found: 127.0.0.1:1: connection refused$"):
        AttachedProcess.find(ReattachConfig("tcp", "127.0.0.1:1", os.getppid()))
