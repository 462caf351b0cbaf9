from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import pytest

from goplugin.core.errors import RemoteError, RemoteProtocolError
from goplugin.core.status import Code
from goplugin.core.yamux import BACKLOG, GoingAway, PingAcknowledged, StreamFinished, StreamOpened, StreamReset
from goplugin.core.yamux.frames import SYN, ping, window_update
from goplugin.sync.channel import Channel, channel_over
from goplugin.sync.mux import Session
from goplugin.sync.server import Server
from goplugin.sync.stream import NOW
from goplugin.tls import client_context, make_certificate, server_context

from .echo_service import echo_service
from .mux_support import WINDOW, by_hand, connected, read_exactly, write_all
from .support import BIDI_STREAM, MEBIBYTE, SECONDS, UNARY, Note, background, no_threads, text_of, wait_until


def test_streams_are_accepted_in_the_order_in_which_they_were_opened() -> None:
    with connected() as (client, server):
        for number in range(5):
            client.open().send(b"%d" % number, NOW)
        for number in range(5):
            assert read_exactly(server.accept(SECONDS), 1) == b"%d" % number


def test_either_side_opens_streams() -> None:
    with connected() as (client, server):
        for one, other in ((client, server), (server, client)):
            near, far = one.open(), other.accept(SECONDS)
            near.send(b"hello", NOW)
            assert read_exactly(far, 5) == b"hello"
            near.close()
            far.close()
        wait_until(lambda: not (client._machine._streams or server._machine._streams))
        assert client._streams == server._streams == {}


def test_nobody_opens_a_stream_in_time() -> None:
    with connected() as (_, server), pytest.raises(TimeoutError, match="timeout waiting for accept"):
        server.accept(0.01)


def test_a_stream_that_was_reset_before_anybody_accepted_it_is_gone() -> None:
    with by_hand() as (session, peer):
        peer.send(window_update(2, SYN))
        wait_until(lambda: session._offered)
        peer.send(window_update(2, 8) + window_update(4, SYN))
        wait_until(lambda: 4 in session._streams)
        assert session.accept(SECONDS).id == 4
        with pytest.raises(TimeoutError):
            session.accept(0)


def test_streams_beyond_the_backlog_are_refused() -> None:
    with by_hand() as (session, peer):
        peer.send(b"".join(window_update(2 * number, SYN) for number in range(1, BACKLOG + 3)) + ping(SYN, 1))
        wait_until(lambda: len(session._offered) == BACKLOG)
        session.accept(SECONDS)


def test_a_ping_is_answered_without_anybody() -> None:
    with by_hand() as (_, peer):
        peer.machine.send_ping(77)
        peer.send()
        assert peer.receive() == PingAcknowledged(77)


def test_who_goes_away_takes_no_more_streams() -> None:
    with by_hand() as (session, peer):
        session.go_away()
        assert peer.receive() == GoingAway()
        peer.machine.send_go_away()
        peer.send()
        wait_until(lambda: not session._machine.can_open)
        with pytest.raises(ConnectionError, match="the peer takes no more streams"):
            session.open()


def test_closing_ends_all_streams_and_everybody_hears_of_it() -> None:
    with connected() as (client, server):
        ours, theirs = client.open(ticks=False), server.accept(SECONDS)
        threads = [background(ours.recv, 1), background(theirs.recv, 1), background(client.accept)]
        wait_until(lambda: ours.waiting + theirs.waiting == 2)
        client.close()
        client.close()
        reasons = ["the session is closed", "the peer has closed the connection", "the session is closed"]
        for thread, reason in zip(threads, reasons, strict=True):
            with pytest.raises(ConnectionResetError, match=reason):
                thread.result()
        for use in (client.open, client.accept, client.go_away, lambda: ours.send(b"x", NOW)):
            with pytest.raises(ConnectionError, match="the session is closed"):
                use()
        ours.close()


def test_what_was_written_before_the_session_was_closed_arrives() -> None:
    data = bytes(range(256)) * 1000
    with connected() as (client, server):
        near, far = client.open(), server.accept(SECONDS)
        write_all(near, data)
        closing = background(client.close)
        assert read_exactly(far, len(data)) == data
        closing.result()


def test_closing_does_not_wait_long_for_a_peer_that_does_not_read() -> None:
    with by_hand() as (session, _):
        while not session.full:
            session.open().send(bytes(WINDOW), NOW)
        began = time.monotonic()
        session.close()
        assert time.monotonic() - began < 3.0


def test_a_peer_that_breaks_the_protocol_is_told_so_and_left() -> None:
    with by_hand() as (session, peer):
        stream = session.open()
        assert peer.receive() == StreamOpened(1)
        peer.send(b"\x09" * 12)
        with pytest.raises(ConnectionResetError, match="the peer broke the protocol: version 9 of yamux"):
            read_exactly(stream, 1)
        assert peer.receive() == StreamReset(1, session_over=True)
        with pytest.raises(RemoteProtocolError, match="the peer ended the session: protocol error"):
            peer.receive()


