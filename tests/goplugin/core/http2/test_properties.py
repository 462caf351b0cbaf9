"""What holds for all bytes, however they are cut: the plainest calls are taken in one step, and nobody can tell."""
from __future__ import annotations

import itertools
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from goplugin.core.errors import RemoteProtocolError
from goplugin.core.http2 import (
    ClientConnection,
    Event,
    Limits,
    MessageReceived,
    RequestEnded,
    RequestReceived,
    ResponseEnded,
    ResponseStarted,
    ServerConnection,
    StreamReset,
    UnaryRequest,
    UnaryResponse,
)
from goplugin.core.http2 import frames as wire
from goplugin.core.http2.frames import DATA, END_HEADERS, END_STREAM, HEAD_SIZE, HEADERS, PREFACE
from goplugin.core.http2.messages import PREFIX_SIZE
from goplugin.core.http2.responses import OK_TRAILERS, RESPONSE_HEAD

from .support import ECHO, STREAM, Connection, block, drain, frame, message, request, request_block, response

LIMITS = Limits(max_message_size=200, max_header_list_size=400, max_concurrent_streams=3, connection_window=65_535)
LIMITS.stream_window = 150      # smaller than anybody may configure
STREAM_IDS = st.sampled_from([0, 1, 2, 3, 5, 7, 9, 11, 13, 2**31 + 5])
PAYLOADS = st.one_of(st.binary(max_size=12), st.binary(max_size=12).map(message), st.just(message(bytes(190))))
BLOCKS = st.one_of(
    st.sampled_from([
        request_block(),
        request_block(STREAM),
        request_block(ECHO, ("grpc-timeout", "5S")),
        request_block(ECHO, ("grpc-timeout", "77m")),
        request_block(ECHO, ("grpc-timeout", "x")),
        request_block(ECHO, ("k-bin", "*")),
        request_block(ECHO, ("k", "v" * 400)),
        RESPONSE_HEAD,
        RESPONSE_HEAD + OK_TRAILERS,
        RESPONSE_HEAD + block(("k", "v")),
        OK_TRAILERS,
        block(("grpc-status", "5"), ("grpc-message", "%41")),
        block((":status", "103")),
        block((":status", "404")),
        b"\x20" + RESPONSE_HEAD,
        b"\x20" + request_block(),
        RESPONSE_HEAD + b"\x40\x01k\x01v",      # enters the dynamic table
        request_block() + b"\x40\x01k\x01v",
        request_block() + b"\xbe",              # and reads from it
        b"",
    ]),
    st.binary(max_size=12),
)
WORDS = st.sampled_from([0, 1, 50, 65_535, 2**31 - 1, 2**32 - 1])
SETTINGS_FRAMES = st.dictionaries(st.sampled_from([1, 2, 3, 4, 5, 6, 99]), WORDS, max_size=2).map(
    lambda values: wire.settings(values.items())
)
FRAMES = st.one_of(
    st.builds(request, STREAM_IDS, st.sampled_from([ECHO, STREAM]), st.binary(max_size=12)),
    st.builds(response, STREAM_IDS, st.binary(max_size=12)),
    st.builds(frame, st.just(HEADERS), st.sampled_from([END_HEADERS, 5, 0, 1, 0x2C, 0xFF]), STREAM_IDS, BLOCKS),
    st.builds(frame, st.just(DATA), st.sampled_from([0, END_STREAM, 8, 9, 0xF6]), STREAM_IDS, PAYLOADS),
    st.builds(frame, st.just(wire.CONTINUATION), st.sampled_from([0, END_HEADERS]), STREAM_IDS, BLOCKS),
    st.builds(wire.rst_stream, STREAM_IDS, WORDS),
    st.builds(wire.window_update, STREAM_IDS, WORDS),
    st.builds(wire.goaway, STREAM_IDS.map((2**31 - 1).__and__), WORDS, st.just(b"")),
    st.builds(wire.ping, st.just(b"12345678"), st.sampled_from([0, 1])),
    SETTINGS_FRAMES,
    st.just(wire.settings_ack()),
    st.builds(frame, st.integers(0, 12), st.integers(0, 255), STREAM_IDS, st.binary(max_size=12)),
    st.binary(max_size=12),
)
# What is a plain request or answer in all places but one at most: the conditions of `_take_unary`, one by one.


