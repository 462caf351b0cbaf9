"""Plugins of the tests, launched as real processes, and a look at what they leave behind."""
from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import io
import os
import select
import sys
import tempfile
import textwrap
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, ParamSpec

from goplugin import Client, ClientConfig, GRPCClient, GRPCPlugin
from goplugin.grpc import Channel, unary_stream, unary_unary

from .plugins.contract import ASYNC_PATH, ECHO_PATH, HANDSHAKE, RUN_PATH, STREAM_PATH, Text

__all__ = [
    "PLUGINS",
    "PROBE",
    "SECONDS",
    "Probe",
    "ProbePlugin",
    "Sink",
    "asynchronous",
    "has_ended",
    "nothing_left_behind",
    "probe_config",
    "python",
    "running_probe",
    "sh",
    "wait_for_exit",
    "wait_until",
]

PLUGINS = Path(__file__).parent / "plugins"
PROBE = (sys.executable, "-m", "goplugin", "run", str(PLUGINS / "probe.py"))
SECONDS = 20.0
"""When a test gives up on what must happen; nothing lasts that long unless it is broken."""

P = ParamSpec("P")


def python(source: str) -> tuple[str, ...]:
    """A command that runs `source`."""
    return (sys.executable, "-c", textwrap.dedent(source))


def sh(source: str) -> tuple[str, ...]:
    """A command that runs `source` in the shell, which starts in no time."""
    return ("/bin/sh", "-c", source)


# --- the probe ---------------------------------------------------------------------------------------------------


class Probe:
    """The plugin `probe`, as its host sees it: it runs the function bodies that a test sends."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel

    async def echo(self, text: str) -> str:
        return (await unary_unary(self.channel, ECHO_PATH, Text(text), Text)).text

    async def run(self, body: str, *, timeout: float | None = None) -> str:
        """What a plain handler with this body returns, as text."""
        return (await unary_unary(self.channel, RUN_PATH, Text(body), Text, timeout=timeout)).text

    async def run_async(self, body: str, *, timeout: float | None = None) -> str:
        """The same of an async handler."""
        return (await unary_unary(self.channel, ASYNC_PATH, Text(body), Text, timeout=timeout)).text

    async def stream(self, body: str, receive: Callable[[str], None] | None = None) -> list[str]:
        """What a plain handler that streams yields."""
        replies: list[str] = []
        take = receive or replies.append
        await unary_stream(self.channel, STREAM_PATH, Text(body), Text, lambda reply: take(reply.text))
        return replies


class ProbePlugin(GRPCPlugin):
    def grpc_client(self, client: GRPCClient) -> Probe:
        return Probe(client.channel)


def probe_config(**changes: Any) -> ClientConfig:
    return ClientConfig(**{"handshake": HANDSHAKE, "command": PROBE, "plugins": {"probe": ProbePlugin()}} | changes)


@contextlib.asynccontextmanager
async def running_probe(**changes: Any) -> AsyncIterator[tuple[Client, Probe]]:
    async with Client(probe_config(**changes)) as client:
        probe = await client.dispense("probe")
        assert isinstance(probe, Probe)
        yield client, probe


# --- waiting -----------------------------------------------------------------------------------------------------


class Sink(io.BytesIO):
    """A binary file that can be waited on, from whatever thread it is written."""

    def __init__(self) -> None:
        super().__init__()
        self._changed = threading.Condition()

    def write(self, data: Any) -> int:
        with self._changed:
            self._changed.notify_all()
            return super().write(data)

    def wait(self, *texts: str) -> None:
        """Return when all `texts` have been written."""
        wanted = [text.encode() for text in texts]
        with self._changed:
            found = self._changed.wait_for(lambda: all(text in self.getvalue() for text in wanted), SECONDS)
        assert found, f"{texts} not in {self.getvalue()[-1000:]!r}"

    async def wait_for(self, *texts: str) -> None:
        """The same for an async test."""
        await asyncio.to_thread(self.wait, *texts)

    @property
    def text(self) -> str:
        return self.getvalue().decode()


async def wait_until(condition: Callable[[], bool]) -> None:
    """For what no event tells of."""
    async with asyncio.timeout(SECONDS):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


def wait_for_exit(pid: int, seconds: float = SECONDS) -> bool:
    """Wait until the process has ended, reaped or not; False if that takes longer than `seconds`."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], seconds)[0])
    finally:
        os.close(descriptor)


def has_ended(pid: int) -> bool:
    return wait_for_exit(pid, 0.0)


# --- leftovers ---------------------------------------------------------------------------------------------------


def left_behind() -> set[str]:
    """Sockets, child processes and threads that plugins of this process have left so far."""
    sockets = {str(path) for path in Path(tempfile.gettempdir()).rglob("plugin*") if path.is_socket()}
    children: set[str] = set()
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # a thread that has ended meanwhile
            children.update((task / "children").read_text().split())
    return sockets | {f"process {pid}" for pid in children} | {f"thread {thread.name}" for thread in threads()}


def threads() -> list[threading.Thread]:
    """All but the one that looks after idle channels, which sees late that there are none any more."""
    return [thread for thread in threading.enumerate() if thread.name != "goplugin-watcher"]


@contextlib.contextmanager
def nothing_left_behind() -> Iterator[None]:
    """A context whose body leaves nothing of the kind."""
    before = left_behind()
    yield
    for thread in threads():
        if f"thread {thread.name}" not in before:
            thread.join(1.0)  # it may still be at its very last statement
    left = left_behind() - before
    assert not left, left


def asynchronous(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Runs an async test in a loop of its own, and sees that it leaves nothing behind."""

    async def body(*args: P.args, **kwargs: P.kwargs) -> None:
        complaints: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, complaint: complaints.append(complaint))
        async with asyncio.timeout(SECONDS * 2):
            await test(*args, **kwargs)
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        assert not tasks, tasks
        gc.collect()  # asyncio complains of what nobody has looked at when it is collected
        assert not complaints, complaints

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with nothing_left_behind():
            asyncio.run(body(*args, **kwargs))

    return run
