"""A test run is alone in its temporary directory and leaves nothing behind, tried on small suites."""
from __future__ import annotations

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

LEAKING = """
import os
import socket
import subprocess
import tempfile

def test_child():
    subprocess.Popen(["sleep", "61"])

def test_orphan():
    subprocess.run(["sh", "-c", "sleep 62 &"], check=True)

def test_zombie():
    os.spawnlp(os.P_NOWAIT, "true", "true")

def test_socket():
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(tempfile.gettempdir() + "/plugin123")
"""

ORDERLY = """
import pathlib
import subprocess
import tempfile

def test_child():
    subprocess.run(["true"], check=True)

def test_path():
    pathlib.Path({report!r}).write_text(tempfile.gettempdir())
"""


def run(pytester: pytest.Pytester, text: str) -> pytest.RunResult:
    pytester.makeini("[pytest]\nmarkers = requirement(*ids): rows\n")
    pytester.mkdir("tests").joinpath("requirements.toml").touch()
    pytester.makepyfile(text)
    return pytester.runpytest_subprocess("-p", "tests.conftest")


@pytest.fixture
def pythonpath(monkeypatch: pytest.MonkeyPatch, pytestconfig: pytest.Config) -> None:
    monkeypatch.setenv("PYTHONPATH", str(pytestconfig.rootpath))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


@pytest.mark.usefixtures("pythonpath")
@pytest.mark.skipif(not Path("/proc").exists(), reason="the processes of a run are found in /proc")
def test_what_a_test_leaves_behind_fails_the_run_and_is_named(pytester: pytest.Pytester) -> None:
    result = run(pytester, LEAKING)

    result.assert_outcomes(passed=4, errors=1)
    result.stdout.fnmatch_lines_random(
        [
            "*process * (sleep 61), started in *::test_child (call)",
            "*process * (sleep 62), started in *::test_orphan (call)",
            "*process * (ended, but nobody waited for it), started in *",
            "*/plugin123",
        ]
    )


@pytest.mark.usefixtures("pythonpath")
def test_the_temporary_directory_is_short_and_removed(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    long = tmp_path / ("x" * 130)
    long.mkdir()
    monkeypatch.setenv("TMPDIR", str(long))
    report = tmp_path / "report"

    result = run(pytester, ORDERLY.format(report=str(report)))

    result.assert_outcomes(passed=2)
    directory = report.read_text()
    assert len(directory) <= 60
    assert not Path(directory).exists()
    assert not list(long.iterdir())
