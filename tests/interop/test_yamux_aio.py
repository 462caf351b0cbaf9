"""Our asyncio yamux sessions, and hashicorp's in a Go process."""
from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from goplugin.mux import Session
from tests.goplugin.mux_support import Streams, accept_streams, open_streams

from .gopeers import GoPeers
from .yamux_peer import YamuxPeer, connected

pytestmark = pytest.mark.go

WINDOW = 256 * 1024
MEBIBYTE = 1 << 20
SECONDS = 20.0

Ends = Callable[[], contextlib.AbstractAsyncContextManager[tuple[Session, YamuxPeer]]]


@pytest.fixture(params=["client", "server"])
def ends(go: GoPeers, request: pytest.FixtureRequest) -> Ends:
    """Our session, and Go's, which is the client or the server."""
    return lambda: _ends(go.yamuxpeer, request.param)


@contextlib.asynccontextmanager
async def _ends(program: Path, role: str) -> AsyncIterator[tuple[Session, YamuxPeer]]:
    with connected(program, role) as (peer, connection):
        loop = asyncio.get_running_loop()
        _, session = await loop.create_unix_connection(lambda: Session(client=role == "server"), sock=connection)
        try:
            yield session, peer
        finally:
            session.close()
            await session.wait_closed()


def run(test: Awaitable[None]) -> None:
    async def in_time() -> None:
        async with asyncio.timeout(SECONDS):
            await test

    asyncio.run(in_time())


async def ask(peer: YamuxPeer, command: str) -> str:
    return await asyncio.to_thread(peer.ask, command)


async def exchange(session: Session, data: bytes) -> None:
    """Send this on a stream of our own, and get it back."""
    reader, writer = open_streams(session)

    async def write() -> None:
        writer.write(data)
        await writer.drain()
        writer.write_eof()

    writing = asyncio.create_task(write())
    assert await reader.read() == data
    await writing
    writer.close()
    await writer.wait_closed()


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize(("count", "size"), [(1, 5), (20, 3 * WINDOW), (3, 8 * MEBIBYTE)])
def test_go_echoes_our_streams(ends: Ends, count: int, size: int) -> None:
    async def test() -> None:
        async with ends() as (session, peer):
            await asyncio.gather(*(exchange(session, bytes((97 + number,)) * size) for number in range(count)))
            assert await ask(peer, "streams") == "ok 0"
            assert not session._streams
            assert not session.machine._streams

    run(test())


@pytest.mark.parametrize(("count", "size"), [(1, 5), (20, 3 * WINDOW), (3, 8 * MEBIBYTE)])
def test_we_echo_the_streams_of_go(ends: Ends, count: int, size: int) -> None:
    async def test() -> None:
        async with ends() as (session, peer):
            answer = asyncio.create_task(ask(peer, f"exchange {count} {size}"))
            streams: list[Streams] = [await accept_streams(session) for _ in range(count)]
            await asyncio.gather(*(echo(*pair) for pair in streams))
            assert await answer == "ok"
            assert not session._streams

    run(test())


def test_who_has_closed_still_reads(ends: Ends) -> None:
    async def test() -> None:
        async with ends() as (session, peer):
            answer = asyncio.create_task(ask(peer, "greet"))
            reader, writer = await accept_streams(session)
            assert await reader.read() == b"hello"
            writer.write(b"you have closed and read this")
            writer.close()
            assert await answer == "ok you have closed and read this"

    run(test())


def test_a_stream_that_go_does_not_read_holds_us_up(ends: Ends) -> None:
    async def test() -> None:
        async with ends() as (session, peer):
            assert await ask(peer, "hold") == "ok"
            reader, writer = open_streams(session)
            data = bytes(4 * WINDOW)
            writer.write(data)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await writer.drain()
            assert writer.transport.get_write_buffer_size() == 3 * WINDOW
            assert await ask(peer, "ping") == "ok"

            assert await ask(peer, "release") == "ok"
            assert await reader.readexactly(len(data)) == data
            await writer.drain()
            writer.close()

    run(test())


def test_a_stream_that_we_do_not_read_holds_go_up(ends: Ends) -> None:
    async def test() -> None:
        async with ends() as (session, peer):
            assert await ask(peer, "fill") == f"ok {WINDOW}"
            reader, writer = await accept_streams(session)
            assert len(await reader.read()) == WINDOW
            writer.close()

    run(test())


def test_a_ping_of_go_is_answered(ends: Ends) -> None:
    async def test() -> None:
        async with ends() as (_, peer):
            assert await ask(peer, "ping") == "ok"

    run(test())


def test_go_keeps_away_from_us_and_we_from_go(ends: Ends) -> None:
    async def test() -> None:
        async with ends() as (session, peer):
            reader, writer = open_streams(session)
            session.go_away()
            assert await ask(peer, "ping") == "ok"
            assert await ask(peer, "open") == "error remote end is not accepting connections"

            assert await ask(peer, "goaway") == "ok"
            writer.write(b"still open")
            assert await reader.readexactly(10) == b"still open"
            with pytest.raises(ConnectionError, match="the peer takes no more streams"):
                open_streams(session)
            writer.close()

    run(test())


def test_streams_end_when_go_ends_the_session(ends: Ends) -> None:
    async def test() -> None:
        async with ends() as (session, peer):
            reader, _ = open_streams(session)
            accepting = asyncio.create_task(accept_streams(session))
            assert await ask(peer, "quit") == "ok"
            with pytest.raises(ConnectionResetError, match="the peer has closed the connection"):
                await reader.read()
            with pytest.raises(ConnectionResetError, match="the peer has closed the connection"):
                await accepting
            await session.wait_closed()

    run(test())
