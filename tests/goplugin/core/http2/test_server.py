from __future__ import annotations

import pytest

from goplugin.core.errors import LocalProtocolError, RemoteProtocolError
from goplugin.core.http2 import (
    Limits,
    MessageReceived,
    RequestEnded,
    RequestReceived,
    ServerConnection,
    Status,
    StreamReset,
    StreamWritable,
    UnaryRequest,
)
from goplugin.core.http2.faults import NO_ERROR, PROTOCOL_ERROR, REFUSED_STREAM, STREAM_CLOSED
from goplugin.core.http2.frames import DATA, END_HEADERS, END_STREAM, HEADERS, RST_STREAM, settings, window_update
from goplugin.core.http2.hpack import DROP_TABLE, Decoder
from goplugin.core.http2.settings import INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE
from goplugin.core.status import Code

from .support import (
    ECHO,
    STREAM,
    Frame,
    block,
    drain,
    frame,
    frames,
    kinds,
    message,
    request,
    request_block,
    start_server,
)

HEAD = frame(HEADERS, END_HEADERS, 1, request_block())


def reset(stream_id: int, error_code: int) -> Frame:
    return Frame(RST_STREAM, 0, stream_id, error_code.to_bytes(4, "big"))


def fields_of(found: Frame) -> dict[str, str]:
    return dict(Decoder(1 << 20).decode(found.payload))


def answer_of(server: ServerConnection) -> list[Frame]:
    return frames(server.data_to_send())


# --- requests ----------------------------------------------------------------------------------------------------


def test_an_unary_request_is_one_event_when_its_block_is_new_and_when_it_is_known() -> None:
    server = start_server()

    for stream_id in (1, 3, 5):
        server.receive_data(request(stream_id, payload=b"hello"))
        (event,) = drain(server)
        assert isinstance(event, UnaryRequest)
        assert (event.stream_id, event.message, event.head.path) == (stream_id, b"hello", ECHO)
    assert server.open_calls == 3


@pytest.mark.parametrize(
    "tail",
    [
        frame(DATA, END_STREAM, 1, message(b"hello")),
        frame(DATA, 0, 1, message(b"hello")) + frame(DATA, END_STREAM, 1, b""),
        frame(DATA, 0, 1, message(b"hello")[:3]) + frame(DATA, END_STREAM, 1, message(b"hello")[3:]),
        frame(DATA, END_STREAM | 8, 1, b"\x02" + message(b"hello") + b"\0\0"),
        frame(DATA, 0, 1, message(b"hello")) + frame(HEADERS, END_HEADERS | END_STREAM, 1, block(("k", "v"))),
    ],
)
def test_an_unary_request_is_one_event_however_it_is_framed(tail: bytes) -> None:
    server = start_server()

    server.receive_data(HEAD + tail)

    (event,) = drain(server)
    assert isinstance(event, UnaryRequest)
    assert event.message == b"hello"


@pytest.mark.parametrize(
    ("data", "code", "text", "resets"),
    [
        (frame(HEADERS, END_HEADERS | END_STREAM, 1, request_block()), Code.INTERNAL, "no request message", False),
        (HEAD + frame(DATA, END_STREAM, 1, b""), Code.INTERNAL, "no request message", False),
        (HEAD + frame(DATA, END_STREAM, 1, message(b"") * 2), Code.INTERNAL, "multiple request messages", False),
        (HEAD + frame(DATA, END_STREAM, 1, b"\0\0"), Code.INTERNAL, "in the middle of a message", False),
        (HEAD + frame(DATA, END_STREAM, 1, b"\x01\0\0\0\0"), Code.INTERNAL, "compressed flag set", False),
        (HEAD + frame(DATA, END_STREAM, 1, message(bytes(101))), Code.RESOURCE_EXHAUSTED, "larger than max", False),
        (
            frame(HEADERS, END_HEADERS, 1, request_block(ECHO, ("grpc-encoding", "gzip")))
            + frame(DATA, 0, 1, b"\x01\0\0\0\0"),
            Code.UNIMPLEMENTED,
            'Decompressor is not installed for grpc-encoding "gzip"',
            True,
        ),
    ],
)
def test_a_request_that_cannot_be_read_is_answered(data: bytes, code: Code, text: str, resets: bool) -> None:
    server = start_server(limits=Limits(max_message_size=100))

    server.receive_data(data)

    answer, *rest = answer_of(server)
    assert answer.flags == END_HEADERS | END_STREAM
    fields = fields_of(answer)
    assert fields[":status"] == "200"
    assert fields["grpc-status"] == str(int(code))
    assert text in fields["grpc-message"]
    assert (fields.get("grpc-accept-encoding") == "identity") is (code is Code.UNIMPLEMENTED)
    assert rest == ([reset(1, NO_ERROR)] if resets else [])
    assert drain(server) == []
    assert server.open_calls == 0


