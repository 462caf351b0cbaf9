"""Both stacks, ours and grpclib's, in every pairing; a service whose methods a test writes; and a wire to cut."""
from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import grpclib.client
import grpclib.server
import pytest

from goplugin import aio
from goplugin.core.http2 import ClientConnection, Event, Limits, ServerConnection

from .probe.probe_grpc import ProbeBase, ProbeStub
from .probe.probe_pb2 import Note

__all__ = [
    "BIDI_STREAM", "OURS", "PAIRINGS", "SERVER_STREAM", "UNARY",
    "Ends", "Note", "Pairing", "Peer", "Probe", "ProbeStub", "Relay", "Stack",
    "connected", "every_pairing", "path_of", "serve_by_hand", "socket_path", "turns_until",
]

UNARY = "/goplugin.tests.aio.Probe/Unary"
SERVER_STREAM = "/goplugin.tests.aio.Probe/ServerStream"
BIDI_STREAM = "/goplugin.tests.aio.Probe/BidiStream"

Method = Callable[[Any], Awaitable[None]]


class Stack(NamedTuple):
    name: str
    channel: Callable[..., grpclib.client.Channel]
    server: Callable[..., grpclib.server.Server]

    def __str__(self) -> str:
        return self.name


class Pairing(NamedTuple):
    client: Stack
    server: Stack

    def __str__(self) -> str:
        return f"{self.client}-to-{self.server}"


STACKS = [Stack("ours", aio.Channel, aio.Server), Stack("grpclib", grpclib.client.Channel, grpclib.server.Server)]
PAIRINGS = [Pairing(client, server) for client in STACKS for server in STACKS]
OURS = PAIRINGS[0]
every_pairing = pytest.mark.parametrize("pairing", PAIRINGS, ids=str)


class Probe(ProbeBase):
    """The generated service with the methods that a test gives it."""

    def __init__(
        self,
        unary: Method | None = None,
        server_stream: Method | None = None,
        client_stream: Method | None = None,
        bidi_stream: Method | None = None,
    ) -> None:
        self._methods = (unary, server_stream, client_stream, bidi_stream)

    async def Unary(self, stream: Any) -> None:
        await self._call(0, stream)

    async def ServerStream(self, stream: Any) -> None:
        await self._call(1, stream)

    async def ClientStream(self, stream: Any) -> None:
        await self._call(2, stream)

    async def BidiStream(self, stream: Any) -> None:
        await self._call(3, stream)

    async def _call(self, index: int, stream: Any) -> None:
        method = self._methods[index]
        assert method is not None
        await method(stream)


class Ends(NamedTuple):
    """Both ends of a connection that is about to be made."""

    channel: Any
    server: Any
    stub: ProbeStub


def socket_path() -> str:
    """A path for a unix socket, that nobody else has."""
    return str(Path(tempfile.mkdtemp()) / "socket")


@contextlib.asynccontextmanager
async def connected(
    pairing: Pairing,
    service: Probe | None = None,
    *,
    server_options: dict[str, Any] | None = None,
    channel_options: dict[str, Any] | None = None,
    through: Relay | None = None,
) -> AsyncIterator[Ends]:
    """A server of `service` and a channel to it on a unix socket, or `through` a relay; all closed at the end."""
    path = socket_path()
    server = pairing.server.server([service or Probe()], **server_options or {})
    await server.start(path=path)
    async with contextlib.AsyncExitStack() as relay:
        if through is not None:
            path = await relay.enter_async_context(through.to(path))
        channel = pairing.client.channel(path=path, **channel_options or {})
        try:
            yield Ends(channel, server, ProbeStub(channel))
        finally:
            channel.close()
            server.close()
            await server.wait_closed()


class Relay:
    """A wire between client and server that can be cut. `connections` counts those that were made through it."""

    def __init__(self) -> None:
        self.connections = 0
        self._writers: list[asyncio.StreamWriter] = []
        self._pumps: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def to(self, path: str) -> AsyncIterator[str]:
        """Relay to this path; gives the path to connect to."""

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.connections += 1
            far_reader, far_writer = await asyncio.open_unix_connection(path)
            self._writers += writer, far_writer
            for source, target in ((reader, far_writer), (far_reader, writer)):
                task = asyncio.create_task(self._pump(source, target))
                self._pumps.add(task)
                task.add_done_callback(self._pumps.discard)

        own = socket_path()
        server = await asyncio.start_unix_server(accept, own)
        try:
            yield own
        finally:
            server.close()
            self.cut()
            while self._pumps:
                await asyncio.wait(self._pumps)

    def cut(self) -> None:
        """Abort all connections, at both ends."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                target.write(data)
                await target.drain()
        target.close()


EventT = TypeVar("EventT", bound=Event)


async def turns_until(condition: Callable[[], bool]) -> None:
    """Let the loop turn until this is true."""
    while not condition():  # noqa: ASYNC110 - for what no event tells of, to the very turn
        await asyncio.sleep(0)


def path_of(server: Any) -> str:
    """Where a server listens that was started on a path."""
    return server._server.sockets[0].getsockname()


class Peer:
    """A peer played by hand: its machine, and bytes from and to a socket."""

    def __init__(
        self, machine: Any, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.machine = machine
        self._reader = reader
        self.writer = writer

    @classmethod
    async def connect(cls, path: str) -> Peer:
        return cls(ClientConnection(), *await asyncio.open_unix_connection(path))

    def send(self) -> None:
        """Write what the machine has been told to send."""
        self.writer.write(self.machine.data_to_send())

    async def receive(self, kind: type[EventT]) -> EventT:
        """The next event of this kind; others before it are dropped."""
        self.send()
        while True:
            while (event := self.machine.next_event()) is not None:
                if isinstance(event, kind):
                    return event
            data = await self._reader.read(65536)
            if data:
                self.machine.receive_data(data)
            else:
                self.machine.receive_eof()
            self.send()

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


@contextlib.asynccontextmanager
async def serve_by_hand(
    *scripts: Callable[[Peer], Awaitable[None]], limits: Limits | None = None
) -> AsyncIterator[str]:
    """A server that plays one script for each connection, in their order; gives its path. All have to be played."""
    path = socket_path()
    left = list(scripts)
    plays: list[asyncio.Task[None]] = []

    async def play(script: Callable[[Peer], Awaitable[None]], peer: Peer) -> None:
        try:
            await script(peer)
        finally:
            await peer.close()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        machine = ServerConnection(unary_paths={UNARY}, limits=limits)
        plays.append(asyncio.create_task(play(left.pop(0), Peer(machine, reader, writer))))

    server = await asyncio.start_unix_server(accept, path)
    try:
        yield path
        assert left == []
        await asyncio.gather(*plays)
    finally:
        server.close()
        for task in plays:
            task.cancel()
        if plays:
            await asyncio.wait(plays)
