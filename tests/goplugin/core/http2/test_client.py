from __future__ import annotations

import pytest

from goplugin.core.errors import LocalProtocolError, RemoteProtocolError
from goplugin.core.http2 import (
    ClientConnection,
    Event,
    GoingAway,
    Limits,
    MessageReceived,
    ResponseEnded,
    ResponseStarted,
    Status,
    StreamReset,
    StreamWritable,
    UnaryResponse,
)
from goplugin.core.http2.faults import CANCEL, NO_ERROR, PROTOCOL_ERROR
from goplugin.core.http2.frames import (
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    MAX_STREAM_ID,
    RST_STREAM,
    goaway,
    settings,
    window_update,
)
from goplugin.core.http2.outbox import MAX_DEBT
from goplugin.core.http2.responses import OK_TRAILERS, RESPONSE_HEAD
from goplugin.core.http2.settings import (
    INITIAL_WINDOW_SIZE,
    MAX_CONCURRENT_STREAMS,
    MAX_FRAME_SIZE,
    MAX_HEADER_LIST_SIZE,
)
from goplugin.core.status import Code

from .support import ECHO, STREAM, Frame, block, drain, frame, frames, kinds, message, response, start_client

HEAD = frame(HEADERS, END_HEADERS, 1, RESPONSE_HEAD)
TAIL = frame(HEADERS, END_HEADERS | END_STREAM, 1, OK_TRAILERS)
BODY = frame(DATA, 0, 1, message(b"hello"))
GRPC = ("content-type", "application/grpc")


def calling(*, unary: bool = True, limits: Limits | None = None) -> ClientConnection:
    """A client whose call has stream 1."""
    client = start_client(limits=limits)
    if unary:
        client.send_unary_request(ECHO, b"")
    else:
        client.send_end(client.send_request(STREAM))
    client.data_to_send()
    return client


def answers(client: ClientConnection, data: bytes) -> list[Event]:
    client.receive_data(data)
    return drain(client)


def status_of(event: Event) -> Status:
    assert isinstance(event, UnaryResponse | ResponseEnded | StreamReset)
    return event.status


# --- requests ----------------------------------------------------------------------------------------------------


def test_an_unary_request_is_two_frames_in_one_piece() -> None:
    client = start_client()

    assert [client.send_unary_request(ECHO, b"hello") for _ in range(3)] == [1, 3, 5]

    assert len(client._outbox.pieces) == 3
    sent = frames(client.data_to_send())
    assert [(found.kind, found.flags, found.stream_id) for found in sent[:2]] == [
        (HEADERS, END_HEADERS, 1), (DATA, END_STREAM, 1),
    ]
    assert sent[1].payload == message(b"hello")


@pytest.mark.parametrize(
    ("settings_of_peer", "size"),
    [
        ({}, 16_384 - 5 + 1),
        ({INITIAL_WINDOW_SIZE: 10}, 6),
        ({INITIAL_WINDOW_SIZE: 100_000}, 65_535 - 5 + 1),
        ({MAX_FRAME_SIZE: 20_000, INITIAL_WINDOW_SIZE: 100_000}, 20_000),
    ],
)
def test_an_unary_request_may_take_more_frames_and_credit(settings_of_peer: dict[int, int], size: int) -> None:
    client = start_client(settings_of_peer=settings_of_peer)
    stream_id = client.send_unary_request(ECHO, bytes(size))
    sent = frames(client.data_to_send())

    client.receive_data(window_update(0, 100_000) + window_update(stream_id, 100_000))
    sent += frames(client.data_to_send())

    body = [found for found in sent if found.kind == DATA]
    assert b"".join(found.payload for found in body) == message(bytes(size))
    assert len(body) > 1
    assert [found.flags for found in body] == [0] * (len(body) - 1) + [END_STREAM]
    assert drain(client) == []          # nobody waits to send more


def test_an_unary_request_waits_for_the_connections_credit() -> None:
    client = start_client(settings_of_peer={INITIAL_WINDOW_SIZE: 100_000})
    client.send_unary_request(ECHO, bytes(65_535 - 5))
    client.data_to_send()

    stream_id = client.send_unary_request(ECHO, b"late")
    assert kinds(client.data_to_send()) == [HEADERS]
    client.receive_data(window_update(0, 9))

    assert frames(client.data_to_send()) == [Frame(DATA, END_STREAM, stream_id, message(b"late"))]


