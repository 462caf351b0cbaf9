"""One client's connection: who reads, who runs what, and how calls end."""
from __future__ import annotations

import threading
from typing import Any

import pytest

from goplugin.core.errors import PluginLostError, RemoteError
from goplugin.core.http2 import (
    ConnectionEnded,
    GoingAway,
    PingAcknowledged,
    ResponseEnded,
    SettingsChanged,
    UnaryResponse,
)
from goplugin.core.status import Code
from goplugin.sync.channel import Channel

from .support import (
    MEBIBYTE,
    SECONDS,
    SERVER_STREAM,
    UNARY,
    ByHand,
    Note,
    Probe,
    background,
    calling,
    calling_by_hand,
    no_threads,
    ours,
    serving,
    wait_until,
)


def note(text: str) -> bytes:
    return Note(text=text).SerializeToString()


def echo(request: Any, context: Any) -> Any:
    return request


class Gate:
    """A method that holds every call whose text is `hold`, until the test opens it."""

    def __init__(self) -> None:
        self.contexts: list[Any] = []
        self.entered = threading.Semaphore(0)
        self.opened = threading.Event()

    def __call__(self, request: Any, context: Any) -> Any:
        if request.text == "hold":
            self.contexts.append(context)
            self.entered.release()
            assert self.opened.wait(SECONDS)
        return request

    def wait_entered(self, count: int = 1) -> None:
        for _ in range(count):
            assert self.entered.acquire(timeout=SECONDS)


def hold(channel: Channel, **options: Any) -> Any:
    return background(channel.unary, UNARY, note("hold"), **options)


def by_hand(peer: ByHand, *texts: str) -> list[int]:
    """Begin a call for each text, all in one write; returns the streams' numbers."""
    streams = [peer.machine.send_unary_request(UNARY, note(text)) for text in texts]
    peer.send()
    return streams


# --- slow methods ------------------------------------------------------------------------------------------------


def test_a_method_that_takes_long_holds_up_no_other_call() -> None:
    gate = Gate()
    with serving(Probe(gate)) as channel:
        slow = hold(channel)
        gate.wait_entered()
        for number in range(100):
            assert channel.unary(UNARY, note(str(number)), timeout=SECONDS).message == note(str(number))
        gate.opened.set()

        assert slow.result().message == note("hold")


def test_requests_that_came_together_do_not_wait_for_a_slow_one() -> None:
    gate = Gate()
    with ours(Probe(gate)) as (_, path), calling_by_hand(path) as peer:
        slow, *fast = by_hand(peer, "hold", "a", "b", "c")
        answered = [peer.receive(UnaryResponse).stream_id for _ in fast]
        gate.opened.set()

        assert answered == fast
        assert peer.receive(UnaryResponse).stream_id == slow


def test_many_slow_calls_run_at_once() -> None:
    gate = Gate()
    with ours(Probe(gate)) as (_, path), calling_by_hand(path) as peer:
        streams = by_hand(peer, *["hold"] * 50)
        gate.wait_entered(50)
        gate.opened.set()

        assert {peer.receive(UnaryResponse).stream_id for _ in streams} == set(streams)


def test_a_method_that_was_slow_once_may_be_fast_again() -> None:
    gate = Gate()
    with serving(Probe(gate)) as channel:
        slow = hold(channel)
        gate.wait_entered()
        gate.opened.set()
        slow.result()
        threads = set[int]()

        for _ in range(20):
            gate.opened.clear()
            slow = hold(channel)
            gate.wait_entered()
            threads.add(threading.active_count())
            gate.opened.set()
            slow.result()
            for number in range(5):
                assert channel.unary(UNARY, note(str(number))).message == note(str(number))
    assert max(threads) - min(threads) <= 2, "threads are used again"


def test_a_ping_is_answered_while_a_method_runs() -> None:
    gate = Gate()
    with ours(Probe(gate)) as (_, path), calling_by_hand(path) as peer:
        by_hand(peer, "hold")
        gate.wait_entered()
        peer.machine.send_ping(b"anybody?")

        assert peer.receive(PingAcknowledged).payload == b"anybody?"
        gate.opened.set()


def test_an_idle_connection_answers_pings() -> None:
    with ours(Probe(echo)) as (_, path), calling_by_hand(path) as peer:
        peer.receive(SettingsChanged)
        peer.machine.send_ping(b"anybody?")

        assert peer.receive(PingAcknowledged).payload == b"anybody?"


