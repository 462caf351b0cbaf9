"""Calls with streams, from the method's side."""
from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from goplugin.core.errors import RemoteError
from goplugin.core.http2 import (
    Limits,
    MessageReceived,
    ResponseEnded,
    ResponseStarted,
    SettingsChanged,
)
from goplugin.core.status import Code
from goplugin.sync.channel import Channel

from .support import (
    BIDI_STREAM,
    CLIENT_STREAM,
    MEBIBYTE,
    SECONDS,
    SERVER_STREAM,
    UNARY,
    Background,
    Note,
    Probe,
    background,
    calling_by_hand,
    ours,
    reads,
    serving,
    text_of,
    wait_until,
)


def note(text: str) -> bytes:
    return Note(text=text).SerializeToString()


def replies_to(channel: Channel, path: str, *texts: str) -> list[str | None]:
    with channel.open(path, timeout=SECONDS) as call:
        for text in texts:
            call.send(note(text))
        call.end()
        return [text_of(message) for message in call]


# --- what a method may be ----------------------------------------------------------------------------------------


def test_a_stream_of_replies_may_be_any_iterable() -> None:
    with serving(Probe(server_stream=lambda request, context: [request, request])) as channel:
        assert replies_to(channel, SERVER_STREAM, "a") == ["a", "a"]


def test_a_stream_of_replies_may_be_empty() -> None:
    with serving(Probe(server_stream=lambda request, context: ())) as channel:
        assert replies_to(channel, SERVER_STREAM, "a") == []


def test_a_method_may_answer_before_it_has_all_requests() -> None:
    service = Probe(client_stream=lambda requests, context: next(requests))
    with serving(service) as channel, channel.open(CLIENT_STREAM) as call:
        call.send(note("first"))
        assert text_of(call.receive()) == "first"
        assert call.receive() is None


def test_a_method_may_read_ahead_on_a_thread_of_its_own() -> None:
    def method(requests: Any, context: Any) -> Iterator[Any]:
        texts = background(lambda: "".join(request.text for request in requests))
        yield Note(text="begun")
        yield Note(text=texts.result())

    with serving(Probe(bidi_stream=method)) as channel, channel.open(BIDI_STREAM, timeout=SECONDS) as call:
        assert text_of(call.receive()) == "begun"
        for text in "abc":
            call.send(note(text))
        call.end()
        assert text_of(call.receive()) == "abc"


def test_metadata_of_a_stream() -> None:
    def method(request: Any, context: Any) -> Iterator[Any]:
        context.send_initial_metadata([("first", context.metadata["key"])])
        assert entered.acquire(timeout=SECONDS)
        yield request
        context.set_trailing_metadata([("last", "1"), ("last", "2")])

    entered = threading.Semaphore(0)
    service = Probe(server_stream=method)
    with serving(service) as channel, channel.open(SERVER_STREAM, metadata=[("key", "value")]) as call:
        call.send(note("a"), end=True)
        assert call.initial_metadata() == (("first", "value"),), "it comes before the first reply does"
        entered.release()
        assert text_of(call.receive()) == "a"
        assert call.receive() is None
        assert call.status is not None
        assert call.status.metadata == (("last", "1"), ("last", "2"))


def test_metadata_cannot_be_sent_twice() -> None:
    def method(request: Any, context: Any) -> Any:
        context.send_initial_metadata([("key", "value")])
        context.send_initial_metadata([("key", "value")])
        return ()

    with serving(Probe(server_stream=method)) as channel, pytest.raises(RemoteError, match="HEADERS cannot be sent"):
        replies_to(channel, SERVER_STREAM, "a")


# --- errors ------------------------------------------------------------------------------------------------------


def test_an_error_comes_behind_the_replies() -> None:
    def method(request: Any, context: Any) -> Iterator[Any]:
        yield request
        raise RemoteError(Code.ABORTED, "enough")

    with serving(Probe(server_stream=method)) as channel, channel.open(SERVER_STREAM) as call:
        call.send(note("a"), end=True)
        assert text_of(call.receive()) == "a"
        with pytest.raises(RemoteError, match="code = Aborted desc = enough"):
            call.receive()


def test_an_error_before_the_first_reply() -> None:
    def method(request: Any, context: Any) -> Any:
        raise ValueError("no good")

    with serving(Probe(server_stream=method, client_stream=method)) as channel:
        for path in (SERVER_STREAM, CLIENT_STREAM):
            with pytest.raises(RemoteError, match="code = Unknown desc = no good"):
                replies_to(channel, path, "a")


def test_a_request_in_the_stream_that_is_no_message() -> None:
    service = Probe(bidi_stream=lambda requests, context: requests)
    with serving(service) as channel, channel.open(BIDI_STREAM) as call:
        call.send(note("a"))
        assert text_of(call.receive()) == "a"
        call.send(b"\xff")
        with pytest.raises(RemoteError, match="Internal desc = grpc: error unmarshalling request"):
            call.receive()


# --- cancellation ------------------------------------------------------------------------------------------------


class Endless:
    """A stream of replies that goes on until its generator is closed."""

    def __init__(self) -> None:
        self.closed = threading.Event()
        self.context: Any = None

    def __call__(self, request: Any, context: Any) -> Iterator[Any]:
        self.context = context
        try:
            while True:
                yield request
        finally:
            self.closed.set()


