"""Process trees of real processes."""
from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from goplugin import proctree
from goplugin.proctree import ProcessTree
from tests.support import requirement

from .harness import has_ended, sh, wait_for_exit

Start = Callable[..., "subprocess.Popen[str]"]

NESTED = "sh -c 'sleep 60 & echo $!; wait' & echo $!; wait"
"""A child and a grandchild, whose numbers are printed."""


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a command; at the end its process, and nothing else, is killed and reaped."""
    processes: list[subprocess.Popen[str]] = []

    def start(*command: str) -> subprocess.Popen[str]:
        processes.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def numbers(process: subprocess.Popen[str], count: int) -> set[int]:
    """What it prints, one number per line."""
    assert process.stdout is not None
    return {int(process.stdout.readline()) for _ in range(count)}


@requirement("us.kill-tree")
def test_a_tree_is_a_process_with_all_its_descendants(start: Start) -> None:
    root = start(*sh(NESTED))
    descendants = numbers(root, 2)
    start("sleep", "60")

    tree = ProcessTree(root.pid)

    assert tree.pids == {root.pid} | descendants
    tree.kill()


def test_killing_a_tree_ends_every_member_and_nobody_else(start: Start) -> None:
    root = start(*sh(NESTED))
    descendants = numbers(root, 2)
    stranger = start("sleep", "60")
    tree = ProcessTree(root.pid)

    tree.kill()

    assert all(wait_for_exit(pid) for pid in (root.pid, *descendants))
    assert tree.pids == set()
    assert not has_ended(stranger.pid)


def test_descendants_are_still_known_when_the_process_itself_is_gone(start: Start) -> None:
    root = start(*sh("sleep 60 & echo $!; read line"))
    (child,) = numbers(root, 1)
    tree = ProcessTree(root.pid)
    root.kill()
    root.wait()

    assert tree.pids == {child}
    tree.kill()
    assert wait_for_exit(child)


def test_those_who_came_later_are_found_by_another_look(start: Start) -> None:
    root = start(*sh("read line; sleep 60 & echo $!; read line"))
    tree = ProcessTree(root.pid)
    assert not tree.add_descendants()
    assert root.stdin is not None
    root.stdin.write("go on\n")
    root.stdin.flush()
    (child,) = numbers(root, 1)

    assert tree.add_descendants()

    assert tree.pids == {root.pid, child}
    assert not tree.add_descendants()
    tree.kill()


def test_a_process_that_replaces_its_children_does_not_get_away(start: Start) -> None:
    root = start(sys.executable, "-c", """
import subprocess
while True:
    child = subprocess.Popen(["sleep", "60"])
    print(child.pid, flush=True)
    child.wait()
""")
    (first,) = numbers(root, 1)

    ProcessTree(root.pid).kill()

    assert wait_for_exit(root.pid)
    assert root.stdout is not None
    pids = [first, *map(int, root.stdout)]  # to the end: nobody is left who holds the pipe
    assert all(wait_for_exit(pid) for pid in pids)


@pytest.mark.parametrize("name", ["a b", ") R 1 1 (", "(", "line\nbreak", "h\u00e9"])
def test_the_name_of_a_program_may_hold_anything(start: Start, tmp_path: Path, name: str) -> None:
    program = tmp_path / name
    shutil.copy("/bin/sleep", program)
    child = start(str(program), "60")

    assert child.pid in ProcessTree(os.getpid()).pids


def test_a_number_that_belongs_to_somebody_else_by_now_is_left_alone(start: Start) -> None:
    process = start("sleep", "60")
    tree = ProcessTree(process.pid)
    tree._members = {member._replace(started="long ago") for member in tree._members}

    tree.kill()

    assert tree.pids == set()
    assert not has_ended(process.pid)


def test_a_process_that_has_ended_has_no_tree(start: Start) -> None:
    zombie = start("true")
    assert wait_for_exit(zombie.pid)

    tree = ProcessTree(zombie.pid)

    assert tree.pids == set()
    tree.kill()


@pytest.mark.skipif(not shutil.which("ps"), reason="there is no ps")
def test_ps_knows_what_proc_knows(start: Start) -> None:
    stopped = start("sleep", "60")
    os.kill(stopped.pid, signal.SIGSTOP)
    zombie = start("true")
    assert wait_for_exit(zombie.pid)

    known = {process.pid: parent for parent, process in proctree._snapshot_of_ps()}

    assert known[os.getpid()] == os.getppid()
    assert known[stopped.pid] == os.getpid()
    assert zombie.pid not in known
