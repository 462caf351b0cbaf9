"""Stubs that grpclib's generator wrote, over a blocking channel, to our server and to grpclib's."""
from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from goplugin.core.errors import ConfigError, PluginLostError, RemoteError
from goplugin.core.http2 import RequestEnded, RequestReceived, StreamReset
from goplugin.core.status import Code
from goplugin.sync import Channel, stub

from ..aio.probe.probe_grpc import ProbeStub
from .support import SECONDS, Note, Probe, background, served_by_hand, serving, wait_until


@pytest.fixture
def probe(channel: Channel) -> Any:
    """The stub of the echo service, on either server."""
    return stub(ProbeStub, channel)


def notes(*texts: str) -> Iterator[Note]:
    return (Note(text=text) for text in texts)


def texts_of(replies: Any) -> list[str]:
    return [reply.text for reply in replies]


# --- the four kinds ----------------------------------------------------------------------------------------------


def test_one_request_has_one_reply(probe: Any) -> None:
    assert probe.Unary(Note(text="hello"), timeout=SECONDS).text == "hello"


def test_a_stream_of_replies_is_an_iterator(probe: Any) -> None:
    call = probe.ServerStream(Note(text="3"), timeout=SECONDS)

    assert next(call).text == "0"
    assert texts_of(call) == ["1", "2"]
    assert call.status.code is Code.OK
    with pytest.raises(StopIteration):
        next(call)


def test_a_stream_of_requests_is_any_iterable(probe: Any) -> None:
    assert probe.ClientStream(notes("a", "b", "c"), timeout=SECONDS).text == "abc"
    assert probe.ClientStream([Note(text="d")], timeout=SECONDS).text == "d"
    assert probe.ClientStream([], timeout=SECONDS).text == ""


def test_streams_both_ways(probe: Any) -> None:
    assert texts_of(probe.BidiStream(notes("a", "b", "c"), timeout=SECONDS)) == ["a", "b", "c"]


def test_requests_may_wait_for_replies(probe: Any) -> None:
    replied = threading.Semaphore(0)

    def requests() -> Iterator[Note]:
        for text in "abc":
            yield Note(text=text)
            assert replied.acquire(timeout=SECONDS)

    replies = []
    for reply in probe.BidiStream(requests(), timeout=SECONDS):
        replies.append(reply.text)
        replied.release()

    assert replies == ["a", "b", "c"]


def test_a_call_can_be_made_message_by_message(probe: Any) -> None:
    with probe.BidiStream.open(timeout=SECONDS) as call:
        for text in "abc":
            assert call.send(Note(text=text))
            assert call.receive().text == text
        call.end()
        assert call.receive() is None


def test_an_open_call_of_one_request_ends_with_it(probe: Any) -> None:
    with probe.Unary.open(timeout=SECONDS) as call:
        call.send(Note(text="hello"), end=True)
        assert (call.receive().text, call.receive()) == ("hello", None)


# --- metadata, deadlines, ends -----------------------------------------------------------------------------------


def test_metadata_travels_both_ways() -> None:
    def unary(request: Note, context: Any) -> Note:
        context.send_initial_metadata([("first", "1")])
        context.set_trailing_metadata([("last", "2")])
        return Note(text=context.metadata["key"])

    with serving(Probe(unary=unary)) as channel:
        probe = stub(ProbeStub, channel)
        assert probe.Unary(Note(), metadata=[("key", "value")]).text == "value"
        with probe.Unary.open(metadata=[("key", "value")]) as call:
            call.send(Note(), end=True)
            assert ("first", "1") in call.initial_metadata()
            assert call.status is None
            assert (call.receive().text, call.receive()) == ("value", None)
            assert ("last", "2") in call.status.metadata


@pytest.mark.parametrize("kind", ["Unary", "ServerStream", "ClientStream", "BidiStream"])
def test_a_deadline_ends_a_call_of_any_kind(kind: str) -> None:
    def wait(request: Any, context: Any) -> Any:
        context.wait_cancelled(SECONDS)
        return []

    with serving(Probe(wait, wait, wait, wait)) as channel:
        method = getattr(stub(ProbeStub, channel), kind)
        request = [Note()] if kind in ("ClientStream", "BidiStream") else Note()

        with pytest.raises(RemoteError) as caught:
            list(method(request, timeout=0.05))

    assert caught.value.code is Code.DEADLINE_EXCEEDED


def test_an_error_of_the_server_is_raised_where_the_reply_is_awaited() -> None:
    def fail(request: Any, context: Any) -> Any:
        raise RemoteError(Code.NOT_FOUND, "no such key")

    with serving(Probe(fail, fail, fail, fail)) as channel:
        probe = stub(ProbeStub, channel)
        for call in (
            lambda: probe.Unary(Note()),
            lambda: next(probe.ServerStream(Note())),
            lambda: probe.ClientStream(notes("a")),
            lambda: next(probe.BidiStream(notes("a"))),
        ):
            with pytest.raises(RemoteError, match="no such key"):
                call()