def test_a_call_that_the_application_knows_is_answered_and_reset() -> None:
    server = start_server()
    server.receive_data(frame(HEADERS, END_HEADERS, 1, request_block(STREAM)))
    server.send_response(1)
    server.data_to_send()

    server.receive_data(frame(DATA, 0, 1, b"\x01\0\0\0\0"))

    _, event = drain(server)
    status = Status(Code.INTERNAL, "grpc: compressed flag set with identity or empty encoding")
    assert event == StreamReset(1, status, NO_ERROR)
    trailers, end = answer_of(server)
    assert fields_of(trailers)["grpc-status"] == "13"
    assert end == reset(1, NO_ERROR)


@pytest.mark.parametrize(
    ("fields", "http_status", "code"),
    [
        ([(":method", "POST"), ("content-type", "text/html")], "415", Code.INVALID_ARGUMENT),
        ([(":method", "GET"), ("content-type", "application/grpc")], "405", Code.INTERNAL),
        ([(":method", "POST"), ("content-type", "application/grpc"), ("grpc-timeout", "x")], "400", Code.INTERNAL),
        ([(":method", "POST"), ("content-type", "application/grpc"), ("k", "v" * 500)], "431", Code.INTERNAL),
    ],
)
@pytest.mark.parametrize("end", [0, END_STREAM])
def test_what_is_not_a_grpc_request_is_told_so(
    fields: list[tuple[str, str]], http_status: str, code: Code, end: int
) -> None:
    server = start_server(limits=Limits(max_header_list_size=400))

    data = block(fields[0], (":scheme", "http"), (":path", "/"), *fields[1:])
    server.receive_data(frame(HEADERS, END_HEADERS | end, 1, data))

    answer, *rest = answer_of(server)
    assert fields_of(answer)[":status"] == http_status
    assert fields_of(answer)["grpc-status"] == str(int(code))
    assert rest == ([] if end else [reset(1, NO_ERROR)])
    assert drain(server) == []


def test_a_malformed_request_costs_its_stream() -> None:
    server = start_server()

    server.receive_data(frame(HEADERS, END_HEADERS, 1, block((":method", "POST"))) + request(3))

    assert answer_of(server) == [reset(1, PROTOCOL_ERROR)]
    assert [type(event) for event in drain(server)] == [UnaryRequest]


@pytest.mark.parametrize("late", [b"", block((":path", "/"))])
def test_a_refused_client_is_still_held_to_the_rules(late: bytes) -> None:
    server = start_server(limits=Limits(max_header_list_size=400))
    server.receive_data(frame(HEADERS, END_HEADERS, 1, request_block(ECHO, ("grpc-timeout", "x"))))
    too_long = frame(HEADERS, END_HEADERS | END_STREAM, 1, block(("k", "v" * 500)))
    answer_of(server)

    server.receive_data(frame(HEADERS, END_HEADERS, 1, late) + too_long)

    assert answer_of(server) == [reset(1, PROTOCOL_ERROR)]
    assert server.next_event() is None


def test_headers_behind_the_end_cost_the_stream() -> None:
    server = start_server()
    server.receive_data(request(1) + frame(HEADERS, END_HEADERS | END_STREAM, 1, b""))

    assert answer_of(server) == [reset(1, STREAM_CLOSED)]


def test_a_stream_that_is_not_a_clients_costs_the_connection() -> None:
    server = start_server()
    for data in (request(2), request(0)):
        server = start_server()
        server.receive_data(request(1) + data)
        assert isinstance(server.next_event(), UnaryRequest)
        assert isinstance(server.next_event(), StreamReset)
        with pytest.raises(RemoteProtocolError):
            server.next_event()


