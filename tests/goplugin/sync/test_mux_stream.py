"""A stream of a session has to be what a socket's stream is: test_stream.py, once more, and what is its own."""
from __future__ import annotations

import contextlib
import time

import pytest

from goplugin.core.yamux import StreamFinished, StreamOpened, StreamReset
from goplugin.sync.stream import NOW, READ_SIZE, TICK

from .mux_support import WINDOW, by_hand, connected, read_exactly, streams, write_all
from .support import SECONDS, background, wait_until


def test_what_the_peer_sends_is_received() -> None:
    with streams() as (ours, theirs):
        theirs.send(b"hello", NOW)
        assert ours.recv(READ_SIZE) == b"hello"


def test_a_piece_may_be_received_in_parts() -> None:
    with streams() as (ours, theirs):
        theirs.send(b"hello", NOW)
        assert ours.recv(2) == b"he"
        assert ours.recv(3) == b"llo"


def test_the_end_is_empty() -> None:
    with streams() as (ours, theirs):
        theirs.send(b"hello", NOW)
        theirs.close()
        assert read_exactly(ours, 5) == b"hello"
        for _ in range(2):
            assert ours.recv(READ_SIZE) == b""


def test_nothing_comes_for_a_tick() -> None:
    with streams() as (ours, _):
        began = time.monotonic()
        with pytest.raises(BlockingIOError):
            ours.recv(READ_SIZE)
        assert TICK * 0.5 < time.monotonic() - began < TICK * 10


def test_nothing_is_there_now() -> None:
    with streams() as (ours, _):
        began = time.monotonic()
        with pytest.raises(BlockingIOError):
            ours.recv(READ_SIZE, NOW)
        assert time.monotonic() - began < TICK / 2


def test_without_ticks_receiving_takes_as_long_as_it_takes() -> None:
    with streams(ticks=False) as (ours, theirs):
        thread = background(ours.recv, READ_SIZE)
        time.sleep(TICK * 1.5)
        theirs.send(b"late", NOW)
        assert thread.result() == b"late"


def test_sending_never_blocks() -> None:
    with streams() as (ours, _):
        sent = 0
        with contextlib.suppress(BlockingIOError):
            while piece := ours.send(bytes(READ_SIZE), NOW):
                sent += piece
        assert 0 < sent <= WINDOW
        assert ours.send(b"", NOW) == 0


def test_sending_to_nobody_is_an_error() -> None:
    with by_hand() as (session, peer):
        stream = session.open()
        assert peer.receive() == StreamOpened(1)
        peer.machine.send_reset(1)
        peer.send()
        with pytest.raises(ConnectionResetError, match="the peer has reset the stream"):
            read_exactly(stream, 1)
        with pytest.raises(BrokenPipeError, match="the peer has reset the stream"):
            stream.send(b"hello", NOW)


def test_waiting_ends_when_there_is_something_to_read() -> None:
    with streams() as (ours, theirs):
        thread = background(ours.wait, reading=True, writing=False, timeout=100.0)
        theirs.send(b"hello", NOW)
        thread.result()


def test_waiting_ends_when_there_is_room_to_write() -> None:
    with streams() as (ours, theirs):
        ours.wait(reading=True, writing=True, timeout=100.0)
        write_all(ours, bytes(WINDOW))
        with pytest.raises(BlockingIOError):
            ours.send(b"x", NOW)
        thread = background(write_all, ours, b"x")      # which waits for as long as it takes
        assert read_exactly(theirs, WINDOW + 1)[-1:] == b"x"
        thread.result()


def test_waiting_ends_when_the_connection_takes_more() -> None:
    with by_hand() as (session, peer):
        stream = session.open()
        while not session.full:
            session.open().send(bytes(WINDOW), NOW)
        with pytest.raises(BlockingIOError):
            stream.send(b"x", NOW)
        thread = background(stream.wait, reading=False, writing=True, timeout=100.0)
        peer.socket.settimeout(0.01)
        while session.full:
            with contextlib.suppress(TimeoutError):
                peer.receive()
        thread.result()
        assert stream.send(b"x", NOW) == 1


def test_waiting_ends_with_the_time() -> None:
    with streams() as (ours, _):
        began = time.monotonic()
        ours.wait(reading=True, writing=False, timeout=0.02)
        ours.wait(reading=True, writing=False, timeout=-1.0)
        assert 0.015 < time.monotonic() - began < 1.0


def test_shutting_down_wakes_who_receives() -> None:
    with streams(ticks=False) as (ours, theirs):
        thread = background(ours.recv, READ_SIZE)
        ours.shut_down()
        ours.shut_down()
        assert thread.result() == b""
        assert theirs.recv(1) == b""


def test_a_closed_stream_takes_nothing_more() -> None:
    with streams() as (ours, _):
        ours.close()
        ours.close()
        ours.shut_down()
        ours.wait(reading=True, writing=True, timeout=100.0)
        with pytest.raises(BrokenPipeError, match="the stream is closed"):
            ours.send(b"hello", NOW)


def test_closing_ends_our_direction_and_drops_the_other() -> None:
    with by_hand() as (session, peer):
        stream = session.open()
        stream.close()
        assert [peer.receive(), peer.receive()] == [StreamOpened(1), StreamFinished(1)]
        peer.machine.send_accept(1)
        peer.machine.send_data(1, bytes(WINDOW // 2 + 1))
        peer.send()
        assert peer.receive() == StreamReset(1)
        assert not stream.inbox


def test_a_stream_that_nobody_reads_holds_up_its_peer_and_nobody_else() -> None:
    with connected() as (client, server):
        stuck, other = client.open(), client.open()
        unread, far = server.accept(SECONDS), server.accept(SECONDS)
        write_all(stuck, bytes(WINDOW))
        with pytest.raises(BlockingIOError):
            stuck.send(b"x", NOW)
        writing = background(write_all, other, bytes(4 * WINDOW))
        read_exactly(far, 4 * WINDOW)
        writing.result()
        assert sum(map(len, unread.inbox)) == WINDOW


def test_what_came_before_the_session_ended_is_still_read() -> None:
    with by_hand() as (session, peer):
        stream = session.open()
        assert peer.receive() == StreamOpened(1)
        peer.machine.send_accept(1)
        peer.machine.send_data(1, b"last words")
        peer.send()
        peer.socket.close()
        wait_until(lambda: stream.failure)
        assert stream.recv(5) == b"last "
        assert stream.recv(5, NOW) == b"words"
        with pytest.raises(ConnectionResetError, match="the peer has closed the connection"):
            stream.recv(5)


@pytest.mark.parametrize("size", [1, 65_537, 3 * WINDOW + 1, 16 * WINDOW])
def test_every_octet_arrives_in_order(size: int) -> None:
    data = bytes(range(251)) * (size // 251 + 1)
    with streams() as (ours, theirs):
        writing = [background(write_all, ours, data), background(write_all, theirs, data[::-1])]
        reading = background(read_exactly, ours, len(data))
        assert read_exactly(theirs, len(data)) == data
        assert reading.result() == data[::-1]
        for thread in writing:
            thread.result()
