from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from goplugin.core.errors import LocalProtocolError, PluginLostError, RemoteError
from goplugin.core.http2 import (
    Limits,
    MessageReceived,
    RequestEnded,
    RequestReceived,
    ResponseEnded,
    Status,
    StreamReset,
    StreamWritable,
    UnaryRequest,
)
from goplugin.core.http2.faults import CANCEL, REFUSED_STREAM
from goplugin.core.status import Code
from goplugin.details import encode_details
from goplugin.sync.call import Call, as_error
from goplugin.sync.channel import Channel

from .support import (
    BIDI_STREAM,
    CLIENT_STREAM,
    MEBIBYTE,
    SECONDS,
    SERVER_STREAM,
    UNARY,
    ByHand,
    Note,
    background,
    reads,
    served_by_hand,
    text_of,
    wait_until,
)


def note(text: str) -> bytes:
    return Note(text=text).SerializeToString()


def call_to(channel: Channel, path: str, *texts: str, timeout: float | None = SECONDS) -> Call:
    """A call with these messages, and no more."""
    call = channel.open(path, timeout=timeout)
    for text in texts:
        call.send(note(text))
    call.end()
    return call


@contextlib.contextmanager
def under_way(limits: Limits | None = None) -> Iterator[tuple[Call, ByHand, RequestReceived]]:
    """A call to a server by hand, which has heard of it."""
    with served_by_hand(limits) as (channel, peer):
        peer.send()
        wait_until(lambda: channel.look() and channel._machine._peer.max_streams < 2**32)
        call = channel.open(BIDI_STREAM, timeout=SECONDS)
        yield call, peer, peer.receive(RequestReceived)


# --- the four kinds ----------------------------------------------------------------------------------------------


def test_a_stream_of_replies(channel: Channel) -> None:
    with call_to(channel, SERVER_STREAM, "5") as call:
        assert [text_of(message) for message in call] == ["0", "1", "2", "3", "4"]
        assert call.status == Status(Code.OK)


def test_a_stream_of_requests(channel: Channel) -> None:
    with call_to(channel, CLIENT_STREAM, "a", "b", "c") as call:
        assert text_of(call.receive()) == "abc"
        assert call.receive() is None
        assert call.receive() is None


def test_streams_both_ways_in_turn(channel: Channel) -> None:
    with channel.open(BIDI_STREAM) as call:
        for number in range(20):
            call.send(note(str(number)))
            assert text_of(call.receive()) == str(number)
        call.end()
        assert call.receive() is None


def test_a_call_of_one_message_each_way(channel: Channel) -> None:
    with channel.open(UNARY, metadata=[("key", "value")]) as call:
        call.send(note("metadata"), end=True)

        assert ("first", "value") in call.initial_metadata()
        assert text_of(call.receive()) == "metadata"
        assert call.receive() is None
        assert call.status is not None
        assert call.status.metadata == (("last", "value"),)


def test_one_thread_sends_while_another_one_receives(channel: Channel) -> None:
    """More than fits into all buffers on the way: neither direction may wait for the other."""
    messages = [Note(text=str(number), data=bytes(MEBIBYTE)).SerializeToString() for number in range(24)]
    with channel.open(BIDI_STREAM) as call:

        def send() -> None:
            for message in messages:
                assert call.send(message)
            call.end()

        sender = background(send)
        received = [text_of(message) for message in call]

        sender.result()
        assert received == [str(number) for number in range(24)]


def test_a_thousand_small_messages(channel: Channel) -> None:
    with call_to(channel, SERVER_STREAM, "1000") as call:
        assert sum(1 for _ in call) == 1000


def test_calls_of_all_kinds_share_a_channel(channel: Channel) -> None:
    def chat(name: int) -> None:
        with channel.open(BIDI_STREAM, timeout=SECONDS) as call:
            for number in range(20):
                call.send(note(f"{name} {number}"))
                assert text_of(call.receive()) == f"{name} {number}"

    def ask(name: int) -> None:
        for number in range(50):
            message = note(f"{name} {number}")
            assert channel.unary(UNARY, message, timeout=SECONDS).message == message

    threads = [background(work, name) for name in range(5) for work in (chat, ask)]
    for thread in threads:
        thread.result()


# --- ends --------------------------------------------------------------------------------------------------------