# --- cancellation ------------------------------------------------------------------------------------------------


def test_a_method_hears_that_its_caller_gave_up() -> None:
    heard = threading.Event()

    def method(request: Any, context: Any) -> Any:
        if request.text == "hold" and context.wait_cancelled(SECONDS):
            heard.set()
        return request

    with serving(Probe(method)) as channel:
        with pytest.raises(RemoteError):
            channel.unary(UNARY, note("hold"), timeout=0.05)

        assert heard.wait(SECONDS)
        assert channel.unary(UNARY, note("next")).message == note("next")


@pytest.mark.parametrize("slow_before", [False, True], ids=["by the leader", "aside"])
def test_a_method_hears_of_a_reset(slow_before: bool) -> None:
    gate = Gate()
    with ours(Probe(gate)) as (server, path), calling_by_hand(path) as peer:
        if slow_before:
            by_hand(peer, "hold")
            gate.wait_entered()
            wait_until(lambda: not server._methods[UNARY].inline)
        (stream_id,) = by_hand(peer, "hold")
        gate.wait_entered()
        peer.machine.send_reset(stream_id)
        peer.send()

        assert gate.contexts[-1].wait_cancelled(SECONDS)
        gate.opened.set()


def test_a_request_that_is_reset_before_its_turn_is_not_run() -> None:
    gate = Gate()
    ran = list[str]()

    def method(request: Any, context: Any) -> Any:
        ran.append(request.text)
        return gate(request, context)

    with ours(Probe(method)) as (_, path), calling_by_hand(path) as peer:
        first = peer.machine.send_unary_request(UNARY, note("hold"))
        second = peer.machine.send_unary_request(UNARY, note("never"))
        peer.machine.send_reset(second)
        peer.machine.send_unary_request(UNARY, note("last"))
        peer.send()
        peer.receive(UnaryResponse)
        gate.opened.set()

        assert peer.receive(UnaryResponse).stream_id == first
        assert ran == ["hold", "last"]


def test_a_method_hears_of_the_connections_end() -> None:
    gate = Gate()
    with ours(Probe(gate)) as (_, path):
        with calling_by_hand(path) as peer:
            by_hand(peer, "hold", "hold")
            gate.wait_entered(2)

        for context in gate.contexts:
            assert context.wait_cancelled(SECONDS)
        gate.opened.set()


def test_a_connection_may_end_at_any_byte() -> None:
    with ours(Probe(echo)) as (_, path):
        with calling_by_hand(path) as peer:
            peer.machine.send_unary_request(UNARY, note("hello"))
            data = peer.machine.data_to_send()
        for length in range(len(data)):
            with calling_by_hand(path) as peer:
                peer.socket.sendall(data[:length])
        with calling_by_hand(path) as peer:
            by_hand(peer, "hello")
            assert peer.receive(UnaryResponse).message == note("hello")


# --- deadlines ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [UNARY, SERVER_STREAM])
def test_a_deadline_ends_the_call_though_the_method_goes_on(path: str) -> None:
    gate = Gate()
    service = Probe(gate, lambda request, context: iter([gate(request, context)]))
    with ours(service) as (_, address), calling_by_hand(address) as peer:
        stream_id = peer.machine.send_request(path, timeout=0.05)
        peer.machine.send_message(stream_id, note("hold"), True)
        ended = peer.receive(ResponseEnded)

        assert (ended.status.code, ended.status.message) == (Code.DEADLINE_EXCEEDED, "context deadline exceeded")
        assert gate.contexts[0].cancelled
        gate.opened.set()


@pytest.mark.parametrize("path", [UNARY, SERVER_STREAM])
def test_what_a_method_raises_behind_its_deadline_does_not_count(path: str) -> None:
    def method(request: Any, context: Any) -> Any:
        context.wait_cancelled(SECONDS)
        raise ValueError("too late")

    with ours(Probe(method, method)) as (_, address), calling_by_hand(address) as peer:
        for _ in range(10):
            stream_id = peer.machine.send_request(path, timeout=0.005)
            peer.machine.send_message(stream_id, b"", True)
            assert peer.receive(ResponseEnded).status.code is Code.DEADLINE_EXCEEDED


