"""Two sessions that are connected, and their streams, as protocols and as asyncio's readers and writers."""
from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

from goplugin.core import yamux
from goplugin.mux import Session

__all__ = [
    "SECONDS", "WINDOW",
    "ByHand", "Recorder", "Streams",
    "accept_streams", "by_hand", "connected", "open_streams", "run", "until",
]

SECONDS = 20.0
"""When a test gives up on what must happen."""

WINDOW = yamux.INITIAL_WINDOW
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def in_time() -> None:
        asyncio.get_running_loop().set_debug(True)
        async with asyncio.timeout(SECONDS):
            await test()

    asyncio.run(in_time())


async def until(condition: Callable[[], object]) -> None:
    """For what no event tells of."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.001)


@contextlib.asynccontextmanager
async def connected() -> AsyncIterator[tuple[Session, Session]]:
    """A client's session and a server's."""
    loop = asyncio.get_running_loop()
    near, far = socket.socketpair()
    _, client = await loop.create_connection(lambda: Session(client=True), sock=near)
    _, server = await loop.create_connection(lambda: Session(client=False), sock=far)
    try:
        yield client, server
    finally:
        for session in (client, server):
            session.abort()
            await session.wait_closed()


class ByHand:
    """A peer played by hand: a machine on a socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.machine = yamux.Session(client=False)
        self.writer = writer
        self._reader = reader

    def send(self, data: bytes = b"") -> None:
        """What the machine has to send, or these octets."""
        self.writer.write(data or self.machine.data_to_send())

    async def receive(self) -> yamux.Event:
        """The next event."""
        while (event := self.machine.next_event()) is None:
            data = await self._reader.read(65536)
            if data:
                self.machine.receive_data(data)
            else:
                self.machine.receive_eof()
        return event


@contextlib.asynccontextmanager
async def by_hand() -> AsyncIterator[tuple[Session, ByHand]]:
    """A client's session, and the server at its other end."""
    near, far = socket.socketpair()
    peer = ByHand(*await asyncio.open_connection(sock=far))
    _, session = await asyncio.get_running_loop().create_connection(lambda: Session(client=True), sock=near)
    try:
        yield session, peer
    finally:
        session.abort()
        await session.wait_closed()
        peer.writer.transport.abort()
        with contextlib.suppress(OSError):
            await peer.writer.wait_closed()


class Recorder(asyncio.Protocol):
    """What a transport calls, in its order. `keeps_open`: what it answers to the end of the peer's direction."""

    def __init__(self, *, keeps_open: bool = False) -> None:
        self.calls: list[str] = []
        self.data = b""
        self.transport: asyncio.Transport
        self.lost: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
        self._keeps_open = keeps_open

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.calls.append("made")
        self.transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self.calls.append("data")
        self.data += data

    def eof_received(self) -> bool:
        self.calls.append("eof")
        return self._keeps_open

    def pause_writing(self) -> None:
        self.calls.append("pause")

    def resume_writing(self) -> None:
        self.calls.append("resume")

    def connection_lost(self, exc: Exception | None) -> None:
        self.calls.append("lost")
        self.lost.set_result(exc)


def open_streams(session: Session) -> Streams:
    reader = asyncio.StreamReader()
    transport, protocol = session.open(lambda: asyncio.StreamReaderProtocol(reader))
    return reader, asyncio.StreamWriter(transport, protocol, reader, asyncio.get_running_loop())


async def accept_streams(session: Session) -> Streams:
    reader = asyncio.StreamReader()
    transport, protocol = await session.accept(lambda: asyncio.StreamReaderProtocol(reader))
    return reader, asyncio.StreamWriter(transport, protocol, reader, asyncio.get_running_loop())
