from __future__ import annotations

import contextlib
import signal
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from goplugin.core.errors import LocalProtocolError, PluginLostError, RemoteError
from goplugin.core.http2 import (
    ConnectionEnded,
    GoingAway,
    Limits,
    PingAcknowledged,
    SettingsChanged,
    StreamReset,
    UnaryRequest,
)
from goplugin.core.status import Code
from goplugin.sync.channel import Channel, channel_to

from .support import (
    MEBIBYTE,
    SECONDS,
    UNARY,
    ByHand,
    Note,
    Probe,
    background,
    calling,
    follows,
    listening,
    ours,
    reads,
    served_by_hand,
    socket_path,
    text_of,
    wait_until,
)


def call(channel: Channel, text: str, **options: Any) -> str | None:
    return text_of(channel.unary(UNARY, Note(text=text).SerializeToString(), **options).message)


def answer(peer: ByHand, request: UnaryRequest) -> None:
    peer.machine.send_unary_reply(request.stream_id, request.message)
    peer.send()


# --- a call ------------------------------------------------------------------------------------------------------


def test_a_call_gets_its_reply(channel: Channel) -> None:
    assert call(channel, "hello") == "hello"
    assert call(channel, "hello again") == "hello again"


def test_metadata_goes_both_ways(channel: Channel) -> None:
    request = Note(text="metadata").SerializeToString()

    response = channel.unary(UNARY, request, metadata=[("key", "value")])

    assert ("first", "value") in response.metadata
    assert ("raw-bin", b"\0\xff") in response.metadata
    assert response.status.metadata == (("last", "value"),)


def test_an_error_has_its_code_and_its_text(channel: Channel) -> None:
    with pytest.raises(RemoteError) as caught:
        call(channel, "fail NOT_FOUND no such key: ключ")

    assert (caught.value.code, caught.value.message) == (Code.NOT_FOUND, "no such key: ключ")
    assert call(channel, "still there") == "still there"


def test_an_unknown_method_is_unimplemented(channel: Channel) -> None:
    with pytest.raises(RemoteError) as caught:
        channel.unary("/goplugin.tests.aio.Probe/Other", b"")

    assert caught.value.code is Code.UNIMPLEMENTED


def test_a_deadline_ends_the_call(channel: Channel) -> None:
    began = time.monotonic()

    with pytest.raises(RemoteError) as caught:
        call(channel, "wait", timeout=0.15)

    assert str(caught.value) == "rpc error: code = DeadlineExceeded desc = context deadline exceeded"
    assert 0.14 < time.monotonic() - began < SECONDS
    assert call(channel, "still there", timeout=SECONDS) == "still there"


def test_a_deadline_that_has_passed_ends_the_call_at_once(channel: Channel) -> None:
    with pytest.raises(RemoteError) as caught:
        call(channel, "wait", timeout=-1.0)

    assert caught.value.code is Code.DEADLINE_EXCEEDED