def test_a_method_sees_how_long_its_caller_waits() -> None:
    remaining = list[Any]()

    def method(request: Any, context: Any) -> Any:
        remaining.append(context.time_remaining())
        return request

    with serving(Probe(method)) as channel:
        channel.unary(UNARY, b"", timeout=10.0)
        channel.unary(UNARY, b"")

    assert 9.0 < remaining[0] <= 10.0
    assert remaining[1] is None


def test_a_deadline_of_a_method_that_was_slow_before() -> None:
    gate = Gate()
    with ours(Probe(gate)) as (server, path), calling_by_hand(path) as peer:
        by_hand(peer, "hold")
        gate.wait_entered()
        wait_until(lambda: not server._methods[UNARY].inline)
        peer.machine.send_unary_request(UNARY, note("hold"), timeout=0.05)

        assert peer.receive(UnaryResponse).status.code is Code.DEADLINE_EXCEEDED
        gate.opened.set()


# --- a system without threads ------------------------------------------------------------------------------------


def be_served(peer: ByHand) -> None:
    """Make a call: whoever reads this connection is there then."""
    by_hand(peer, "hello")
    peer.receive(UnaryResponse)


def test_calls_wait_for_a_slow_one_if_nobody_else_can_read(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate()
    with ours(Probe(gate)) as (server, path), calling_by_hand(path) as peer:
        be_served(peer)
        attempts = threading.Semaphore(0)
        start = server._workers.start

        def attempt(job: Any) -> None:
            attempts.release()
            start(job)

        monkeypatch.setattr(server._workers, "start", attempt)
        with no_threads():
            streams = by_hand(peer, "hold", "a", "b")
            for _ in range(3):
                assert attempts.acquire(timeout=SECONDS)
            gate.opened.set()

            assert [peer.receive(UnaryResponse).stream_id for _ in streams] == streams
            assert not gate.contexts[0].cancelled


def test_a_method_that_was_slow_before_is_run_by_who_reads() -> None:
    with ours(Probe(echo)) as (server, path), calling_by_hand(path) as peer:
        be_served(peer)
        server._methods[UNARY].inline = False
        with no_threads():
            streams = by_hand(peer, "a", "b")

            assert [peer.receive(UnaryResponse).stream_id for _ in streams] == streams
        wait_until(lambda: not server._connections[0]._calls)


def test_a_stream_is_refused_and_other_calls_go_on() -> None:
    with ours(Probe(echo)) as (server, path), calling_by_hand(path) as peer:
        be_served(peer)
        with no_threads():
            stream_id = peer.machine.send_request(SERVER_STREAM)
            peer.machine.send_message(stream_id, note("1"), True)
            (other,) = by_hand(peer, "a")

            status = peer.receive(ResponseEnded).status
            assert (status.code, status.message) == (
                Code.RESOURCE_EXHAUSTED,
                "the plugin's process can start no thread for this call",
            )
            assert peer.receive(UnaryResponse).stream_id == other
        wait_until(lambda: not server._connections[0]._calls)


def test_a_connection_without_a_thread_ends_and_the_next_one_is_served() -> None:
    with ours(Probe(echo)) as (server, path):
        with no_threads(), calling_by_hand(path) as peer:
            assert isinstance(peer.receive(ConnectionEnded), ConnectionEnded)
            wait_until(lambda: not server._connections)
        with calling_by_hand(path) as peer:
            by_hand(peer, "a")
            assert peer.receive(UnaryResponse).message == note("a")


# --- answers -----------------------------------------------------------------------------------------------------


def test_an_error_of_the_authors_is_unknown_with_its_text() -> None:
    def method(request: Any, context: Any) -> Any:
        raise ValueError("no good")

    with serving(Probe(method)) as channel, pytest.raises(RemoteError, match="code = Unknown desc = no good"):
        channel.unary(UNARY, b"")


def test_an_exit_ends_the_call_and_nothing_else() -> None:
    def method(request: Any, context: Any) -> Any:
        raise SystemExit(3)

    with serving(Probe(method)) as channel:
        for _ in range(3):
            with pytest.raises(RemoteError, match="code = Unknown desc = 3"):
                channel.unary(UNARY, b"", timeout=SECONDS)


def test_a_reply_that_is_no_message_is_an_error() -> None:
    service = Probe(lambda request, context: None)
    with serving(service) as channel, pytest.raises(RemoteError, match="SerializeToString"):
        channel.unary(UNARY, b"")


def test_a_request_that_is_no_message_is_an_error() -> None:
    with serving(Probe(echo)) as channel, pytest.raises(RemoteError, match="Internal desc = grpc: error unmarshalling"):
        channel.unary(UNARY, b"\xff")


def test_metadata_that_cannot_be_sent_is_an_error() -> None:
    def method(request: Any, context: Any) -> Any:
        if request.text == "initial":
            context.send_initial_metadata([("No", "good")])
        else:
            context.set_trailing_metadata([("No", "good")])
        if request.text == "error":
            raise ValueError
        return request

    with serving(Probe(method)) as channel:
        for text in ("initial", "trailing", "error"):
            with pytest.raises(RemoteError, match="Internal desc = metadata cannot have the key 'No'"):
                channel.unary(UNARY, note(text))


def test_callbacks_run_when_the_reply_is_written() -> None:
    order = list[str]()
    done = threading.Event()

    def method(request: Any, context: Any) -> Any:
        context.add_callback(lambda: order.append("callback"))
        context.add_callback(done.set)
        order.append("method")
        return request

    with serving(Probe(method)) as channel:
        channel.unary(UNARY, b"")
        assert done.wait(SECONDS)

    assert order == ["method", "callback"]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/goplugin.tests.aio.Probe/Other", "unknown method Other for service goplugin.tests.aio.Probe"),
        ("/other.Service/Unary", "unknown service other.Service"),
    ],
)
def test_an_unknown_path_is_refused_in_gos_words(path: str, text: str) -> None:
    with serving(Probe(echo)) as channel:
        with pytest.raises(RemoteError) as caught:
            channel.unary(path, b"")
        assert (caught.value.code, caught.value.message) == (Code.UNIMPLEMENTED, text)

        assert channel.unary(UNARY, b"").message == b""


