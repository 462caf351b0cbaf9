"""A process with all its descendants, found by their parents, and ended together.

A plugin shares its host's process group, so there is no group to signal. A process is known by its number and its
start time, so that a number the system gave to somebody else in the meantime is left alone.
"""
from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from typing import NamedTuple

__all__ = ["ProcessTree"]


class _Process(NamedTuple):
    pid: int
    started: str
    """In whatever unit the system tells it; only compared."""


class ProcessTree:
    """The processes that descend from `root`, as of its construction and of each `add_descendants`."""

    def __init__(self, root: int) -> None:
        self._members = {process for _, process in _snapshot() if process.pid == root}
        self.add_descendants()

    @property
    def pids(self) -> set[int]:
        """The members that are still alive."""
        alive = {process for _, process in _snapshot()}
        return {process.pid for process in self._members & alive}

    def add_descendants(self) -> bool:
        """Look again, from every member that is still alive; whether somebody new was found."""
        children: dict[int, list[_Process]] = {}
        alive: set[_Process] = set()
        for parent, process in _snapshot():
            children.setdefault(parent, []).append(process)
            alive.add(process)
        todo = list(self._members & alive)
        before = len(self._members)
        while todo:
            new = [child for child in children.get(todo.pop().pid, ()) if child not in self._members]
            self._members.update(new)
            todo.extend(new)
        return len(self._members) > before

    def kill(self) -> None:
        """SIGKILL every member. They are stopped first, so that none has a child between the look and the kill."""
        if sys.platform == "win32":
            for pid in self.pids:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGTERM)
            return
        self._stop()
        self._signal(signal.SIGKILL)

    def terminate(self) -> None:
        """SIGTERM every member, stopped first as by `kill`; on Windows, where that would be `kill`, nothing."""
        if sys.platform != "win32":
            self._stop()
            self._signal(signal.SIGTERM)
            self._signal(signal.SIGCONT)

    def _stop(self) -> None:
        self._signal(signal.SIGSTOP)
        while self.add_descendants():
            self._signal(signal.SIGSTOP)

    def _signal(self, number: signal.Signals) -> None:
        for pid in self.pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)


def _snapshot() -> list[tuple[int, _Process]]:
    """Every process of the system that has not ended, with its parent's number."""
    if sys.platform == "linux":
        return _snapshot_of_proc()
    return _snapshot_of_ps()


def _snapshot_of_proc() -> list[tuple[int, _Process]]:
    found: list[tuple[int, _Process]] = []
    for entry in os.listdir("/proc"):
        if not entry.isdecimal():
            continue
        try:
            with open(f"/proc/{entry}/stat", "rb") as file:
                stat = file.read()
        except (FileNotFoundError, ProcessLookupError):
            continue
        # The command name stands in parentheses and may hold anything; the fields behind it are counted from there.
        rest = stat[stat.rindex(b")") + 2 :].split()
        if rest[0] not in (b"Z", b"X"):
            found.append((int(rest[1]), _Process(int(entry), rest[19].decode())))
    return found


def _snapshot_of_ps() -> list[tuple[int, _Process]]:
    output = subprocess.run(
        ["ps", "-axo", "pid=,ppid=,state=,lstart="], check=True, capture_output=True, text=True
    ).stdout
    found: list[tuple[int, _Process]] = []
    for line in output.splitlines():
        pid, parent, state, started = line.split(None, 3)
        if not state.startswith("Z"):
            found.append((int(parent), _Process(int(pid), started)))
    return found
