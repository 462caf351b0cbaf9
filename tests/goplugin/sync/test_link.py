from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import pytest

from goplugin.core.errors import LocalProtocolError
from goplugin.core.http2 import (
    ClientConnection,
    ConnectionEnded,
    GoingAway,
    PingAcknowledged,
    ServerConnection,
    SettingsChanged,
    UnaryRequest,
    UnaryResponse,
)
from goplugin.sync.link import Link
from goplugin.sync.stream import SocketStream

from .support import MEBIBYTE, UNARY, ByHand, background, wait_until


@contextlib.contextmanager
def linked() -> Iterator[tuple[Link[ClientConnection], ByHand]]:
    """A client's link, which has introduced itself, and the server at its other end, which has too."""
    near, far = socket.socketpair()
    with near, far:
        link = Link(ClientConnection(), SocketStream(near))
        peer = ByHand(ServerConnection(unary_paths=[UNARY]), far)
        link.flush()
        peer.receive(SettingsChanged)
        assert link.receive()
        assert isinstance(link.take()[0], SettingsChanged)
        link.flush()
        yield link, peer


def test_a_step_of_the_machine_is_written() -> None:
    with linked() as (link, peer):
        assert link.do(link.machine.send_unary_request, UNARY, b"hello") == 1
        assert peer.receive(UnaryRequest).message == b"hello"
        assert not link.busy


def test_an_impossible_step_leaves_everything_as_it_was() -> None:
    with linked() as (link, peer):
        with pytest.raises(LocalProtocolError):
            link.do(link.machine.send_unary_request, "no path", b"hello")
        assert not link.busy
        link.do(link.machine.send_unary_request, UNARY, b"hello")
        assert peer.receive(UnaryRequest).message == b"hello"


def test_what_was_received_is_taken_and_answered() -> None:
    with linked() as (link, peer):
        peer.machine.send_ping(b"12345678")
        peer.send()
        assert link.receive()
        assert link.take() == []
        assert link.busy, "the answer is not written yet"
        link.flush()
        assert peer.receive(PingAcknowledged).payload == b"12345678"


def test_nothing_is_received_in_time() -> None:
    with linked() as (link, _):
        assert not link.receive(0.001)
        assert not link.receive()
        assert not link.look()


def test_the_end_is_received() -> None:
    with linked() as (link, peer):
        peer.socket.close()
        assert link.receive()
        assert link.take() == [ConnectionEnded(True)]
        link.flush()
        assert link.look()
        assert link.take() == []


def test_what_was_received_before_an_exception_is_still_there() -> None:
    with linked() as (link, peer):
        peer.machine.send_ping(b"12345678")
        peer.send()
        assert link.receive()       # and the exception comes before `take`
        assert link.receive()
        link.take()
        link.flush()
        assert peer.receive(PingAcknowledged).payload == b"12345678"


def test_an_exception_from_the_middle_of_the_work_leaves_the_link_busy() -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    with linked() as (link, _):
        with pytest.raises(KeyboardInterrupt):
            link.do(interrupted)
        assert link.busy


def test_a_peer_that_breaks_the_protocol_is_told_so_and_left() -> None:
    with linked() as (link, peer):
        peer.socket.sendall(b"\0\0\0\0\0\0\0\0\2")
        assert link.receive()
        assert link.take() == []
        assert link.failure.startswith("the peer broke the protocol: DATA on stream 2")
        assert peer.receive(GoingAway).error_code == 1
        assert isinstance(peer.receive(ConnectionEnded), ConnectionEnded)


def test_what_cannot_be_written_waits() -> None:
    message = bytes(range(256)) * (2 * MEBIBYTE // 256)
    with linked() as (link, peer):
        link.do(link.machine.send_unary_request, UNARY, message)
        assert link.unsent
        server = background(peer.receive, UnaryRequest)
        link.see_out()

        assert not link.unsent
        assert server.result().message == message


def test_who_reads_writes_what_waits() -> None:
    message = bytes(range(256)) * (2 * MEBIBYTE // 256)
    with linked() as (link, peer):
        link.do(link.machine.send_unary_request, UNARY, message)

        def serve() -> None:
            request = peer.receive(UnaryRequest)
            peer.machine.send_unary_reply(request.stream_id, request.message)
            peer.send()

        server = background(serve)
        events: list[object] = []
        while not events:
            if link.receive():
                events = [event for event in link.take() if isinstance(event, UnaryResponse)]
                link.flush()
        server.result()
        assert events[0].message == message  # type: ignore[attr-defined]


def test_what_waits_is_forgotten_when_the_connection_is_over() -> None:
    with linked() as (link, peer):
        link.do(link.machine.send_unary_request, UNARY, bytes(2 * MEBIBYTE))
        assert link.unsent
        peer.socket.close()
        link.see_out()
        assert not link.unsent


def test_a_peer_that_asks_and_does_not_read_is_left_in_the_end() -> None:
    """Its questions pile up in the machine, which has a limit for them, and not here."""
    with linked() as (link, peer):
        writer = background(_ping_for_ever, peer)
        wait_until(lambda: link.receive() and (link.take(), link.flush()) and link.failure)
        peer.socket.close()
        writer.result()
        assert "asks faster than it reads" in link.failure


def _ping_for_ever(peer: ByHand) -> None:
    with contextlib.suppress(OSError):
        while True:
            for _ in range(1000):
                peer.machine.send_ping()
            peer.socket.sendall(peer.machine.data_to_send())