class Plain(NamedTuple):
    """The parts of a plain request, or answer."""

    path: str = ECHO
    kind: int = DATA
    flags: int = -1                     # END_STREAM in a request, 0 in an answer
    other_id: int = 0                   # another stream's, if it is not 0
    compressed: int = 0
    longer: int = 0                     # how much longer the message claims to be than it is
    payload: bytes = b"hello"
    tail: bytes = OK_TRAILERS
    tail_kind: int = HEADERS
    tail_flags: int = END_HEADERS | END_STREAM
    tail_id: int = 0
    before: bytes = b""                 # another block in front of it
    cut_off: int = 0                    # octets that are missing at the end


DEVIATIONS: dict[str, list[object]] = {
    "path": [STREAM],
    "kind": [HEADERS, wire.CONTINUATION],
    "flags": [0, END_STREAM, 8, 9],
    "other_id": [1, 3, 5, 7],
    "compressed": [1],
    "longer": [1, -1],
    "payload": [b"", bytes(146), bytes(195), bytes(201)],
    "tail": [block(("grpc-status", "5")), OK_TRAILERS[:-1], b"", RESPONSE_HEAD],
    "tail_kind": [DATA, wire.CONTINUATION],
    "tail_flags": [END_HEADERS, END_STREAM],
    "tail_id": [1, 3, 5, 7],
    "before": [RESPONSE_HEAD, request_block()],
    "cut_off": [1, 20],
}
PLAINS = st.just(Plain()) | st.sampled_from(
    [Plain()._replace(**{name: value}) for name, values in DEVIATIONS.items() for value in values]
    + [Plain(tail=OK_TRAILERS + block(("k", "v")), cut_off=len(block(("k", "v"))))]
)


def body_of(plain: Plain, stream_id: int, flags: int) -> bytes:
    prefix = bytes((plain.compressed,)) + (len(plain.payload) + plain.longer).to_bytes(4, "big")
    flags = flags if plain.flags < 0 else plain.flags
    return frame(plain.kind, flags, plain.other_id or stream_id, prefix + plain.payload)


def almost_request(stream_id: int, plain: Plain) -> bytes:
    before = frame(HEADERS, END_HEADERS, stream_id, plain.before) if plain.before else b""
    head = frame(HEADERS, END_HEADERS, stream_id, request_block(plain.path))
    data = before + head + body_of(plain, stream_id, END_STREAM)
    return data[: len(data) - plain.cut_off]


def almost_response(stream_id: int, plain: Plain) -> bytes:
    before = frame(HEADERS, END_HEADERS, stream_id, plain.before) if plain.before else b""
    head = frame(HEADERS, END_HEADERS, stream_id, RESPONSE_HEAD)
    tail = frame(plain.tail_kind, plain.tail_flags, plain.tail_id or stream_id, plain.tail)
    data = before + head + body_of(plain, stream_id, 0) + tail
    return data[: len(data) - plain.cut_off]


ALMOST_REQUESTS = st.builds(almost_request, st.sampled_from([3, 5, 7, 9, 4]), PLAINS)
ALMOST_RESPONSES = st.builds(almost_response, st.sampled_from([1, 5, 7, 9, 11, 13]), PLAINS)
CONVERSATIONS = st.lists(FRAMES | ALMOST_REQUESTS | ALMOST_RESPONSES, max_size=12).map(b"".join)


def new_server() -> ServerConnection:
    """A server that has answered one plain request, and knows its block from that."""
    server = ServerConnection(unary_paths={ECHO}, limits=LIMITS)
    server.receive_data(PREFACE + wire.settings([]) + request(1))
    server.send_unary_reply(1, b"")
    return server


def new_client() -> ClientConnection:
    """A client that knows the blocks of plain answers, good and bad, and waits for calls of all kinds."""
    client = ClientConnection(limits=LIMITS)
    client.receive_data(wire.settings([]))
    client.send_unary_request(ECHO, b"1")
    client.receive_data(response(1))
    client.send_unary_request(ECHO, b"3")
    client.receive_data(almost_response(3, Plain(tail=block(("grpc-status", "5")))))
    client.send_unary_request(ECHO, b"5")
    client.send_unary_request(ECHO, b"7")
    client.send_end(client.send_request(STREAM))
    client.send_request(STREAM)
    client.send_unary_request(ECHO, bytes(70_000))      # some of it waits
    return client


