"""Our blocking yamux sessions, and hashicorp's in a Go process."""
from __future__ import annotations

from collections.abc import Iterator

import pytest

from goplugin.sync.mux import Session
from goplugin.sync.mux_stream import MuxStream
from goplugin.sync.stream import NOW, SocketStream
from tests.goplugin.sync.support import Background, background, wait_until

from .gopeers import GoPeers
from .yamux_peer import YamuxPeer, connected

pytestmark = pytest.mark.go

WINDOW = 256 * 1024
MEBIBYTE = 1 << 20


@pytest.fixture(params=["client", "server"])
def ends(go: GoPeers, request: pytest.FixtureRequest) -> Iterator[tuple[Session, YamuxPeer]]:
    """Our session, and Go's, which is the client or the server."""
    with connected(go.yamuxpeer, request.param) as (peer, connection):
        session = Session(SocketStream(connection), client=request.param == "server")
        try:
            yield session, peer
        finally:
            session.close()


def write_all(stream: MuxStream, data: bytes) -> None:
    view = memoryview(data)
    while view:
        try:
            view = view[stream.send(view, NOW) :]
        except BlockingIOError:
            stream.wait(reading=False, writing=True, timeout=10.0)


def read_exactly(stream: MuxStream, size: int) -> bytes:
    pieces: list[bytes] = []
    while size:
        piece = stream.recv(size)
        assert piece
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def read_all(stream: MuxStream) -> bytes:
    return b"".join(iter(lambda: stream.recv(65536), b""))


def echo(stream: MuxStream) -> None:
    while data := stream.recv(65536):
        write_all(stream, data)
    stream.close()


def exchange(session: Session, data: bytes) -> None:
    """Send this on a stream of our own, and get it back."""
    stream = session.open(ticks=False)
    writing = background(write_all, stream, data)
    assert read_exactly(stream, len(data)) == data
    writing.result()
    stream.close()


@pytest.mark.parametrize(("count", "size"), [(1, 5), (20, 3 * WINDOW), (3, 8 * MEBIBYTE)])
def test_go_echoes_our_streams(ends: tuple[Session, YamuxPeer], count: int, size: int) -> None:
    session, peer = ends
    exchanges = [background(exchange, session, bytes((97 + number,)) * size) for number in range(count)]
    for thread in exchanges:
        thread.result()

    while peer.ask("streams") != "ok 0":    # Go closes its end when it has seen ours
        pass
    wait_until(lambda: not session._machine._streams)
    assert not session._streams


@pytest.mark.parametrize(("count", "size"), [(1, 5), (20, 3 * WINDOW), (3, 8 * MEBIBYTE)])
def test_we_echo_the_streams_of_go(ends: tuple[Session, YamuxPeer], count: int, size: int) -> None:
    session, peer = ends
    peer.tell(f"exchange {count} {size}")
    echoes = [background(echo, session.accept(20.0)) for _ in range(count)]

    assert peer.answer() == "ok"
    for thread in echoes:
        thread.result()
    assert peer.ask("streams") == "ok 0"
    wait_until(lambda: not session._machine._streams)


def test_who_has_closed_still_reads(ends: tuple[Session, YamuxPeer]) -> None:
    session, peer = ends
    peer.tell("greet")
    stream = session.accept(20.0)
    assert read_all(stream) == b"hello"
    write_all(stream, b"you have closed and read this")
    stream.close()

    assert peer.answer() == "ok you have closed and read this"


def test_a_stream_that_go_does_not_read_holds_us_up(ends: tuple[Session, YamuxPeer]) -> None:
    session, peer = ends
    assert peer.ask("hold") == "ok"
    stream = session.open(ticks=False)
    view = memoryview(bytes(4 * WINDOW))
    sent = 0
    while not stream.blocked:
        try:
            sent += stream.send(view[sent:], NOW)
        except BlockingIOError:
            stream.wait(reading=False, writing=True, timeout=10.0)
    assert sent == WINDOW

    exchange_on_another = background(peer.ask, "ping")
    assert exchange_on_another.result() == "ok"
    assert peer.ask("release") == "ok"
    writing = background(write_all, stream, view[sent:])
    assert read_exactly(stream, len(view)) == view
    writing.result()
    stream.close()


def test_a_stream_that_we_do_not_read_holds_go_up(ends: tuple[Session, YamuxPeer]) -> None:
    session, peer = ends
    assert peer.ask("fill") == f"ok {WINDOW}"
    stream = session.accept(20.0)
    assert len(read_exactly(stream, WINDOW)) == WINDOW
    assert read_all(stream) == b""
    stream.close()


def test_a_ping_of_go_is_answered_whatever_we_do(ends: tuple[Session, YamuxPeer]) -> None:
    _, peer = ends
    for _ in range(3):
        assert peer.ask("ping") == "ok"


def test_go_keeps_away_from_us_and_we_from_go(ends: tuple[Session, YamuxPeer]) -> None:
    session, peer = ends
    stream = session.open(ticks=False)
    exchange(session, b"hello")
    session.go_away()
    assert peer.ask("ping") == "ok"
    assert peer.ask("open") == "error remote end is not accepting connections"

    assert peer.ask("goaway") == "ok"
    write_all(stream, b"still open")
    assert read_exactly(stream, 10) == b"still open"
    with pytest.raises(ConnectionError, match="the peer takes no more streams"):
        session.open()
    stream.close()


def test_streams_end_when_go_ends_the_session(ends: tuple[Session, YamuxPeer]) -> None:
    session, peer = ends
    stream = session.open(ticks=False)
    reading = background(stream.recv, 100)
    accepting = background(session.accept)
    assert peer.ask("quit") == "ok"

    for thread in (reading, accepting):
        with pytest.raises(ConnectionResetError, match="the peer has closed the connection"):
            thread.result()
    with pytest.raises(ConnectionResetError, match="the peer has closed the connection"):
        session.open()


def test_go_notices_when_we_end_the_session(ends: tuple[Session, YamuxPeer]) -> None:
    session, peer = ends
    peer.tell("greet")
    session.accept(20.0)
    session.close()

    assert peer.answer() in ("ok", "error session shutdown")


def test_many_streams_come_and_go(ends: tuple[Session, YamuxPeer]) -> None:
    session, peer = ends

    def exchange_often() -> None:
        for number in range(200):
            exchange(session, b"%d" % number)

    threads: list[Background] = [background(exchange_often) for _ in range(3)]
    for thread in threads:
        thread.result()
    assert peer.ask("ping") == "ok"