def test_a_call_that_is_left_early_is_cancelled() -> None:
    cancelled = threading.Event()

    def for_ever(request: Note, context: Any) -> Iterator[Note]:
        context.add_callback(cancelled.set)
        while True:
            yield request

    with serving(Probe(server_stream=for_ever)) as channel:
        with stub(ProbeStub, channel).ServerStream(Note(text="again")) as call:
            assert next(call).text == "again"

        assert cancelled.wait(SECONDS)


def test_a_server_that_has_enough_ends_the_requests() -> None:
    sent = []

    def requests() -> Iterator[Note]:
        while True:
            sent.append(1)
            yield Note(text="x" * 100_000)

    with serving(Probe(client_stream=lambda requests, context: next(requests))) as channel:
        assert len(stub(ProbeStub, channel).ClientStream(requests(), timeout=SECONDS).text) == 100_000

    assert sent


# --- the caller's own mistakes -----------------------------------------------------------------------------------


def test_what_the_requests_raise_is_raised_where_replies_are_awaited(probe: Any) -> None:
    def requests() -> Iterator[Note]:
        yield Note(text="a")
        raise RemoteError(Code.ABORTED, "of my own")

    with pytest.raises(RemoteError, match="of my own"):
        list(probe.BidiStream(requests(), timeout=SECONDS))
    with pytest.raises(RemoteError, match="of my own"):
        probe.ClientStream(requests(), timeout=SECONDS)
    assert probe.Unary(Note(text="fine")).text == "fine"


@pytest.mark.parametrize("kind", ["Unary", "ServerStream"])
def test_a_request_of_another_type_is_refused_before_anything_is_sent(probe: Any, kind: str) -> None:
    with pytest.raises(TypeError, match=r"^the request must be a Note, not a str$"):
        getattr(probe, kind)("hello")


def test_a_request_of_another_type_ends_a_stream(probe: Any) -> None:
    with pytest.raises(TypeError, match=r"^the request must be a Note, not a str$"):
        list(probe.BidiStream(["hello"]))


class NoStub:
    def __init__(self, channel: Channel) -> None:
        self.channel = channel


def test_only_a_generated_class_makes_a_stub(channel: Channel) -> None:
    with pytest.raises(ConfigError, match=r"NoStub.* is no stub that grpclib's generator wrote$"):
        stub(NoStub, channel)


# --- bad servers -------------------------------------------------------------------------------------------------


def test_a_reply_that_is_no_message_is_an_internal_error() -> None:
    with served_by_hand() as (channel, peer):
        call = background(stub(ProbeStub, channel).ClientStream, notes("a"))
        stream_id = peer.receive(RequestReceived).stream_id
        peer.machine.send_response(stream_id)
        peer.machine.send_message(stream_id, b"\xff")
        peer.send()

        with pytest.raises(RemoteError, match="grpc: failed to unmarshal the received message: ") as caught:
            call.result()

    assert caught.value.code is Code.INTERNAL


@pytest.mark.parametrize(
    ("replies", "text"),
    [(0, "received no response message"), (2, "but received another message")],
)
def test_a_stream_of_requests_has_exactly_one_reply(replies: int, text: str) -> None:
    with served_by_hand() as (channel, peer):
        call = background(stub(ProbeStub, channel).ClientStream, notes("a"))
        stream_id = peer.receive(RequestEnded).stream_id
        peer.machine.send_response(stream_id)
        for _ in range(replies):
            peer.machine.send_message(stream_id, b"")
        peer.machine.send_status(stream_id)
        peer.send()

        with pytest.raises(RemoteError, match=f"cardinality violation: .*{text}"):
            call.result()


def test_a_lost_connection_ends_a_call_and_the_thread_that_sends() -> None:
    with served_by_hand() as (channel, peer):
        go_on = threading.Event()

        def requests() -> Iterator[Note]:
            yield Note(text="a")
            go_on.wait(SECONDS)
            yield Note(text="b")

        call = stub(ProbeStub, channel).BidiStream(requests())
        peer.receive(RequestReceived)
        peer.socket.close()

        with pytest.raises(PluginLostError):
            next(call)
        go_on.set()
        wait_until(lambda: not [each for each in threading.enumerate() if each.name == "goplugin-requests"])


def test_a_cancelled_call_tells_the_server() -> None:
    with served_by_hand() as (channel, peer):
        call = stub(ProbeStub, channel).ServerStream(Note())
        peer.receive(RequestReceived)

        call.cancel()

        assert peer.receive(StreamReset).status.code is Code.CANCELLED
        with pytest.raises(RemoteError, match="context canceled"):
            next(call)