def test_an_error_behind_messages(channel: Channel) -> None:
    with call_to(channel, SERVER_STREAM, "2 fail") as call:
        assert text_of(call.receive()) == "0"
        assert text_of(call.receive()) == "1"
        for _ in range(2):
            with pytest.raises(RemoteError, match="code = DataLoss desc = no more"):
                call.receive()
        assert call.status is not None
        assert call.status.code is Code.DATA_LOSS


def test_an_error_in_place_of_an_answer(channel: Channel) -> None:
    with call_to(channel, UNARY, "fail PERMISSION_DENIED not you") as call:
        assert call.initial_metadata() == ()
        with pytest.raises(RemoteError, match="code = PermissionDenied desc = not you"):
            call.receive()


def test_a_deadline_ends_a_call_that_receives(channel: Channel) -> None:
    with call_to(channel, SERVER_STREAM, "1 wait", timeout=0.2) as call:
        assert text_of(call.receive()) == "0"
        with pytest.raises(RemoteError) as caught:
            call.receive()
    assert caught.value.code is Code.DEADLINE_EXCEEDED


def test_a_deadline_ends_a_call_that_sends() -> None:
    with served_by_hand() as (channel, peer), channel.open(BIDI_STREAM, timeout=0.2) as call:
        peer.receive(RequestReceived)
        with pytest.raises(RemoteError) as caught:
            any(not call.send(bytes(MEBIBYTE)) for _ in range(100))
        assert caught.value.code is Code.DEADLINE_EXCEEDED
        with pytest.raises(RemoteError):
            call.receive()


def test_cancel_ends_the_wait_of_another_thread(channel: Channel) -> None:
    call = call_to(channel, SERVER_STREAM, "1 wait")
    assert text_of(call.receive()) == "0"
    thread = background(call.receive)
    wait_until(lambda: reads(thread))
    call.cancel()
    call.cancel()

    with pytest.raises(RemoteError, match="code = Canceled desc = context canceled"):
        thread.result()


def test_leaving_the_context_cancels_what_goes_on() -> None:
    with under_way() as (call, peer, request):
        with call:
            pass
        assert peer.receive(StreamReset).stream_id == request.stream_id


def test_leaving_the_context_of_a_call_that_is_over_says_nothing_more() -> None:
    with under_way() as (call, peer, request):
        with call:
            call.end()
            peer.receive(RequestEnded)
            peer.machine.send_status(request.stream_id)
            peer.send()
            assert call.receive() is None
        peer.socket.settimeout(0.05)
        with pytest.raises(TimeoutError):
            peer.receive(StreamReset)


def test_the_end_of_the_connection_ends_calls_of_all_kinds() -> None:
    with under_way() as (call, peer, _):
        peer.socket.close()

        with pytest.raises(PluginLostError, match="error reading from server: EOF"):
            call.receive()
        assert not call.send(b"")


def test_a_reset_by_the_server_is_an_error() -> None:
    with under_way() as (call, peer, request):
        peer.machine.send_reset(request.stream_id, 2)
        peer.send()

        with pytest.raises(RemoteError) as caught:
            call.receive()
        assert caught.value.code is Code.INTERNAL
        assert "INTERNAL_ERROR" in caught.value.message


def test_an_interruption_cancels_the_call() -> None:
    main = threading.get_ident()
    with under_way() as (call, peer, request):

        def interrupt() -> None:
            wait_until(lambda: reads(main))
            signal.pthread_kill(main, signal.SIGINT)

        thread = background(interrupt)
        with pytest.raises(KeyboardInterrupt):
            call.receive()
        thread.result()
        assert peer.receive(StreamReset).stream_id == request.stream_id


# --- sending -----------------------------------------------------------------------------------------------------


def test_nothing_can_follow_the_end() -> None:
    with under_way() as (call, _, _):
        call.end()
        with pytest.raises(LocalProtocolError):
            call.send(b"")
        with pytest.raises(LocalProtocolError):
            call.end()


def test_a_sender_waits_for_credit() -> None:
    with under_way(Limits(stream_window=65535)) as (call, peer, request):

        def send() -> int:
            return sum(call.send(bytes([number]) * 50_000) for number in range(8))

        sender = background(send)
        wait_until(lambda: reads(sender))
        for number in range(8):
            message = peer.receive(MessageReceived).message
            assert message == bytes([number]) * 50_000
            peer.machine.acknowledge_message(request.stream_id, len(message))
        assert sender.result() == 8