# --- peers that behave badly -------------------------------------------------------------------------------------


def test_a_client_that_does_not_read_gets_no_more_replies_but_holds_up_nobody_else() -> None:
    calls = list[int]()

    def method(request: Any, context: Any) -> Any:
        calls.append(len(request.data))
        return request

    large = Note(data=bytes(MEBIBYTE)).SerializeToString()
    with ours(Probe(method)) as (_, path), calling_by_hand(path) as peer, calling_by_hand(path) as other:
        peer.receive(SettingsChanged)
        writer = background(lambda: [_send_large(peer, large) for _ in range(8)])
        wait_until(lambda: calls)
        by_hand(other, "hello")
        assert other.receive(UnaryResponse).message == note("hello")

        replies = [peer.receive(UnaryResponse) for _ in writer.result()]
        assert [reply.message for reply in replies] == [large] * 8


def _send_large(peer: ByHand, message: bytes) -> int:
    stream_id = peer.machine.send_unary_request(UNARY, message)
    peer.send()
    return stream_id


def test_a_client_that_breaks_the_protocol_is_told_so() -> None:
    gate = Gate()
    with ours(Probe(gate)) as (server, path), calling_by_hand(path) as peer:
        by_hand(peer, "hold")
        gate.wait_entered()
        peer.socket.sendall(b"\0\0\0\0\0\0\0\0\2")

        assert peer.receive(GoingAway).error_code == 1
        assert isinstance(peer.receive(ConnectionEnded), ConnectionEnded)
        assert gate.contexts[0].wait_cancelled(SECONDS)
        gate.opened.set()
        wait_until(lambda: not server._connections)


def test_the_connection_ends_while_replies_are_written() -> None:
    def method(request: Any, context: Any) -> Any:
        return Note(data=bytes(8 * MEBIBYTE))

    with ours(Probe(method)) as (server, path):
        for _ in range(5):
            with calling_by_hand(path) as peer:
                by_hand(peer, "large", "large")
                peer.socket.recv(65536)
        wait_until(lambda: not server._connections)


def test_a_channel_that_loses_its_server() -> None:
    gate = Gate()
    with ours(Probe(gate)) as (server, path), calling(path) as channel:
        slow = hold(channel)
        gate.wait_entered()
        stopper = background(server.stop, 0.05)

        with pytest.raises(PluginLostError):
            slow.result()
        stopper.result()
        gate.opened.set()