@pytest.mark.parametrize("mebibytes", [1, 16, 64])
def test_large_messages_go_both_ways(channel: Channel, mebibytes: int) -> None:
    request = Note(data=bytes(range(256)) * (mebibytes * MEBIBYTE // 256)).SerializeToString()

    assert channel.unary(UNARY, request, timeout=100.0).message == request


def test_what_cannot_be_sent_is_refused_and_harms_nobody(channel: Channel) -> None:
    with pytest.raises(LocalProtocolError):
        channel.unary("no path", b"")
    with pytest.raises(LocalProtocolError):
        channel.unary(UNARY, b"", metadata=[("Upper", "case")])
    with pytest.raises(LocalProtocolError):
        channel.open(UNARY, metadata=[("grpc-timeout", "1S")])

    assert call(channel, "still there") == "still there"


# --- many threads ------------------------------------------------------------------------------------------------


def test_each_of_many_threads_gets_its_own_replies(channel: Channel) -> None:
    def work(name: int) -> None:
        for number in range(50):
            assert call(channel, f"{name} {number}", timeout=SECONDS) == f"{name} {number}"

    threads = [background(work, name) for name in range(16)]

    for thread in threads:
        thread.result()


def test_large_messages_of_many_threads_do_not_wait_for_each_other(channel: Channel) -> None:
    def work(name: int) -> None:
        request = Note(data=bytes([name]) * (4 * MEBIBYTE)).SerializeToString()
        for _ in range(3):
            assert channel.unary(UNARY, request, timeout=100.0).message == request

    threads = [background(work, name) for name in range(6)]

    for thread in threads:
        thread.result()


def test_a_slow_call_holds_up_nobody(channel: Channel) -> None:
    with pytest.raises(RemoteError):
        call(channel, "wait", timeout=0.01)
    slow = background(call, channel, "wait", timeout=SECONDS)
    wait_until(lambda: reads(slow))

    for number in range(100):
        assert call(channel, str(number), timeout=SECONDS / 2) == str(number)

    channel.close()
    with pytest.raises(PluginLostError):
        slow.result()


def test_the_lead_goes_on_when_the_leader_gives_up() -> None:
    with served_by_hand() as (channel, peer):
        leader = background(call, channel, "leader", timeout=0.3)
        peer.receive(UnaryRequest)
        wait_until(lambda: reads(leader))
        follower = background(call, channel, "follower", timeout=SECONDS)
        request = peer.receive(UnaryRequest)
        with pytest.raises(RemoteError):
            leader.result()
        answer(peer, request)

        assert follower.result() == "follower"
        assert peer.receive(StreamReset).stream_id == 1


def test_a_follower_can_give_up_too() -> None:
    with served_by_hand() as (channel, peer):
        leader = background(call, channel, "leader")
        request = peer.receive(UnaryRequest)
        wait_until(lambda: reads(leader))

        with pytest.raises(RemoteError) as caught:
            call(channel, "follower", timeout=0.05)
        answer(peer, request)

        assert caught.value.code is Code.DEADLINE_EXCEEDED
        assert leader.result() == "leader"


def test_a_late_reply_is_dropped() -> None:
    with served_by_hand() as (channel, peer):
        late = background(call, channel, "late", timeout=0.05)
        request = peer.receive(UnaryRequest)
        with pytest.raises(RemoteError):
            late.result()
        peer.machine.send_unary_reply(request.stream_id, b"")
        next_one = background(call, channel, "next")
        answer(peer, peer.receive(UnaryRequest))

        assert next_one.result() == "next"


# --- room --------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def one_call_at_a_time() -> Iterator[tuple[Channel, ByHand, UnaryRequest, Any]]:
    """A channel whose server takes one call at a time, and has one."""
    with served_by_hand(Limits(max_concurrent_streams=1)) as (channel, peer):
        peer.send()
        wait_until(lambda: channel.look() and channel._machine._peer.max_streams == 1)
        first = background(call, channel, "first")
        yield channel, peer, peer.receive(UnaryRequest), first


def test_a_call_waits_for_room() -> None:
    with one_call_at_a_time() as (channel, peer, request, first):
        others = [background(call, channel, f"other {number}", timeout=SECONDS) for number in range(3)]
        for thread in others:
            wait_until(lambda thread=thread: follows(thread))
        answer(peer, request)
        for _ in others:
            answer(peer, peer.receive(UnaryRequest))

        assert first.result() == "first"
        assert [thread.result() for thread in others] == ["other 0", "other 1", "other 2"]


def test_who_waits_for_room_reads_if_nobody_else_does() -> None:
    with served_by_hand(Limits(max_concurrent_streams=1)) as (channel, peer):
        peer.send()
        wait_until(lambda: channel.look() and channel._machine._peer.max_streams == 1)
        first = channel.open(UNARY)
        second = background(call, channel, "second")
        wait_until(lambda: reads(second))
        first.send(b"", end=True)
        answer(peer, peer.receive(UnaryRequest))
        answer(peer, peer.receive(UnaryRequest))

        assert second.result() == "second"
        assert first.receive() == b""


def test_a_deadline_may_pass_while_a_call_waits_for_room() -> None:
    with one_call_at_a_time() as (channel, peer, request, first):
        with pytest.raises(RemoteError) as caught:
            call(channel, "second", timeout=0.05)
        answer(peer, request)

        assert caught.value.code is Code.DEADLINE_EXCEEDED
        assert first.result() == "first"


def test_the_time_that_a_call_has_waited_for_room_is_no_longer_left() -> None:
    with one_call_at_a_time() as (channel, peer, request, first):
        second = background(call, channel, "second", timeout=10.0)
        wait_until(lambda: follows(second))
        answer(peer, request)
        request = peer.receive(UnaryRequest)
        answer(peer, request)

        assert request.head.timeout is not None
        assert request.head.timeout < 10.0
        assert second.result() == "second"
        assert first.result() == "first"


def test_a_call_that_is_given_up_makes_room() -> None:
    with served_by_hand(Limits(max_concurrent_streams=1)) as (channel, peer):
        peer.send()
        wait_until(lambda: channel.look() and channel._machine._peer.max_streams == 1)
        with channel.open(UNARY):
            second = background(call, channel, "second")
            wait_until(lambda: reads(second))
        answer(peer, peer.receive(UnaryRequest))

        assert second.result() == "second"


def test_the_end_of_the_connection_ends_the_wait_for_room() -> None:
    with one_call_at_a_time() as (channel, peer, _, first):
        second = background(call, channel, "second")
        wait_until(lambda: follows(second))
        peer.socket.close()

        with pytest.raises(PluginLostError, match="connection error: error reading from server: EOF"):
            second.result()
        with pytest.raises(PluginLostError):
            first.result()


# --- ends --------------------------------------------------------------------------------------------------------


def test_nobody_listens_there() -> None:
    path = socket_path()

    with pytest.raises(PluginLostError, match=f"connection error: dial unix {path}: No such file or directory"):
        channel_to("unix", path)
    with pytest.raises(PluginLostError, match=r"connection error: dial tcp 127\.0\.0\.1:1: Connection refused"):
        channel_to("tcp", "127.0.0.1:1")


def test_a_channel_over_tcp() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        channel = channel_to("tcp", "{}:{}".format(*listener.getsockname()))
        sock, _ = listener.accept()
        with sock, contextlib.closing(channel):
            from goplugin.core.http2 import ServerConnection

            peer = ByHand(ServerConnection(unary_paths=[UNARY]), sock)
            thread = background(call, channel, "hello")
            answer(peer, peer.receive(UnaryRequest))

            assert thread.result() == "hello"


def test_the_end_of_the_connection_ends_the_calls_under_way() -> None:
    with served_by_hand() as (channel, peer):
        threads = [background(call, channel, "hello") for _ in range(3)]
        for _ in threads:
            peer.receive(UnaryRequest)
        peer.socket.close()

        for thread in threads:
            with pytest.raises(PluginLostError, match="Unavailable desc = error reading from server: EOF"):
                thread.result()


def test_later_calls_are_refused() -> None:
    with served_by_hand() as (channel, peer):
        peer.socket.close()
        with pytest.raises(PluginLostError, match="desc = error reading from server: EOF"):
            call(channel, "hello")

        with pytest.raises(PluginLostError, match="desc = connection error: error reading from server: EOF"):
            call(channel, "hello")
        with pytest.raises(PluginLostError):
            channel.open(UNARY)


@pytest.mark.parametrize("whole", [b"", b"\0\0\x14\1\4\0\0\0\1\x88\x0f"], ids=["between frames", "inside a frame"])
def test_a_reply_that_does_not_come_to_its_end(whole: bytes) -> None:
    with served_by_hand() as (channel, peer):
        thread = background(call, channel, "hello")
        peer.receive(UnaryRequest)
        peer.socket.sendall(whole)
        peer.socket.close()

        with pytest.raises(PluginLostError):
            thread.result()


def test_a_reply_that_comes_with_the_end_counts() -> None:
    with served_by_hand() as (channel, peer):
        threads = [background(call, channel, "hello") for _ in range(2)]
        for _ in threads:
            request = peer.receive(UnaryRequest)
            peer.machine.send_unary_reply(request.stream_id, request.message)
        peer.send()
        peer.socket.close()

        assert [thread.result() for thread in threads] == ["hello", "hello"]


def test_a_request_that_nobody_reads_ends_with_the_connection() -> None:
    with served_by_hand() as (channel, peer):
        peer.send()
        wait_until(channel.look)
        large = background(channel.unary, UNARY, bytes(2 * MEBIBYTE))
        wait_until(lambda: channel._link.unsent)
        peer.socket.close()

        with pytest.raises(PluginLostError):
            large.result()


def test_a_deadline_passes_while_the_request_is_not_read() -> None:
    with served_by_hand() as (channel, peer):
        peer.send()
        wait_until(lambda: channel.look() and channel._machine._peer.initial_window > MEBIBYTE)

        with pytest.raises(RemoteError) as caught:
            channel.unary(UNARY, bytes(2 * MEBIBYTE), timeout=0.1)

        assert caught.value.code is Code.DEADLINE_EXCEEDED


def test_a_peer_that_breaks_the_protocol_is_told_so() -> None:
    with served_by_hand() as (channel, peer):
        thread = background(call, channel, "hello")
        peer.receive(UnaryRequest)
        peer.socket.sendall(b"\0\0\0\0\0\0\0\0\2")      # DATA on a stream that is not open

        with pytest.raises(PluginLostError, match="the peer broke the protocol: DATA on stream 2"):
            thread.result()
        assert peer.receive(GoingAway).error_code == 1
        assert isinstance(peer.receive(ConnectionEnded), ConnectionEnded)
        with pytest.raises(PluginLostError):
            call(channel, "hello")


def test_a_server_that_goes_away_finishes_what_it_has() -> None:
    with served_by_hand() as (channel, peer):
        first = background(call, channel, "first")
        request = peer.receive(UnaryRequest)
        peer.machine.send_goaway()
        peer.send()
        wait_until(lambda: channel._mailroom.refusal)

        with pytest.raises(PluginLostError, match="connection error: the plugin takes no more calls"):
            call(channel, "second")
        answer(peer, request)
        assert first.result() == "first"


def test_close_ends_the_calls_under_way() -> None:
    with served_by_hand() as (channel, peer):
        threads = [background(call, channel, "hello") for _ in range(3)]
        for _ in threads:
            peer.receive(UnaryRequest)
        channel.close()
        channel.close()

        for thread in threads:
            with pytest.raises(PluginLostError, match="grpc: the client connection is closing"):
                thread.result()
        assert isinstance(peer.receive(GoingAway), GoingAway)
        assert isinstance(peer.receive(ConnectionEnded), ConnectionEnded)
        with pytest.raises(PluginLostError, match="connection error: grpc: the client connection is closing"):
            call(channel, "hello")


# --- idle --------------------------------------------------------------------------------------------------------


def test_a_look_answers_what_came_while_nobody_called() -> None:
    with served_by_hand() as (channel, peer):
        peer.receive(SettingsChanged)
        peer.machine.send_ping(b"12345678")
        peer.send()
        wait_until(lambda: channel.look() and select_readable(peer.socket))

        assert peer.receive(PingAcknowledged).payload == b"12345678"


def select_readable(sock: socket.socket) -> bool:
    import select

    return bool(select.select([sock], [], [], 0)[0])


def test_a_look_notices_the_end() -> None:
    with served_by_hand() as (channel, peer):
        assert channel.look()
        peer.socket.close()
        wait_until(lambda: not channel.look())

        with pytest.raises(PluginLostError, match="connection error: error reading from server: EOF"):
            call(channel, "hello")


def test_a_look_keeps_out_of_the_way_of_who_reads() -> None:
    with served_by_hand() as (channel, peer):
        thread = background(call, channel, "hello")
        request = peer.receive(UnaryRequest)
        wait_until(lambda: reads(thread))
        for _ in range(100):
            assert channel.look()
        answer(peer, request)

        assert thread.result() == "hello"


def test_channels_to_an_address_are_looked_after() -> None:
    path = socket_path()
    with listening(path) as listener, calling(path) as channel:
        sock, _ = listener.accept()
        sock.close()
        wait_until(lambda: channel._mailroom.refusal)


# --- interruptions -----------------------------------------------------------------------------------------------


@contextlib.contextmanager
def interrupted_when(condition: Any) -> Iterator[None]:
    """The main thread gets SIGINT once the condition holds."""

    def interrupt() -> None:
        wait_until(condition)
        signal.pthread_kill(main, signal.SIGINT)

    main = threading.get_ident()
    thread = background(interrupt)
    yield
    thread.result()


def test_an_interruption_cancels_the_call_that_waits() -> None:
    main = threading.get_ident()
    with served_by_hand() as (channel, peer):
        with interrupted_when(lambda: reads(main)), pytest.raises(KeyboardInterrupt):
            call(channel, "first")
        assert peer.receive(StreamReset).stream_id == 1
        second = background(call, channel, "second")
        answer(peer, peer.receive(UnaryRequest))

        assert second.result() == "second"


def test_an_interruption_of_the_leader_hands_on_the_lead() -> None:
    main = threading.get_ident()
    with served_by_hand() as (channel, peer):
        followers: list[Any] = []

        def with_a_follower() -> bool:
            if not followers and reads(main):
                followers.append(background(call, channel, "follower"))
            return bool(followers) and follows(followers[0])

        with interrupted_when(with_a_follower), pytest.raises(KeyboardInterrupt):
            call(channel, "leader")
        peer.receive(UnaryRequest)
        answer(peer, peer.receive(UnaryRequest))

        assert followers[0].result() == "follower"


def test_an_interruption_of_a_follower_leaves_the_leader_alone() -> None:
    main = threading.get_ident()
    with served_by_hand() as (channel, peer):
        leader = background(call, channel, "leader")
        request = peer.receive(UnaryRequest)
        wait_until(lambda: reads(leader))

        with interrupted_when(lambda: follows(main)), pytest.raises(KeyboardInterrupt):
            call(channel, "follower")
        answer(peer, request)

        assert leader.result() == "leader"
        assert peer.receive(StreamReset).stream_id == 3


@pytest.mark.parametrize("place", ["send_unary_request", "data_to_send", "receive_data", "next_event"])
def test_an_interruption_in_the_middle_of_the_machine_ends_the_connection(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served_by_hand() as (channel, peer):
        peer.send()
        peer.machine.send_ping()
        peer.send()

        def interrupted(*args: object) -> Any:
            monkeypatch.undo()
            raise KeyboardInterrupt

        monkeypatch.setattr(channel._machine, place, interrupted)
        with pytest.raises(KeyboardInterrupt):
            call(channel, "first")

        with pytest.raises(PluginLostError, match="connection error: interrupted in the middle of a call"):
            call(channel, "second")
        assert peer.socket.recv(65536) is not None


class Alarm(Exception):
    pass


def test_alarms_at_any_moment_give_right_replies_or_a_lost_connection() -> None:
    """Whatever a signal interrupts, no reply is ever another call's, and nobody waits for ever."""

    def alarm(number: int, frame: object) -> None:
        raise Alarm

    def call_until_lost(channel: Channel) -> None:
        nonlocal alarms, number
        while alarms < 300:
            number += 1
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.0001 + number % 50 * 0.00001)
                assert call(channel, str(number), timeout=SECONDS) == str(number)
            except Alarm:
                alarms += 1
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)

    alarms, number = 0, 0
    with ours(Probe(lambda request, context: request)) as (_, path):
        previous = signal.signal(signal.SIGALRM, alarm)
        try:
            while alarms < 300:
                with contextlib.suppress(PluginLostError, Alarm), calling(path) as channel:
                    call_until_lost(channel)
        finally:
            signal.signal(signal.SIGALRM, previous)