def test_a_sender_hears_that_the_call_is_over() -> None:
    with under_way(Limits(stream_window=65535)) as (call, peer, request):

        def send() -> int:
            count = 0
            while call.send(bytes(50_000)):
                count += 1
            return count

        sender = background(send)
        wait_until(lambda: reads(sender))
        peer.machine.send_status(request.stream_id, Code.RESOURCE_EXHAUSTED, "enough")
        peer.send()

        assert sender.result() in (1, 2)
        with pytest.raises(RemoteError, match="code = ResourceExhausted desc = enough"):
            call.receive()


def test_messages_that_nobody_takes_hold_back_the_server() -> None:
    with under_way() as (call, peer, request):
        peer.machine.send_response(request.stream_id)
        sent = 1
        while peer.machine.send_message(request.stream_id, bytes(MEBIBYTE)):
            sent += 1
        assert sent < 10

        def answer() -> None:
            peer.receive(StreamWritable)
            peer.machine.send_status(request.stream_id)
            peer.send()

        server = background(answer)
        assert list(call) == [bytes(MEBIBYTE)] * sent
        server.result()


def test_a_server_that_is_done_early_wants_no_more() -> None:
    with under_way() as (call, peer, request):
        call.send(b"first")
        peer.receive(MessageReceived)
        peer.machine.send_status(request.stream_id)
        peer.send()

        assert call.receive() is None
        assert call.status == Status(Code.OK)
        assert not call.send(b"second")
        assert not call.send(b"third")


# --- errors ------------------------------------------------------------------------------------------------------


def test_the_connections_end_is_another_error_than_a_calls() -> None:
    status = Status(Code.UNAVAILABLE, "text")

    assert type(as_error(StreamReset(1, status, None))) is PluginLostError
    assert type(as_error(StreamReset(1, status, 7))) is RemoteError
    assert type(as_error(ResponseEnded(1, status))) is RemoteError


def test_a_deadline_that_the_server_noticed_has_a_text_too() -> None:
    assert as_error(ResponseEnded(1, Status(Code.DEADLINE_EXCEEDED))).message == "context deadline exceeded"
    assert as_error(ResponseEnded(1, Status(Code.DEADLINE_EXCEEDED, "too slow"))).message == "too slow"


@pytest.mark.parametrize("kind", ["unary", "stream"])
def test_a_reset_at_the_deadline_is_the_deadline(kind: str) -> None:
    with served_by_hand() as (channel, peer):
        if kind == "unary":
            call = background(channel.unary, UNARY, b"", timeout=0.3)
            stream_id = peer.receive(UnaryRequest).stream_id
        else:
            call = background(call_to(channel, BIDI_STREAM, timeout=0.3).receive)
            stream_id = peer.receive(RequestReceived).stream_id
        # A server whose clock is ahead; the client's own watch comes a moment later.
        peer.machine.send_reset(stream_id)
        time.sleep(0.29)
        peer.send()

        with pytest.raises(RemoteError) as caught:
            call.result()

    assert (caught.value.code, caught.value.message) == (Code.DEADLINE_EXCEEDED, "context deadline exceeded")


def test_a_reset_is_the_deadlines_only_when_that_is_near() -> None:
    now = time.monotonic()
    reset = StreamReset(1, Status(Code.CANCELLED, "the peer reset the call"), CANCEL)
    refusal = StreamReset(1, Status(Code.UNAVAILABLE, "refused"), REFUSED_STREAM)

    assert as_error(reset).code is Code.CANCELLED
    assert as_error(reset, now + 5).message == "the peer reset the call"
    assert as_error(reset, now).code is Code.DEADLINE_EXCEEDED
    assert as_error(reset, now + 0.01).message == "context deadline exceeded"
    assert as_error(refusal, now).message == "refused"
    assert isinstance(as_error(StreamReset(1, Status(Code.UNAVAILABLE), None), now), PluginLostError)


def test_details_come_with_the_error() -> None:
    detail = Note(text="detail")
    octets = encode_details(5, "text", [detail])
    error = as_error(ResponseEnded(1, Status(Code.NOT_FOUND, "text", octets)))

    assert error.details == (detail,)