def test_a_generator_is_closed_when_nobody_wants_more() -> None:
    endless = Endless()
    with serving(Probe(server_stream=endless)) as channel:
        with channel.open(SERVER_STREAM) as call:
            call.send(Note(data=bytes(65536)).SerializeToString(), end=True)
            for _ in range(10):
                call.receive()

        assert endless.closed.wait(SECONDS)
        assert endless.context.cancelled


def test_a_generator_is_closed_at_the_connections_end() -> None:
    endless = Endless()
    with ours(Probe(server_stream=endless)) as (_, path):
        with calling_by_hand(path) as peer:
            stream_id = peer.machine.send_request(SERVER_STREAM)
            peer.machine.send_message(stream_id, note("a"), True)
            peer.receive(MessageReceived)

        assert endless.closed.wait(SECONDS)


def test_a_generator_is_closed_when_the_server_stops() -> None:
    endless = Endless()
    with ours(Probe(server_stream=endless)) as (server, path), calling_by_hand(path) as peer:
        stream_id = peer.machine.send_request(SERVER_STREAM)
        peer.machine.send_message(stream_id, note("a"), True)
        peer.receive(MessageReceived)
        stopper = background(server.stop, SECONDS)
        ended = peer.receive(ResponseEnded)

        assert endless.closed.is_set()
        assert (ended.status.code, ended.status.message) == (Code.CANCELLED, "context canceled")
        stopper.result()


def test_a_method_that_waits_for_requests_hears_of_a_reset() -> None:
    errors = list[BaseException]()
    done = threading.Event()

    def method(requests: Any, context: Any) -> Any:
        context.add_callback(done.set)
        try:
            return next(requests) and next(requests)
        except RemoteError as error:
            errors.append(error)
            raise

    with serving(Probe(client_stream=method)) as channel:
        with channel.open(CLIENT_STREAM) as call:
            call.send(note("a"))
            with channel.open(CLIENT_STREAM):
                pass
        assert done.wait(SECONDS)

    assert [str(error) for error in errors] == ["rpc error: code = Canceled desc = context canceled"] * len(errors)
    assert errors


# --- flow control ------------------------------------------------------------------------------------------------


def test_a_method_that_streams_waits_for_a_client_that_does_not_read() -> None:
    sent = list[int]()

    def method(request: Any, context: Any) -> Iterator[Any]:
        for number in range(8):
            sent.append(number)
            yield Note(data=bytes(50_000))

    with ours(Probe(server_stream=method)) as (_, path), calling_by_hand(path, Limits(stream_window=65535)) as peer:
        peer.receive(SettingsChanged)
        stream_id = peer.machine.send_request(SERVER_STREAM)
        peer.machine.send_message(stream_id, b"", True)
        peer.receive(ResponseStarted)
        for number in range(8):
            assert len(sent) <= number + 3
            message = peer.receive(MessageReceived).message
            peer.machine.acknowledge_message(stream_id, len(message))
        assert peer.receive(ResponseEnded).status.code is Code.OK


def test_requests_that_a_method_does_not_take_hold_back_the_client() -> None:
    def method(requests: Any, context: Any) -> Any:
        assert opened.wait(SECONDS)
        return Note(text=str(sum(len(request.data) for request in requests)))

    def send() -> None:
        for number in range(16):
            call.send(message)
            sent.append(number)
        call.end()

    opened, sent = threading.Event(), list[int]()
    message = Note(data=bytes(MEBIBYTE)).SerializeToString()
    with serving(Probe(client_stream=method)) as channel, channel.open(CLIENT_STREAM) as call:
        sender = background(send)
        wait_until(lambda: reads(sender))
        assert len(sent) < 16
        opened.set()
        sender.result()

        assert text_of(call.receive()) == str(16 * MEBIBYTE)


def test_streams_do_not_hold_up_unary_calls() -> None:
    endless = Endless()
    service = Probe(lambda request, context: request, server_stream=endless)
    with serving(service) as channel, channel.open(SERVER_STREAM) as call:
        call.send(Note(data=bytes(MEBIBYTE)).SerializeToString(), end=True)
        call.receive()
        for number in range(50):
            assert channel.unary(UNARY, note(str(number)), timeout=SECONDS).message == note(str(number))


def test_a_reset_of_a_call_that_has_been_answered_is_nothing() -> None:
    with ours(Probe(server_stream=lambda request, context: ())) as (_, path), calling_by_hand(path) as peer:
        stream_id = peer.machine.send_request(SERVER_STREAM)
        peer.machine.send_message(stream_id, b"", True)
        peer.receive(ResponseEnded)
        other = peer.machine.send_request(SERVER_STREAM)
        peer.machine.send_reset(other)
        peer.machine.send_ping()
        third = peer.machine.send_request(SERVER_STREAM)
        peer.machine.send_message(third, b"", True)

        assert peer.receive(ResponseEnded).stream_id == third


def test_a_thread_that_a_method_leaves_behind_at_its_requests_ends_with_the_call() -> None:
    def method(requests: Any, context: Any) -> Any:
        left.append(background(next, requests))
        return ()

    left = list[Background]()
    with serving(Probe(bidi_stream=method)) as channel, channel.open(BIDI_STREAM) as call:
        assert call.receive() is None
        with pytest.raises(RemoteError) as caught:
            left[0].result()
        assert caught.value.code is Code.CANCELLED