def test_a_thread_that_cannot_be_started_costs_the_session_and_nothing_else() -> None:
    with by_hand() as (session, _), no_threads():
        while not session._failure:
            session.open().send(bytes(WINDOW), NOW)
        with pytest.raises(ConnectionError, match="nobody can see out what the peer does not read yet"):
            session.open()


@pytest.mark.parametrize("use", ["open", "send", "acknowledge", "close", "read"])
def test_an_exception_from_the_middle_of_the_work_ends_the_session(use: str) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    with by_hand() as (session, peer):
        stream = session.open()
        with pytest.raises(KeyboardInterrupt), session._lock:
            session._do(interrupted)
        if use == "open":
            with pytest.raises(ConnectionResetError, match="interrupted"):
                session.open()
        elif use == "send":
            with pytest.raises(ConnectionResetError, match="interrupted"):
                stream.send(b"hello", NOW)
        elif use == "acknowledge":
            stream.taken = WINDOW
            with pytest.raises(ConnectionResetError, match="interrupted"):
                stream.recv(1)
        elif use == "close":
            stream.close()
        else:
            peer.send(ping(SYN, 1))
        wait_until(lambda: stream.over)
        wait_until(lambda: session._failure == "interrupted in the middle of a write")


def test_a_connection_that_is_gone_is_noticed_by_reading() -> None:
    with by_hand() as (session, peer):
        stream = session.open()
        peer.socket.close()
        with contextlib.suppress(ConnectionError):
            stream.send(b"hello", NOW)
        with pytest.raises(ConnectionResetError, match="the peer has closed the connection"):
            read_exactly(stream, 1)
        stream.close()
        assert not session._streams


def test_a_stream_that_is_closed_says_so_to_the_peer_behind_what_was_sent() -> None:
    with by_hand() as (session, peer):
        stream = session.open()
        stream.send(b"hello", NOW)
        stream.close()
        assert peer.receive() == StreamOpened(1)
        assert repr(peer.receive()) == "DataReceived(stream_id=1, data=b'hello')"
        assert peer.receive() == StreamFinished(1)


# --- what runs over it, unchanged ---


@contextlib.contextmanager
def echo_channel(*, tls: bool = False) -> Iterator[tuple[Channel, Session]]:
    """A channel to the echo service, over a stream, and its session."""
    host, plugin = make_certificate(time.time()), make_certificate(time.time())
    server = Server([echo_service()], tls=server_context(plugin, host.pem) if tls else None)
    with connected() as (client, far):
        stream = client.open()
        server.welcome(far.accept(SECONDS))
        channel = channel_over(stream, tls=client_context(host, plugin.certificate) if tls else None)
        try:
            yield channel, client
        finally:
            channel.close()
            server.stop(SECONDS)


def note(text: str) -> bytes:
    return Note(text=text).SerializeToString()


@pytest.fixture(params=[False, True], ids=["plain", "tls"])
def calling(request: pytest.FixtureRequest) -> Iterator[Channel]:
    with echo_channel(tls=request.param) as (channel, _):
        yield channel


def test_a_call_over_a_stream(calling: Channel) -> None:
    for text in ("hello", "x" * 3 * MEBIBYTE):
        assert text_of(calling.unary(UNARY, note(text)).message) == text
    with pytest.raises(RemoteError) as caught:
        calling.unary(UNARY, note("fail NOT_FOUND nothing"))
    assert caught.value.code is Code.NOT_FOUND


def test_messages_both_ways_over_a_stream(calling: Channel) -> None:
    call = calling.open(BIDI_STREAM, timeout=SECONDS)
    for number in range(20):
        call.send(note(str(number)))
        assert text_of(call.receive()) == str(number)
    call.end()
    assert call.receive() is None


def test_deadlines_and_threads_over_a_stream(calling: Channel) -> None:
    def call(number: int) -> str | None:
        return text_of(calling.unary(UNARY, note(str(number)), timeout=SECONDS).message)

    threads = [background(lambda number=number: [call(number) for _ in range(50)]) for number in range(4)]
    with pytest.raises(RemoteError) as caught:
        calling.unary(UNARY, note("wait"), timeout=0.03)
    assert caught.value.code is Code.DEADLINE_EXCEEDED
    for number, thread in enumerate(threads):
        assert thread.result() == [str(number)] * 50


def test_the_plugin_is_lost_with_its_session() -> None:
    with echo_channel() as (channel, session):
        thread = background(channel.unary, UNARY, note("wait"))
        wait_until(lambda: session._streams)
        time.sleep(0.01)
        session.close()
        with pytest.raises(RemoteError, match="Unavailable"):
            thread.result()