def test_a_larger_frame_is_used_if_the_peer_takes_it() -> None:
    client = start_client(settings_of_peer={MAX_FRAME_SIZE: 20_000})

    client.send_unary_request(ECHO, bytes(18_000))

    assert kinds(client.data_to_send()) == [HEADERS, DATA]


def test_large_metadata_is_split_into_frames() -> None:
    client = start_client()

    client.send_unary_request(ECHO, b"", [("key", "v" * 20_000)])

    assert [(found.kind, found.flags) for found in frames(client.data_to_send())] == [(1, 0), (9, 4), (0, 1)]


def test_metadata_larger_than_the_server_accepts_is_refused() -> None:
    client = start_client(settings_of_peer={MAX_HEADER_LIST_SIZE: 100})

    with pytest.raises(LocalProtocolError, match="larger than the peer accepts"):
        client.send_unary_request(ECHO, b"", [("key", "v" * 100)])

    assert client.open_calls == 0
    assert client.send_unary_request(ECHO, b"") == 1


def test_no_more_calls_than_the_server_allows() -> None:
    client = start_client(settings_of_peer={MAX_CONCURRENT_STREAMS: 1})
    assert client.can_call
    client.send_unary_request(ECHO, b"")

    assert not client.can_call
    with pytest.raises(LocalProtocolError, match="server takes no more calls"):
        client.send_unary_request(ECHO, b"")
    with pytest.raises(LocalProtocolError, match="server takes no more calls"):
        client.send_request(STREAM)

    client.receive_data(settings([(MAX_CONCURRENT_STREAMS, 2)]))
    assert client.can_call


def test_stream_ids_run_out() -> None:
    client = start_client()
    client._next_id = MAX_STREAM_ID

    assert client.send_unary_request(ECHO, b"") == MAX_STREAM_ID
    assert not client.can_call
    with pytest.raises(LocalProtocolError):
        client.send_unary_request(ECHO, b"")


def test_a_message_behind_the_end_is_a_bug() -> None:
    client = start_client()
    stream_id = client.send_request(STREAM)
    client.send_message(stream_id, b"", end=True)

    with pytest.raises(LocalProtocolError, match="DATA cannot be sent on stream 1: it is half-closed"):
        client.send_message(stream_id, b"")
    with pytest.raises(LocalProtocolError, match="END_STREAM cannot be sent"):
        client.send_end(stream_id)
    with pytest.raises(LocalProtocolError, match="DATA cannot be sent"):
        client.send_message(client.send_unary_request(ECHO, b""), b"")


def test_a_message_that_waits_with_the_end_behind_it_tells_when_it_has_gone() -> None:
    client = start_client(settings_of_peer={INITIAL_WINDOW_SIZE: 10})
    stream_id = client.send_request(STREAM)
    assert not client.send_message(stream_id, bytes(20))
    client.send_end(stream_id)

    client.receive_data(window_update(stream_id, 100))

    assert drain(client) == [StreamWritable(stream_id)]
    assert frames(client.data_to_send())[-1].flags == END_STREAM


# --- answers -----------------------------------------------------------------------------------------------------


def test_an_answer_is_one_event_when_its_blocks_are_new_and_when_they_are_known() -> None:
    client = start_client()
    for stream_id in (1, 3, 5):
        client.send_unary_request(ECHO, b"")
        events = answers(client, response(stream_id, b"hello"))
        assert events == [UnaryResponse(stream_id, b"hello", Status(Code.OK), ())]
    assert client.open_calls == 0


def test_an_answer_may_be_a_status_alone() -> None:
    fields = (":status", "200"), GRPC, ("grpc-status", "5"), ("k", "v")
    only = frame(HEADERS, END_HEADERS | END_STREAM, 1, block(*fields))
    status = Status(Code.NOT_FOUND, metadata=(("k", "v"),))

    assert answers(calling(), only) == [UnaryResponse(1, None, status, ())]
    assert answers(calling(unary=False), only) == [ResponseEnded(1, status)]


