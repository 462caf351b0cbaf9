"""What is run: Go's host with our plugins, our hosts with Go's plugin, and a Go host that stays with one plugin."""
from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from goplugin import Client, ClientConfig, GRPCPlugin, sync
from tests.goplugin.harness import has_ended

from ..driver import HostError
from ..gopeers import GoPeers
from ..matrix_hosts import AsyncMatrixPlugin, GoMatrixHost, MatrixHost, MatrixPlugin
from ..plugins.matrix import HANDSHAKE
from .leaks import Counts, LeakError, RunError, Subject, own_counts, process_counts

__all__ = ["SUBJECTS", "OpenSubject", "go_host_launches"]

OpenSubject = Callable[[GoPeers], contextlib.AbstractContextManager[Subject]]

_END_SECONDS = 10.0
_GRACE_SECONDS = 2.0


def _our_plugin(runtime: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "tests.interop.plugins.matrix_served", runtime)


# --- launches by a Go host -------------------------------------------------------------------------------------------


class GoHostLaunches:
    """The program soakhost with a plugin of ours."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self) -> None:
        answer = self._ask("run")
        if "error" in answer:
            raise RunError(answer["error"], answer["stderr"])
        if not has_ended(answer["pid"]):
            raise LeakError(f"the plugin, process {answer['pid']}, is still there")
        if left := os.listdir(tempfile.gettempdir()):
            raise LeakError(f"the plugin left {left}")

    def counts(self) -> Counts:
        return self._ask("count")

    def _ask(self, command: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(command, file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            raise RunError(f"the host has ended with code {self._process.wait()}")
        return json.loads(line)


@contextlib.contextmanager
def go_host_launches(go: GoPeers, plugin: Sequence[str]) -> Iterator[Subject]:
    process = subprocess.Popen([go.soakhost, *plugin], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        with process:       # its stdin is closed then, and it ends
            yield GoHostLaunches(process)
    finally:
        process.kill()


# --- launches by a host of ours --------------------------------------------------------------------------------------


class _OurLaunches(ABC):
    """A host in this process with a Go plugin."""

    def __init__(self, go: GoPeers, plugin: GRPCPlugin) -> None:
        self._go = go
        self._plugin = plugin

    def run(self) -> None:
        stderr = io.BytesIO()
        config = ClientConfig(
            handshake=HANDSHAKE._replace(protocol_version=1),
            command=[str(self._go.matrixplugin)],
            plugins={"matrix": self._plugin},
            auto_mtls=True,
            multiplex=True,
            stderr=stderr,
        )
        try:
            pid, seconds = self._launch(config)
        except Exception as error:      # the border: whatever a host may raise has made the run fail
            raise RunError(f"{type(error).__name__}: {error}", stderr.getvalue().decode()) from error
        if seconds >= _GRACE_SECONDS:
            raise RunError(f"the plugin did not end by itself: kill took {seconds:.1f} s", stderr.getvalue().decode())
        if not has_ended(int(pid)):
            raise LeakError(f"the plugin, process {pid}, is still there")
        for path in Path(tempfile.gettempdir()).iterdir():
            path.unlink()   # a Go plugin that multiplexes leaves its socket

    def counts(self) -> Counts:
        return own_counts()

    @abstractmethod
    def _launch(self, config: ClientConfig) -> tuple[str, float]:
        """A whole run: the plugin's process id, and how many seconds its end took."""


class BlockingLaunches(_OurLaunches):
    def __init__(self, go: GoPeers) -> None:
        super().__init__(go, MatrixPlugin())

    def _launch(self, config: ClientConfig) -> tuple[str, float]:
        with sync.Client(config) as client:
            matrix = client.dispense("matrix")
            assert matrix.call("Echo", b"x") == b"x"
            assert matrix.call_back(b"x") == b"x"
            assert matrix.offered(b"x") == b"x"
            start = time.monotonic()
        return client.id, time.monotonic() - start


class AsyncioLaunches(_OurLaunches):
    """All in one loop, whose tasks are counted."""

    def __init__(self, go: GoPeers, runner: asyncio.Runner) -> None:
        super().__init__(go, AsyncMatrixPlugin())
        self._runner = runner

    def counts(self) -> Counts:
        return {**super().counts(), "tasks": len(asyncio.all_tasks(self._runner.get_loop()))}

    def _launch(self, config: ClientConfig) -> tuple[str, float]:
        return self._runner.run(self._live(config))

    async def _live(self, config: ClientConfig) -> tuple[str, float]:
        async with Client(config) as client:
            matrix = await client.dispense("matrix")
            assert await matrix.call("Echo", b"x") == b"x"
            assert await matrix.call_back(b"x") == b"x"
            assert await matrix.offered(b"x") == b"x"
            start = time.monotonic()
        return client.id, time.monotonic() - start


@contextlib.contextmanager
def blocking_host_launches(go: GoPeers) -> Iterator[Subject]:
    yield BlockingLaunches(go)


@contextlib.contextmanager
def asyncio_host_launches(go: GoPeers) -> Iterator[Subject]:
    with asyncio.Runner() as runner:
        yield AsyncioLaunches(go, runner)


# --- one plugin of ours, which stays ---------------------------------------------------------------------------------


class Dials:
    """A brokered connection each way, between a host and a plugin that stay."""

    def __init__(self, host: MatrixHost) -> None:
        self._host = host

    def run(self) -> None:
        try:
            assert self._host.call("callback", text="x") == "x"
            assert self._host.call("offered", text="x") == "x"
        except HostError as error:
            raise RunError(str(error)) from error

    def counts(self) -> Counts:
        """The plugin's."""
        return process_counts(self._host.plugin_pid)


@contextlib.contextmanager
def dials(go: GoPeers, runtime: str, *options: str) -> Iterator[Subject]:
    with GoMatrixHost(go.matrixhost, _our_plugin(runtime), options) as host:
        yield Dials(host)


SUBJECTS: dict[str, OpenSubject] = {
    "launches: Go host, blocking plugin": lambda go: go_host_launches(go, _our_plugin("sync")),
    "launches: Go host, asyncio plugin": lambda go: go_host_launches(go, _our_plugin("aio")),
    "launches: blocking host, Go plugin": blocking_host_launches,
    "launches: asyncio host, Go plugin": asyncio_host_launches,
    "dials: Go host, blocking plugin": lambda go: dials(go, "sync", "automtls", "multiplex"),
    "dials: Go host, asyncio plugin": lambda go: dials(go, "aio", "automtls", "multiplex"),
    "dials: Go host, blocking plugin, plain": lambda go: dials(go, "sync"),
    "dials: Go host, asyncio plugin, plain": lambda go: dials(go, "aio"),
}
