"""Who reads for whom."""
from __future__ import annotations

import contextlib
import signal
import threading
import time

import pytest

from goplugin.core.yamux import PingAcknowledged, StreamOpened
from goplugin.sync.mux_stream import MuxStream
from goplugin.sync.stream import NOW, TICK

from .mux_support import YamuxByHand, by_hand, connected, follows, leads, read_exactly, stands_by
from .support import SECONDS, Background, background, wait_until


def answer(peer: YamuxByHand, stream_id: int, data: bytes) -> None:
    peer.machine.send_data(stream_id, data)
    peer.send()


def accept(peer: YamuxByHand, count: int) -> None:
    for number in range(count):
        assert peer.receive() == StreamOpened(2 * number + 1)
        peer.machine.send_accept(2 * number + 1)
    peer.send()


def test_the_session_reads_while_nobody_else_does() -> None:
    with by_hand() as (session, peer):
        wait_until(lambda: stands_by(session._lead))
        for value in range(3):
            peer.machine.send_ping(value)
            peer.send()
            assert peer.receive() == PingAcknowledged(value)


def read_all(stream: MuxStream) -> None:
    """Read to the end of the stream."""
    data = b"."
    while data:
        with contextlib.suppress(BlockingIOError):
            data = stream.recv(100)


def reading(peer: YamuxByHand, *streams: MuxStream) -> list[Background]:
    """Threads that read these streams to their end, of which the first leads and the others follow.

    The stand-by, if it was faster, steps back when it has read something for somebody who waits.
    """
    threads = [background(read_all, stream) for stream in streams]
    while True:
        for thread in threads:
            others = [other for other in threads if other is not thread]
            if leads(thread) and all(follows(other) for other in others):
                return [thread, *others]
        for stream in streams:
            answer(peer, stream.id, b".")
        time.sleep(0.01)


def finish(peer: YamuxByHand, *streams: MuxStream) -> None:
    for stream in streams:
        peer.machine.send_end(stream.id)
    peer.send()


def test_who_waits_for_an_answer_reads_for_all() -> None:
    with by_hand() as (session, peer):
        streams = [session.open() for _ in range(3)]
        accept(peer, 3)
        threads = reading(peer, *streams)
        finish(peer, *streams)
        for thread in threads:
            thread.result()


def test_the_lead_is_handed_to_who_waits_for_an_answer() -> None:
    with by_hand() as (session, peer):
        one, other = session.open(), session.open()
        accept(peer, 2)
        threads = reading(peer, one, other)
        finish(peer, one)
        wait_until(lambda: one.finished)
        while not any(leads(thread) for thread in threads):
            # The stand-by was faster; it steps back for who waits.
            answer(peer, other.id, b".")
            time.sleep(0.01)
        finish(peer, other)
        for thread in threads:
            thread.result()


def test_who_waits_for_long_leaves_the_reading_to_the_session() -> None:
    with by_hand() as (session, peer):
        stream = session.open(ticks=False)
        accept(peer, 1)
        [thread] = reading(peer, stream)
        wait_until(lambda: follows(thread) and stands_by(session._lead))
        finish(peer, stream)
        thread.result()


def test_the_session_reads_again_when_the_leader_is_gone() -> None:
    with by_hand() as (session, peer):
        stream = session.open()
        accept(peer, 1)
        [leader] = reading(peer, stream)
        wait_until(lambda: session._lead._asleep)
        finish(peer, stream)
        leader.result()
        wait_until(lambda: stands_by(session._lead))
        peer.machine.send_ping(7)
        peer.send()
        assert peer.receive() == PingAcknowledged(7)


def test_the_session_ends_while_somebody_reads() -> None:
    with by_hand() as (session, peer):
        stream = session.open()
        accept(peer, 1)
        [leader] = reading(peer, stream)
        wait_until(lambda: session._lead._asleep)
        session.close()
        with pytest.raises(ConnectionResetError, match="the session is closed"):
            leader.result()


def test_whoever_looks_reads_what_is_there() -> None:
    with by_hand() as (session, peer):
        stream = session.open()
        accept(peer, 1)
        with pytest.raises(BlockingIOError):
            stream.recv(10)
        answer(peer, 1, b"hello")
        wait_until(lambda: stream.inbox or session._lead.look())
        assert stream.recv(10, NOW) == b"hello"


def test_a_short_wait_is_as_short_as_it_should_be() -> None:
    with by_hand() as (session, peer):
        stream = session.open()
        accept(peer, 1)
        for _ in range(3):
            began = time.monotonic()
            stream.wait(reading=True, writing=False, timeout=TICK / 5)
            assert time.monotonic() - began < TICK / 2
        answer(peer, 1, b"hello")
        stream.wait(reading=True, writing=False, timeout=TICK / 5)
        assert stream.recv(10, NOW) == b"hello"


@pytest.mark.parametrize("leading", [True, False])
def test_an_interrupted_reader_gives_the_lead_away_and_loses_nothing(leading: bool) -> None:
    with by_hand() as (session, peer):
        stream = session.open(ticks=leading)
        accept(peer, 1)
        main = threading.main_thread().ident
        assert main is not None

        def interrupt() -> None:
            time.sleep(0.03 if leading else TICK * 3)
            signal.pthread_kill(main, signal.SIGINT)

        thread = background(interrupt)
        with pytest.raises(KeyboardInterrupt):
            read_exactly(stream, 10)
        thread.result()
        assert session._lead._leader != threading.get_ident()
        assert not session._lead._followers
        answer(peer, 1, b"hello")
        assert read_exactly(stream, 5) == b"hello"


def test_many_threads_share_a_session() -> None:
    """Calls of all kinds at once: those that are answered, those that wait, and streams that come and go."""
    with connected() as (client, server):

        def serve() -> None:
            for _ in range(6):
                background(echo, server.accept(SECONDS))

        def echo(stream: object) -> None:
            while data := stream.recv(100):  # type: ignore[attr-defined]
                stream.send(data, NOW)  # type: ignore[attr-defined]
            stream.close()  # type: ignore[attr-defined]

        def call(number: int) -> None:
            stream = client.open(ticks=number % 2 == 0)
            for count in range(300):
                message = b"%d/%d" % (number, count)
                stream.send(message, NOW)
                assert read_exactly(stream, len(message)) == message
                if number == 5 and count % 50 == 0:
                    time.sleep(0.005)
            stream.close()

        server_thread = background(serve)
        for thread in [background(call, number) for number in range(6)]:
            thread.result()
        server_thread.result()
        wait_until(lambda: not client._machine._streams)