def test_a_message_with_a_bad_status_is_none() -> None:
    tail = frame(HEADERS, END_HEADERS | END_STREAM, 1, block(("grpc-status", "13"), ("grpc-message", "a%20b")))

    for _ in range(2):
        assert answers(calling(), HEAD + BODY + tail) == [UnaryResponse(1, None, Status(Code.INTERNAL, "a b"), ())]


def test_informational_heads_are_skipped() -> None:
    informational = frame(HEADERS, END_HEADERS, 1, block((":status", "103"), ("link", "x")))

    assert answers(calling(), informational * 2 + response(1)) == [UnaryResponse(1, b"hello", Status(Code.OK), ())]


def test_informational_heads_are_not_sent_for_ever() -> None:
    client = calling()
    client.receive_data(frame(HEADERS, END_HEADERS, 1, block((":status", "100"))) * (MAX_DEBT + 1))

    with pytest.raises(RemoteProtocolError, match="without purpose"):
        drain(client)


@pytest.mark.parametrize(
    ("data", "code", "text", "error_code"),
    [
        (HEAD + TAIL, Code.INTERNAL, "received no response message", None),
        (HEAD + BODY + BODY + TAIL, Code.INTERNAL, "received another message", CANCEL),
        (HEAD + frame(DATA, END_STREAM, 1, message(b"")), Code.INTERNAL, "without sending trailers", None),
        (HEAD + frame(DATA, 0, 1, b"\0\0") + TAIL, Code.INTERNAL, "in the middle of a message", None),
        (HEAD + frame(DATA, 0, 1, b"\x01\0\0\0\0"), Code.INTERNAL, "compressed flag set", CANCEL),
        (
            frame(HEADERS, END_HEADERS, 1, RESPONSE_HEAD + block(("grpc-encoding", "gzip")))
            + frame(DATA, 0, 1, b"\x01\0\0\0\0"),
            Code.INTERNAL,
            'not installed for grpc-encoding "gzip"',
            CANCEL,
        ),
        (HEAD + frame(DATA, 0, 1, message(bytes(101))), Code.RESOURCE_EXHAUSTED, "larger than max", CANCEL),
        (frame(HEADERS, 4, 1, block((":status", "404"))), Code.UNIMPLEMENTED, "received from server: 404", CANCEL),
        (frame(HEADERS, 5, 1, block((":status", "502"), GRPC)), Code.UNAVAILABLE, "received from server: 502", None),
        (frame(HEADERS, 5, 1, block((":status", "200"), GRPC)), Code.UNKNOWN, "without a grpc-status", None),
        (HEAD + frame(HEADERS, 5, 1, block(("k", "v"))), Code.UNKNOWN, "without a grpc-status", None),
        (HEAD + frame(HEADERS, 5, 1, block(("k", "v" * 300))), Code.INTERNAL, "list size exceeded limit", None),
    ],
)
def test_an_answer_that_is_not_grpc_ends_the_call(data: bytes, code: Code, text: str, error_code: int | None) -> None:
    client = calling(limits=Limits(max_message_size=100, max_header_list_size=300))

    (event,) = answers(client, data)

    assert isinstance(event, UnaryResponse)
    assert event.message is None
    assert event.status.code is code
    assert text in event.status.message
    expected = [] if error_code is None else [Frame(RST_STREAM, 0, 1, error_code.to_bytes(4, "big"))]
    assert frames(client.data_to_send()) == expected
    assert client.open_calls == 0


@pytest.mark.parametrize(
    "data",
    [
        BODY,                                                                               # before its head
        HEAD + HEAD,                                                                        # trailers without an end
        HEAD + frame(HEADERS, END_HEADERS, 1, OK_TRAILERS),
        frame(HEADERS, END_HEADERS, 1, block((":status", "abc"))),
        frame(HEADERS, END_HEADERS, 1, block((":status", "200"), ("Upper", "x"))),
    ],
)
def test_a_malformed_answer_costs_the_stream(data: bytes) -> None:
    client = calling()

    events = answers(client, data)

    assert isinstance(events[-1], StreamReset)
    assert (events[-1].error_code, events[-1].status.code) == (PROTOCOL_ERROR, Code.INTERNAL)
    assert frames(client.data_to_send()) == [Frame(RST_STREAM, 0, 1, PROTOCOL_ERROR.to_bytes(4, "big"))]