def outcome(connection: Connection, pieces: list[bytes]) -> tuple[list[Event], str, bytes]:
    """All that comes of these bytes: events, the error, and what is to be sent."""
    for piece in pieces:
        connection.receive_data(piece)
        assert len(connection._buffer) <= HEAD_SIZE + wire.DEFAULT_MAX_FRAME_SIZE
    connection.receive_eof()
    events: list[Event] = []
    error = ""
    try:
        while (event := connection.next_event()) is not None:
            events.append(event)
    except RemoteProtocolError as broken:
        error = str(broken)
    assert connection.open_calls == 0
    return events, error, connection.data_to_send()


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    positions = [0, *sorted(at for at in cuts if at < len(data)), len(data)]
    return [data[start:stop] for start, stop in itertools.pairwise(positions)]


def single_octets(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


@given(st.lists(ALMOST_REQUESTS, max_size=3).map(b"".join))
@settings(max_examples=500)
def test_an_almost_plain_request_is_taken_like_any_other(data: bytes) -> None:
    assert outcome(new_server(), [data]) == outcome(new_server(), single_octets(data))


@given(st.lists(ALMOST_RESPONSES, max_size=3).map(b"".join))
@settings(max_examples=500)
def test_an_almost_plain_answer_is_taken_like_any_other(data: bytes) -> None:
    assert outcome(new_client(), [data]) == outcome(new_client(), single_octets(data))


@given(CONVERSATIONS, st.lists(st.integers(0, 400)))
@settings(max_examples=400)
def test_a_server_does_not_care_how_bytes_are_cut(data: bytes, cuts: list[int]) -> None:
    whole = outcome(new_server(), [data])

    assert outcome(new_server(), cut(data, cuts)) == whole
    assert outcome(new_server(), single_octets(data)) == whole


@given(CONVERSATIONS, st.lists(st.integers(0, 400)))
@settings(max_examples=400)
def test_a_client_does_not_care_how_bytes_are_cut(data: bytes, cuts: list[int]) -> None:
    whole = outcome(new_client(), [data])

    assert outcome(new_client(), cut(data, cuts)) == whole
    assert outcome(new_client(), single_octets(data)) == whole


@given(st.lists(st.binary(max_size=40)))
def test_any_bytes_give_events_or_an_error_from_the_beginning(pieces: list[bytes]) -> None:
    outcome(ServerConnection(limits=LIMITS), pieces)
    outcome(ClientConnection(limits=LIMITS), pieces)


@given(st.lists(CONVERSATIONS, max_size=6), st.data())
@settings(max_examples=300)
def test_a_server_that_answers_survives_any_peer(conversations: list[bytes], data: st.DataObject) -> None:
    server = new_server()
    try:
        for conversation in conversations:
            server.receive_data(conversation)
            for event in drain(server):
                answer(server, event, data)
            if data.draw(st.booleans()):
                server.data_to_send()
            assert server.open_calls <= LIMITS.max_concurrent_streams
    except RemoteProtocolError:
        assert wire.unpack_head(server.data_to_send()[-200:]) is not None


def answer(server: ServerConnection, event: Event, data: st.DataObject) -> None:
    """Do something that is possible, or at least may be tried, behind this event."""
    size = data.draw(st.sampled_from([0, 10, 20_000, 70_000]))
    if isinstance(event, UnaryRequest | RequestReceived) and data.draw(st.booleans()):
        server.send_unary_reply(event.stream_id, bytes(size))
    elif isinstance(event, RequestReceived):
        server.send_response(event.stream_id)
        server.send_message(event.stream_id, bytes(size))
    elif isinstance(event, UnaryRequest):
        server.send_status(event.stream_id, 5, "no")
    elif isinstance(event, MessageReceived):
        server.acknowledge_message(event.stream_id, len(event.message))
    elif isinstance(event, StreamReset):
        server.send_unary_reply(event.stream_id, b"too late")


@given(st.lists(CONVERSATIONS, max_size=6), st.data())
@settings(max_examples=300)
def test_a_client_that_calls_survives_any_peer(conversations: list[bytes], data: st.DataObject) -> None:
    client = new_client()
    try:
        for conversation in conversations:
            client.receive_data(conversation)
            for event in drain(client):
                if isinstance(event, MessageReceived):
                    client.acknowledge_message(event.stream_id, len(event.message))
                elif isinstance(event, ResponseStarted) and data.draw(st.booleans()):
                    client.send_reset(event.stream_id)
            if client.can_call:
                client.send_unary_request(ECHO, bytes(data.draw(st.sampled_from([0, 10, 20_000, 70_000]))))
            if data.draw(st.booleans()):
                client.data_to_send()
    except RemoteProtocolError:
        assert client.open_calls == 0


@given(CONVERSATIONS)
@settings(max_examples=300)
def test_every_call_that_is_told_of_has_one_end(data: bytes) -> None:
    events, _, _ = outcome(new_client(), [data])

    ends = [event.stream_id for event in events if isinstance(event, UnaryResponse | ResponseEnded | StreamReset)]
    assert sorted(ends) == [1, 3, 5, 7, 9, 11, 13]
    for stream_id in ends:
        own = [event for event in events if getattr(event, "stream_id", None) == stream_id]
        assert isinstance(own[-1], UnaryResponse | ResponseEnded | StreamReset)


def expand(events: list[Event]) -> list[Event]:
    """Whole requests and answers as the sequences that other calls give."""
    sequence: list[Event] = []
    for event in events:
        if isinstance(event, UnaryRequest):
            sequence.append(RequestReceived(event.stream_id, event.head))
            sequence.append(MessageReceived(event.stream_id, event.message))
            sequence.append(RequestEnded(event.stream_id))
        elif isinstance(event, UnaryResponse):
            assert event.message is not None
            sequence.append(ResponseStarted(event.stream_id, event.metadata))
            sequence.append(MessageReceived(event.stream_id, event.message))
            sequence.append(ResponseEnded(event.stream_id, event.status))
        else:
            sequence.append(event)
    return sequence


def comparable(events: list[Event]) -> list[str]:
    return [repr(event).replace("unary=True", "unary=False") for event in events]


CALLS = st.lists(st.tuples(st.binary(max_size=300), st.sampled_from([None, 5.0, 0.25, 1e-3])), min_size=1, max_size=6)


@given(CALLS, st.lists(st.integers(0, 3000)))
def test_a_whole_request_is_the_sequence_of_its_parts(calls: list[tuple[bytes, float | None]], cuts: list[int]) -> None:
    client = ClientConnection()
    for payload, timeout in calls:
        client.send_unary_request(ECHO, payload, timeout=timeout)
    data = client.data_to_send()

    whole, parts = ServerConnection(unary_paths={ECHO}), ServerConnection()
    whole.receive_data(data)
    for piece in cut(data, cuts):
        parts.receive_data(piece)

    assert comparable(expand(drain(whole))) == comparable(drain(parts))
    assert whole._receive_window == parts._receive_window
    for payload, _ in calls:
        assert len(payload) + PREFIX_SIZE <= wire.DEFAULT_MAX_FRAME_SIZE


@given(CALLS, st.lists(st.integers(0, 3000)))
def test_a_whole_answer_is_the_sequence_of_its_parts(calls: list[tuple[bytes, float | None]], cuts: list[int]) -> None:
    whole, parts, server = ClientConnection(), ClientConnection(), ServerConnection(unary_paths={ECHO})
    for payload, timeout in calls:
        whole.send_unary_request(ECHO, payload, timeout=timeout)
        parts.send_message(parts.send_request(ECHO, timeout=timeout), payload, end=True)
    data = whole.data_to_send()
    assert data == parts.data_to_send()         # the two ways of asking are one on the wire
    server.receive_data(data)
    for event in drain(server):
        if isinstance(event, UnaryRequest):
            server.send_unary_reply(event.stream_id, event.message)
    answers = server.data_to_send()

    whole.receive_data(answers)
    for piece in cut(answers, cuts):
        parts.receive_data(piece)

    assert comparable(expand(drain(whole))) == comparable(drain(parts))
    assert whole.open_calls == parts.open_calls == 0


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=6))
def test_the_two_ways_of_replying_are_one_on_the_wire(payloads: list[bytes]) -> None:
    whole, parts = ServerConnection(unary_paths={ECHO}), ServerConnection(unary_paths={ECHO})
    for server in (whole, parts):
        server.receive_data(PREFACE + wire.settings([]))
        for number, payload in enumerate(payloads):
            server.receive_data(request(2 * number + 1, ECHO, payload))
    for number, payload in enumerate(payloads):
        stream_id = 2 * number + 1
        whole.send_unary_reply(stream_id, payload)
        parts.send_response(stream_id)
        parts.send_message(stream_id, payload)
        parts.send_status(stream_id)

    assert whole.data_to_send() == parts.data_to_send()
    assert whole._outbox.window == parts._outbox.window