def test_a_stream_id_that_was_passed_over_is_closed() -> None:
    server = start_server()
    server.receive_data(request(5))
    server.receive_data(request(3))

    assert isinstance(server.next_event(), UnaryRequest)
    assert isinstance(server.next_event(), StreamReset)
    with pytest.raises(RemoteProtocolError, match="stream 3, which is closed"):
        server.next_event()


def test_calls_above_the_limit_are_refused() -> None:
    server = start_server(limits=Limits(max_concurrent_streams=2))

    server.receive_data(request(1) + request(3) + request(5) + request(7))

    assert [event.stream_id for event in drain(server) if isinstance(event, UnaryRequest)] == [1, 3]
    assert answer_of(server) == [reset(5, REFUSED_STREAM), reset(7, REFUSED_STREAM)]
    server.send_unary_reply(1, b"")
    server.receive_data(request(9))
    assert len(drain(server)) == 1


def test_which_requests_are_whole_is_the_servers_choice() -> None:
    server = start_server(unary_paths=())
    server.receive_data(request(1) + request(3))

    assert [type(event) for event in drain(server)] == [RequestReceived, MessageReceived, RequestEnded] * 2


# --- answers -----------------------------------------------------------------------------------------------------


def test_an_unary_reply_is_three_frames_in_one_piece() -> None:
    server = start_server()
    server.receive_data(request(1))

    server.send_unary_reply(1, b"hello")

    assert len(server._outbox.pieces) == 1
    head, body, tail = answer_of(server)
    assert fields_of(head) == {":status": "200", "content-type": "application/grpc"}
    assert (head.flags, tail.flags) == (END_HEADERS, END_HEADERS | END_STREAM)
    assert body == Frame(DATA, 0, 1, message(b"hello"))
    assert fields_of(tail) == {"grpc-status": "0"}
    assert server.open_calls == 0


@pytest.mark.parametrize("stream_id", [1, 3], ids=["a new block", "a known block"])
@pytest.mark.parametrize("answered", [False, True])
def test_a_window_that_changes_behind_the_request_holds_for_the_reply(stream_id: int, answered: bool) -> None:
    server = start_server()
    server.receive_data(request(1) + request(3))
    drain(server)
    server.data_to_send()
    if answered:
        server.send_unary_reply(4 - stream_id, b"")
        answer_of(server)
    server.receive_data(settings([(INITIAL_WINDOW_SIZE, 7)]))
    server.send_unary_reply(stream_id, b"hello")
    sent = [found.payload for found in answer_of(server) if found.kind == DATA]
    server.receive_data(window_update(stream_id, 3))

    assert sent == [message(b"hello")[:7]]
    assert answer_of(server)[0] == Frame(DATA, 0, stream_id, message(b"hello")[7:])


def test_credit_that_came_before_the_requests_end_holds_for_the_reply() -> None:
    server = start_server(settings_of_peer={INITIAL_WINDOW_SIZE: 7})
    server.receive_data(HEAD + window_update(1, 3))
    server.receive_data(frame(DATA, END_STREAM, 1, message(b"")))
    drain(server)
    server.data_to_send()
    server.send_unary_reply(1, b"hello")

    assert Frame(DATA, 0, 1, message(b"hello")) in answer_of(server)


@pytest.mark.parametrize(
    "settings_of_peer", [{INITIAL_WINDOW_SIZE: 7}, {1: 0}, {MAX_FRAME_SIZE: 20_000}, {INITIAL_WINDOW_SIZE: 1 << 20}]
)
@pytest.mark.parametrize("size", [0, 5, 17_000, 70_000])
def test_an_unary_reply_says_the_same_in_every_way(settings_of_peer: dict[int, int], size: int) -> None:
    server = start_server(settings_of_peer=settings_of_peer)
    server.receive_data(request(1))
    server.send_unary_reply(1, bytes(size))
    head, *body = answer_of(server)
    window = min(65_535, settings_of_peer.get(INITIAL_WINDOW_SIZE, 65_535))
    assert sum(len(found.payload) for found in body if found.kind == DATA) == min(window, size + 5)
    server.receive_data(window_update(0, 1 << 20) + window_update(1, 1 << 20))

    *body, tail = body + answer_of(server)

    assert fields_of(head)[":status"] == "200"
    assert head.payload.startswith(DROP_TABLE) is (settings_of_peer == {1: 0})
    assert b"".join(found.payload for found in body) == message(bytes(size))
    assert fields_of(tail)["grpc-status"] == "0"
    assert server.open_calls == 0