def test_headers_on_a_stream_that_nobody_opened_cost_the_connection() -> None:
    for stream_id in (2, 3):
        client = calling()
        client.receive_data(frame(HEADERS, END_HEADERS, stream_id, RESPONSE_HEAD))
        assert isinstance(client.next_event(), StreamReset)
        with pytest.raises(RemoteProtocolError, match="never opened"):
            client.next_event()


def test_an_early_answer_stops_the_request() -> None:
    client = start_client(settings_of_peer={INITIAL_WINDOW_SIZE: 10})
    stream_id = client.send_unary_request(ECHO, bytes(100))
    client.data_to_send()
    no = block((":status", "200"), GRPC, ("grpc-status", "8"))

    events = answers(client, frame(HEADERS, END_HEADERS | END_STREAM, stream_id, no))

    assert status_of(events[0]).code is Code.RESOURCE_EXHAUSTED
    assert frames(client.data_to_send()) == [Frame(RST_STREAM, 0, stream_id, NO_ERROR.to_bytes(4, "big"))]


def test_an_early_answer_to_a_request_without_its_end_stops_it_too() -> None:
    client = start_client()
    stream_id = client.send_request(STREAM)
    client.data_to_send()

    events = answers(client, response(stream_id))

    assert [type(event) for event in events] == [ResponseStarted, MessageReceived, ResponseEnded]
    assert kinds(client.data_to_send()) == [RST_STREAM]


def test_a_whole_answer_before_the_request_is_out_is_taken_in_the_general_way() -> None:
    client = start_client(settings_of_peer={INITIAL_WINDOW_SIZE: 10})
    client.send_unary_request(ECHO, b"")
    client.receive_data(response(1))        # its blocks are known from here on
    stream_id = client.send_unary_request(ECHO, bytes(100))
    client.data_to_send()

    events = answers(client, response(stream_id))

    assert status_of(events[-1]) == Status(Code.OK)
    assert frames(client.data_to_send()) == [Frame(RST_STREAM, 0, stream_id, NO_ERROR.to_bytes(4, "big"))]


# --- ends --------------------------------------------------------------------------------------------------------


def test_calls_that_the_server_has_not_taken_may_be_made_again() -> None:
    client = start_client()
    for _ in range(3):
        client.send_unary_request(ECHO, b"")
    client.data_to_send()

    first, *rest = answers(client, goaway(3, NO_ERROR, b"bye"))

    assert first == GoingAway(3, NO_ERROR, b"bye")
    assert [event.stream_id for event in rest if isinstance(event, StreamReset) and event.unprocessed] == [5]
    assert status_of(rest[0]).code is Code.UNAVAILABLE
    assert not client.can_call
    with pytest.raises(LocalProtocolError, match="connection takes no more calls"):
        client.send_unary_request(ECHO, b"")
    assert answers(client, response(1) + settings([(MAX_CONCURRENT_STREAMS, 5)]))[0] == UnaryResponse(
        1, b"hello", Status(Code.OK), ()
    )
    assert not client.can_call


def test_a_client_that_leaves_has_taken_no_stream() -> None:
    client = start_client()

    client.send_goaway()

    assert frames(client.data_to_send())[0].payload == bytes(8)
    assert not client.can_call


def test_credit_for_answers_comes_back() -> None:
    client = start_client(limits=Limits(connection_window=65_535))
    known = response(1, bytes(16_000))
    sizes = 0
    for stream_id in range(1, 41, 2):
        client.send_unary_request(ECHO, b"")
        client.data_to_send()
        client.receive_data(response(stream_id, bytes(16_000)))
        sizes += len(known)
        credit = frames(client.data_to_send())
        assert [found.stream_id for found in credit] in ([], [0])
        assert client._receive_window >= 65_535 // 2
    assert len(drain(client)) == 20


def test_an_answer_beyond_the_connections_window_costs_the_connection() -> None:
    client = start_client()
    client.send_unary_request(ECHO, b"")
    client.receive_data(response(1))
    client.send_unary_request(ECHO, b"")
    client._receive_window = 5      # what is left if credit has not come back yet

    client.receive_data(response(3))

    assert [type(client.next_event()) for _ in range(2)] == [UnaryResponse, StreamReset]
    with pytest.raises(RemoteProtocolError, match="beyond the connection's window"):
        client.next_event()
