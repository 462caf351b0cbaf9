"""What holds for the whole test run.

Rule 1: a test may claim rows of requirements.toml; a claim without a row fails, and a `done` row without a claim.
Rule 2: the run has a temporary directory of its own, short enough for unix sockets, and removes it.
Rule 3: when the last test has ended, no process and no plugin's socket is left.
Rule 4: hypothesis judges examples by what they show, not by how long a busy machine takes for one.
"""
from __future__ import annotations

import contextlib
import os
import select
import signal
import tempfile
import time
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, settings

NARROWED = pytest.StashKey[bool]()  # some tests were deselected
LONGEST_TMPDIR = 40  # bytes; a socket path has 107, and tests add directories with names of their own
SECONDS_TO_EXIT = 2.0  # for processes whose end the last test did not wait for


# --- Rule 1: requirements.toml -------------------------------------------------------------------------------------


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    items[0].config.stash[NARROWED] = True


def pytest_collection_finish(session: pytest.Session) -> None:
    if session.testsfailed:  # modules that cannot be imported claim nothing; pytest reports them
        return
    with open(session.config.rootpath / "tests" / "requirements.toml", "rb") as file:
        rows = {name: row for group in tomllib.load(file).values() for name, row in group.items()}
    claims = {
        name: item.nodeid for item in session.items for mark in item.iter_markers("requirement") for name in mark.args
    }
    problems = [f"{claims[name]} claims {name!r}, which is not a row" for name in claims if name not in rows]
    if collects_everything(session.config):
        done = [name for name, row in rows.items() if row["status"] == "done"]
        problems += [f"{name!r} is done, but no test claims it" for name in done if name not in claims]
    if problems:
        raise pytest.UsageError("tests/requirements.toml does not fit the tests:", *problems)


def collects_everything(config: pytest.Config) -> bool:
    """Whether this run collects all tests, with no path, expression or earlier result to narrow it down."""
    narrowed = config.stash.get(NARROWED, False) or any(
        config.getoption(name, default=False) for name in ("lf", "ignore", "ignore_glob")
    )
    return config.args_source is pytest.Config.ArgsSource.TESTPATHS and not narrowed


# --- Rule 2: a temporary directory ---------------------------------------------------------------------------------


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    parent = tempfile.gettempdir()
    if len(os.fsencode(parent)) > LONGEST_TMPDIR:
        parent = "/tmp"
    directory = tempfile.TemporaryDirectory(prefix="gp-", dir=parent)
    config.add_cleanup(directory.cleanup)
    patch = pytest.MonkeyPatch()
    config.add_cleanup(patch.undo)
    patch.setenv("TMPDIR", directory.name)
    patch.setattr(tempfile, "tempdir", None)  # asks TMPDIR again
    config.option.basetemp = config.option.basetemp or os.path.join(directory.name, "t")


# --- Rule 3: nothing is left ---------------------------------------------------------------------------------------


class Process(NamedTuple):
    """A process of this run: a child of ours, or one whose TMPDIR is ours or below it."""

    pid: int
    command: str
    test: str  # that was running when it was started

    def __str__(self) -> str:
        return f"process {self.pid} ({self.command or 'ended, but nobody waited for it'}), started in {self.test}"


@pytest.fixture(scope="session", autouse=True)
def nothing_is_left_behind() -> Iterator[None]:
    yield
    wait_for_exits(processes_of_this_run())
    processes = processes_of_this_run()
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
    left = [*map(str, processes), *map(str, plugin_files(Path(tempfile.gettempdir())))]
    if left:
        pytest.fail("the tests left behind:\n  " + "\n  ".join(left), pytrace=False)


def plugin_files(directory: Path) -> list[Path]:
    """Sockets of plugins below `directory`, and the directories that they made for them in it."""
    return [path for path in directory.rglob("plugin*") if path.is_socket() or path.parent == directory]


def processes_of_this_run() -> list[Process]:
    """Read from /proc; an empty list where there is none."""
    processes = [inspect_process(int(entry.name)) for entry in Path("/proc").glob("[0-9]*")]
    return [process for process in processes if process]


def inspect_process(pid: int) -> Process | None:
    """The process if it belongs to this run and is not the run itself."""
    status = read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    if not status or pid == os.getpid():
        return None
    variables = read(f"/proc/{pid}/environ").split(b"\0")
    environ = {name: value for name, _, value in (variable.partition(b"=") for variable in variables)}
    ours = environ.get(b"TMPDIR", b"").startswith(os.fsencode(os.environ["TMPDIR"]))
    if not ours and int(status[1]) != os.getpid():
        return None
    command = read(f"/proc/{pid}/cmdline").replace(b"\0", b" ").strip()
    test = environ.get(b"PYTEST_CURRENT_TEST", b"an unknown test")
    return Process(pid, os.fsdecode(command), os.fsdecode(test))


def read(path: str) -> bytes:
    """The content of a file of /proc; nothing if the process has ended or belongs to somebody else."""
    try:
        return Path(path).read_bytes()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return b""


def wait_for_exits(processes: Sequence[Process]) -> None:
    """Return when all have ended, or after SECONDS_TO_EXIT."""
    deadline = time.monotonic() + SECONDS_TO_EXIT
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            descriptor = os.pidfd_open(process.pid)
            try:
                select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
            finally:
                os.close(descriptor)


# --- Rule 4: patience ----------------------------------------------------------------------------------------------

settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")    # before the tests are imported: their own settings begin with the loaded ones
