"""A few runs of each subject, and a subject that leaves something behind."""
from __future__ import annotations

import socket
import tempfile

import pytest

from tests.support import requirement

from ..gopeers import GoPeers
from .__main__ import soak_all
from .leaks import Counts, LeakError, own_counts, process_counts, soak
from .subjects import SUBJECTS, go_host_launches

RUNS = 5


@requirement("gp.broker.close")
@pytest.mark.go
@pytest.mark.parametrize("name", SUBJECTS)
def test_nothing_is_left_of_a_few_runs(
    go: GoPeers, private_tmpdir: dict[str, str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("TMPDIR", private_tmpdir["TMPDIR"])
    monkeypatch.setattr(tempfile, "tempdir", None)
    done: list[int] = []

    with SUBJECTS[name](go) as subject:
        before, after = soak(subject, RUNS, done.append)

    assert done == [1, 2, 3, 4, 5]
    assert all(after[kind] <= before[kind] for kind in before)


def test_what_is_left_of_every_run_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class Careless:
        def __init__(self) -> None:
            self.left: list[socket.socket] = []

        def run(self) -> None:
            self.left.append(socket.socket())

        def counts(self) -> Counts:
            return own_counts()

    monkeypatch.setattr("tests.interop.soak.leaks._SETTLE_SECONDS", 0.0)
    careless = Careless()
    with pytest.raises(LeakError, match=r"^after 5 runs there are 5 more sockets: "):
        soak(careless, RUNS)
    for left in careless.left:
        left.close()


@pytest.mark.go
def test_a_run_that_fails_ends_it_with_what_its_plugin_wrote_to_stderr(
    go: GoPeers, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    broken = ["/bin/sh", "-c", "echo no plugin >&2; exit 3"]
    monkeypatch.setitem(SUBJECTS, "broken", lambda go: go_host_launches(go, broken))

    assert soak_all(RUNS, ["broken"]) == 1

    captured = capfd.readouterr()
    assert captured.out == "== broken\n"
    assert captured.err.startswith("error: behind run 0: ")
    assert captured.err.endswith("no plugin\n")


def test_a_process_is_counted_as_it_counts_itself() -> None:
    assert process_counts("self").keys() == own_counts().keys()