def test_a_reply_before_the_end_of_the_request_ends_it() -> None:
    server = start_server()
    server.receive_data(frame(HEADERS, END_HEADERS, 1, request_block(STREAM)))

    server.send_unary_reply(1, b"early")
    server.receive_data(frame(DATA, 0, 1, message(b"late")))

    *answer, end = answer_of(server)
    assert [found.kind for found in answer] == [HEADERS, DATA, HEADERS]
    assert end == reset(1, NO_ERROR)
    assert len(drain(server)) == 1
    assert server.open_calls == 0


def test_a_status_waits_behind_the_messages() -> None:
    server = start_server(settings_of_peer={INITIAL_WINDOW_SIZE: 10})
    server.receive_data(request(1))
    server.send_response(1)
    assert not server.send_message(1, bytes(20))
    server.send_status(1)
    assert kinds(server.data_to_send()) == [HEADERS, DATA]
    assert server.open_calls == 1

    server.receive_data(window_update(1, 100))

    assert kinds(server.data_to_send()) == [DATA, HEADERS]
    assert server.open_calls == 0
    assert [type(event) for event in drain(server)] == [UnaryRequest]


def test_a_message_that_waits_tells_when_it_has_gone() -> None:
    server = start_server(settings_of_peer={INITIAL_WINDOW_SIZE: 10})
    server.receive_data(request(1))
    server.send_response(1)
    server.send_message(1, bytes(20))

    server.receive_data(window_update(1, 100))

    assert drain(server)[-1] == StreamWritable(1)


def test_steps_of_an_answer_out_of_order_are_bugs() -> None:
    server = start_server()
    server.receive_data(request(1) + request(3))

    with pytest.raises(LocalProtocolError, match="DATA cannot be sent on stream 1"):
        server.send_message(1, b"")
    server.send_response(1)
    with pytest.raises(LocalProtocolError, match="HEADERS cannot be sent on stream 1"):
        server.send_response(1)
    with pytest.raises(LocalProtocolError, match="HEADERS cannot be sent on stream 1"):
        server.send_unary_reply(1, b"")
    server.send_status(1)


def test_a_status_that_cannot_be_sent_leaves_the_call_as_it_was() -> None:
    server = start_server(settings_of_peer={MAX_HEADER_LIST_SIZE: 200})
    server.receive_data(request(1))

    with pytest.raises(LocalProtocolError):
        server.send_status(1, Code.INTERNAL, "x" * 200)
    with pytest.raises(LocalProtocolError):
        server.send_unary_reply(1, b"", trailers=[("Bad Key", "")])
    assert server.data_to_send() == b""
    server.send_status(1, Code.INTERNAL, "x")

    assert fields_of(answer_of(server)[0])["grpc-message"] == "x"


def test_a_request_beyond_the_connections_window_costs_the_connection() -> None:
    server = start_server()
    server.receive_data(request(1))
    drain(server)
    server._receive_window = 5      # what is left if credit has not come back yet

    server.receive_data(request(3))

    assert isinstance(server.next_event(), StreamReset)
    with pytest.raises(RemoteProtocolError, match="beyond the connection's window"):
        server.next_event()


def test_a_request_with_another_deadline_is_still_taken_at_once() -> None:
    server = start_server()
    for number, timeout in enumerate(("5S", "4999m", "1u", "1x")):
        head = frame(HEADERS, END_HEADERS, 2 * number + 1, request_block(ECHO, ("grpc-timeout", timeout), ("k", "v")))
        server.receive_data(head + frame(DATA, END_STREAM, 2 * number + 1, message(b"")))

    events = drain(server)
    assert [event.head.timeout for event in events if isinstance(event, UnaryRequest)] == [5.0, 4.999, 1e-6]
    assert all(isinstance(event, UnaryRequest) and event.head.metadata == (("k", "v"),) for event in events)
    assert fields_of(answer_of(server)[0])[":status"] == "400"
