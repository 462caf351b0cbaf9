"""Messages, credit and ends of calls, where the roles do not differ."""
from __future__ import annotations

import pytest

from goplugin.core.errors import LocalProtocolError, RemoteProtocolError
from goplugin.core.http2 import (
    Limits,
    MessageReceived,
    RequestEnded,
    RequestReceived,
    ResponseEnded,
    ResponseStarted,
    ServerConnection,
    SettingsChanged,
    Status,
    StreamReset,
    StreamWritable,
    UnaryRequest,
    UnaryResponse,
)
from goplugin.core.http2.faults import (
    CANCEL,
    FLOW_CONTROL_ERROR,
    FRAME_SIZE_ERROR,
    INTERNAL_ERROR,
    PROTOCOL_ERROR,
    REFUSED_STREAM,
    STREAM_CLOSED,
)
from goplugin.core.http2.frames import (
    ACK,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    MAX_WINDOW,
    PADDED,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    rst_stream,
    settings,
    window_update,
)
from goplugin.core.http2.outbox import MAX_DEBT
from goplugin.core.http2.responses import OK_TRAILERS, RESPONSE_HEAD
from goplugin.core.http2.settings import INITIAL_WINDOW_SIZE
from goplugin.core.status import Code

from .support import (
    ECHO,
    STREAM,
    Frame,
    drain,
    exchange,
    frame,
    frames,
    kinds,
    message,
    request,
    request_block,
    response,
    settle,
    small_window,
    start_client,
    start_pair,
    start_server,
)

OK = Status(Code.OK)


def open_stream(server: ServerConnection, stream_id: int = 1, path: str = STREAM) -> None:
    server.receive_data(frame(HEADERS, END_HEADERS, stream_id, request_block(path)))


def reset(stream_id: int, error_code: int) -> Frame:
    return Frame(RST_STREAM, 0, stream_id, error_code.to_bytes(4, "big"))


# --- the four kinds of call --------------------------------------------------------------------------------------


def test_an_unary_call() -> None:
    client, server = start_pair()
    stream_id = client.send_unary_request(ECHO, b"ping", [("key", "value")], timeout=2.5)

    _, (called,) = exchange(client, server)
    assert isinstance(called, UnaryRequest)
    assert (called.stream_id, called.message, called.head.path) == (stream_id, b"ping", ECHO)
    assert (called.head.metadata, called.head.timeout) == ((("key", "value"),), 2.5)
    assert (called.head.authority, called.head.user_agent) == ("localhost", "grpc-python-goplugin")

    server.send_unary_reply(stream_id, b"pong", [("first", "1")], [("last", "2")])
    (answered,), _ = exchange(client, server)

    status = Status(Code.OK, metadata=(("last", "2"),))
    assert answered == UnaryResponse(stream_id, b"pong", status, (("first", "1"),))
    assert client.open_calls == server.open_calls == 0


def test_a_streaming_call_of_either_kind() -> None:
    client, server = start_pair()
    stream_id = client.send_request(STREAM, [("key", "value")])
    assert client.send_message(stream_id, b"one")
    assert client.send_message(stream_id, b"two", end=True)

    _, (received, one, two, ended) = exchange(client, server)
    assert isinstance(received, RequestReceived)
    assert received.head.metadata == (("key", "value"),)
    assert [one, two, ended] == [
        MessageReceived(stream_id, b"one"), MessageReceived(stream_id, b"two"), RequestEnded(stream_id),
    ]

    server.send_response(stream_id, [("first", "1")])
    assert server.send_message(stream_id, b"three")
    assert server.send_message(stream_id, b"")
    server.send_status(stream_id, Code.NOT_FOUND, "no more\n", b"details", [("last", "2")])

    events, _ = exchange(client, server)
    assert events == [
        ResponseStarted(stream_id, (("first", "1"),)),
        MessageReceived(stream_id, b"three"),
        MessageReceived(stream_id, b""),
        ResponseEnded(stream_id, Status(Code.NOT_FOUND, "no more\n", b"details", (("last", "2"),))),
    ]
    assert client.open_calls == server.open_calls == 0


def test_messages_go_both_ways_at_a_time() -> None:
    client, server = start_pair()
    stream_id = client.send_request(STREAM)
    server.receive_data(client.data_to_send())
    server.send_response(stream_id)

    for number in range(3):
        client.send_message(stream_id, b"ping %d" % number)
        server.send_message(stream_id, b"pong %d" % number)
        client_events, server_events = exchange(client, server)
        assert client_events[-1] == MessageReceived(stream_id, b"pong %d" % number)
        assert server_events[-1] == MessageReceived(stream_id, b"ping %d" % number)

    client.send_end(stream_id)
    server.send_status(stream_id)
    client_events, server_events = exchange(client, server)
    assert client_events == [ResponseEnded(stream_id, OK)]
    assert server_events == []      # the server had answered before it could see the end of the request
    assert client.open_calls == server.open_calls == 0


# --- flow control ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [100_000, 1 << 20, 16 << 20])
def test_large_messages_go_both_ways(size: int) -> None:
    client, server = start_pair()
    payload = bytes(range(256)) * (size // 256)
    stream_id = client.send_unary_request(ECHO, payload)

    _, (called,) = settle(client, server)
    assert isinstance(called, UnaryRequest)
    assert called.message == payload
    server.send_unary_reply(stream_id, called.message)
    (answered,), _ = settle(client, server)

    assert isinstance(answered, UnaryResponse)
    assert answered.message == payload
    assert client.open_calls == server.open_calls == 0


def test_no_more_is_sent_than_the_peer_gives_credit_for() -> None:
    client = start_client(settings_of_peer={INITIAL_WINDOW_SIZE: 20})
    stream_id = client.send_request(STREAM)
    client.data_to_send()

    assert not client.send_message(stream_id, b"x" * 45)
    assert [len(found.payload) for found in frames(client.data_to_send())] == [20]
    client.receive_data(window_update(stream_id, 15))
    assert [len(found.payload) for found in frames(client.data_to_send())] == [15]
    assert drain(client) == []
    client.receive_data(window_update(stream_id, 100))
    assert [len(found.payload) for found in frames(client.data_to_send())] == [15]
    assert drain(client) == [StreamWritable(stream_id)]


def test_the_connections_credit_holds_for_all_streams() -> None:
    client = start_client(settings_of_peer={INITIAL_WINDOW_SIZE: 100_000})
    first, second = client.send_request(STREAM), client.send_request(STREAM)
    client.send_message(first, bytes(65_535 - 5))
    client.data_to_send()

    assert not client.send_message(second, b"late")
    assert client.data_to_send() == b""
    client.receive_data(window_update(0, 9))

    assert frames(client.data_to_send()) == [Frame(DATA, 0, second, message(b"late"))]
    assert drain(client) == [StreamWritable(second)]


def test_a_smaller_initial_window_may_leave_a_stream_in_debt() -> None:
    client = start_client(settings_of_peer={INITIAL_WINDOW_SIZE: 30})
    stream_id = client.send_request(STREAM)
    client.send_message(stream_id, b"x" * 45)
    client.data_to_send()

    client.receive_data(settings([(INITIAL_WINDOW_SIZE, 10)]) + window_update(stream_id, 20))
    assert kinds(client.data_to_send()) == [SETTINGS]
    client.receive_data(settings([(INITIAL_WINDOW_SIZE, 100)]))

    acknowledged, rest = frames(client.data_to_send())
    assert acknowledged == Frame(SETTINGS, ACK, 0, b"")
    assert len(rest.payload) == 20


@pytest.mark.parametrize(
    ("data", "error_code"),
    [
        (window_update(0, MAX_WINDOW), FLOW_CONTROL_ERROR),
        (frame(WINDOW_UPDATE, 0, 0, bytes(4)), PROTOCOL_ERROR),
        (frame(WINDOW_UPDATE, 0, 0, bytes(3)), FRAME_SIZE_ERROR),
        (window_update(9, 1), PROTOCOL_ERROR),
        (window_update(2, 1), PROTOCOL_ERROR),
        (frame(DATA, 0, 9, b""), PROTOCOL_ERROR),
        (frame(DATA, 0, 0, b""), PROTOCOL_ERROR),
        (rst_stream(9, CANCEL), PROTOCOL_ERROR),
        (rst_stream(0, CANCEL), PROTOCOL_ERROR),
        (frame(RST_STREAM, 0, 1, bytes(5)), FRAME_SIZE_ERROR),
        (window_update(1, MAX_WINDOW - 65_535) + settings([(INITIAL_WINDOW_SIZE, 65_536)]), FLOW_CONTROL_ERROR),
        (frame(DATA, PADDED, 1, b"\x09"), PROTOCOL_ERROR),
    ],
)
def test_what_makes_no_sense_on_a_stream_costs_the_connection(data: bytes, error_code: int) -> None:
    server = start_server()
    open_stream(server)
    drain(server)

    server.receive_data(data)

    assert isinstance(server.next_event(), StreamReset | SettingsChanged)
    with pytest.raises(RemoteProtocolError):
        drain(server)
    assert frames(server.data_to_send())[-1].payload[4:8] == error_code.to_bytes(4, "big")


@pytest.mark.parametrize(
    ("data", "error_code"),
    [
        (window_update(1, MAX_WINDOW), FLOW_CONTROL_ERROR),
        (frame(WINDOW_UPDATE, 0, 1, bytes(4)), PROTOCOL_ERROR),
        (frame(PRIORITY, 0, 1, b""), FRAME_SIZE_ERROR),
        (frame(HEADERS, END_HEADERS, 1, b""), PROTOCOL_ERROR),                          # trailers that do not end it
        (frame(HEADERS, END_HEADERS | END_STREAM, 1, request_block()), PROTOCOL_ERROR),  # pseudo-headers in trailers
    ],
)
def test_what_makes_no_sense_on_a_stream_may_cost_just_the_stream(data: bytes, error_code: int) -> None:
    server = start_server()
    open_stream(server)
    drain(server)

    server.receive_data(data + request(3))

    first, second = drain(server)
    assert isinstance(first, StreamReset)
    assert (first.stream_id, first.error_code, first.status.code) == (1, error_code, Code.INTERNAL)
    assert isinstance(second, UnaryRequest)
    assert frames(server.data_to_send()) == [reset(1, error_code)]


def test_data_beyond_a_streams_window_costs_the_stream() -> None:
    server = start_server(limits=small_window(10))
    open_stream(server)

    server.receive_data(frame(DATA, 0, 1, message(b"x" * 20)))

    assert reset(1, FLOW_CONTROL_ERROR) in frames(server.data_to_send())


def test_data_beyond_the_connections_window_costs_the_connection() -> None:
    server = start_server(limits=Limits(connection_window=65_535))
    server._receive_window = 10         # what is left if credit has not come back yet
    open_stream(server)
    server.receive_data(frame(DATA, 0, 1, message(b"x" * 20)))

    with pytest.raises(RemoteProtocolError, match="beyond the connection's window"):
        drain(server)


def test_credit_of_the_connection_comes_back_in_one_frame_when_half_is_used() -> None:
    server = start_server(limits=Limits(connection_window=100_000, stream_window=1 << 20))
    open_stream(server)
    server.data_to_send()
    server.receive_data(frame(DATA, 0, 1, bytes(16_384)) * 3)
    assert server.data_to_send() == b""

    server.receive_data(frame(DATA, 0, 1, bytes(16_384)))

    assert frames(server.data_to_send()) == [Frame(WINDOW_UPDATE, 0, 0, (4 * 16_384).to_bytes(4, "big"))]


def test_credit_of_a_stream_comes_back_for_what_the_application_has_taken() -> None:
    server = start_server(limits=small_window(100))
    open_stream(server)
    server.receive_data(frame(DATA, 0, 1, message(bytes(55)) + message(bytes(10))))
    drain(server)
    assert server.data_to_send() == b""

    server.acknowledge_message(1, 10)
    assert server.data_to_send() == b""         # not worth a frame
    server.acknowledge_message(1, 55)

    assert frames(server.data_to_send()) == [Frame(WINDOW_UPDATE, 0, 1, (75).to_bytes(4, "big"))]


def test_credit_of_a_stream_comes_back_for_a_message_that_is_still_growing() -> None:
    server = start_server(limits=small_window(100))
    open_stream(server)
    stream = message(bytes(1000))

    for start in range(0, len(stream), 50):
        server.receive_data(frame(DATA, 0, 1, stream[start : start + 50]))

    assert [event.message for event in drain(server) if isinstance(event, MessageReceived)] == [bytes(1000)]


def test_padding_is_paid_back() -> None:
    server = start_server(limits=small_window(100))
    open_stream(server)

    server.receive_data(frame(DATA, PADDED, 1, b"\x40" + message(b"") + bytes(64)))

    assert drain(server)[-1] == MessageReceived(1, b"")
    assert frames(server.data_to_send()) == [Frame(WINDOW_UPDATE, 0, 1, (65).to_bytes(4, "big"))]


def test_more_cannot_be_acknowledged_than_came() -> None:
    server = start_server()
    open_stream(server)
    server.receive_data(frame(DATA, 0, 1, message(b"12345")))

    with pytest.raises(LocalProtocolError, match="more messages are acknowledged"):
        server.acknowledge_message(1, 6)


def test_acknowledging_behind_the_end_gives_no_credit() -> None:
    server = start_server(limits=small_window(10))
    open_stream(server)
    server.receive_data(frame(DATA, END_STREAM, 1, message(b"12345")))

    server.acknowledge_message(1, 5)
    server.send_reset(1)
    server.acknowledge_message(1, 5)

    assert frames(server.data_to_send()) == [reset(1, CANCEL)]


def test_empty_data_is_not_sent_for_ever() -> None:
    server = start_server()
    open_stream(server)

    server.receive_data(frame(DATA, 0, 1, b"") * (MAX_DEBT + 1))

    with pytest.raises(RemoteProtocolError, match="without purpose"):
        drain(server)


# --- resets ------------------------------------------------------------------------------------------------------


def test_a_reset_by_the_peer_is_reported_once() -> None:
    server = start_server()
    open_stream(server)
    server.receive_data(rst_stream(1, CANCEL) * 2)

    _, event = drain(server)
    assert event == StreamReset(
        1, Status(Code.CANCELLED, "stream terminated by RST_STREAM with error code: CANCEL"), CANCEL
    )
    assert server.open_calls == 0


def test_a_reset_of_a_call_that_the_application_does_not_know_is_not_reported() -> None:
    server = start_server()
    open_stream(server, path=ECHO)

    server.receive_data(rst_stream(1, CANCEL))

    assert drain(server) == []


def test_a_refused_call_may_be_made_again() -> None:
    client = start_client()
    stream_id = client.send_unary_request(ECHO, b"")

    client.receive_data(rst_stream(stream_id, REFUSED_STREAM))

    (event,) = drain(client)
    assert isinstance(event, StreamReset)
    assert event.unprocessed
    assert event.status.code is Code.UNAVAILABLE


def test_our_reset_drops_what_waits_and_what_is_still_coming() -> None:
    client = start_client(settings_of_peer={INITIAL_WINDOW_SIZE: 10})
    stream_id = client.send_request(STREAM)
    client.send_message(stream_id, bytes(100))
    client.data_to_send()

    client.send_reset(stream_id)
    client.send_reset(stream_id)
    client.receive_data(response(stream_id) + window_update(stream_id, 1000) + rst_stream(stream_id, CANCEL))

    assert frames(client.data_to_send()) == [reset(stream_id, CANCEL)]
    assert drain(client) == []
    assert client.open_calls == 0


def test_what_is_sent_for_a_call_that_is_over_is_dropped() -> None:
    client, server = start_pair()
    stream_id = client.send_request(STREAM)
    exchange(client, server)
    client.send_reset(stream_id)
    exchange(client, server)

    server.send_response(stream_id)
    assert not server.send_message(stream_id, b"")
    server.send_status(stream_id)
    server.send_unary_reply(stream_id, b"")
    assert not client.send_message(stream_id, b"")
    client.send_end(stream_id)

    assert server.data_to_send() == client.data_to_send() == b""


def test_nothing_can_be_sent_for_a_call_that_never_was() -> None:
    client, server = start_pair()

    for send in (client.send_end, client.send_reset, server.send_status, server.send_response):
        with pytest.raises(LocalProtocolError, match="no stream 7"):
            send(7)
    for send_message in (client.send_message, server.send_message, server.send_unary_reply):
        with pytest.raises(LocalProtocolError, match="no stream 7"):
            send_message(7, b"")


def test_calls_that_are_reset_at_once_are_not_taken_for_ever() -> None:
    server = start_server()

    for stream_id in range(1, 3000, 2):
        server.receive_data(request(stream_id) + rst_stream(stream_id, CANCEL))

    with pytest.raises(RemoteProtocolError, match="without purpose"):
        drain(server)


def test_calls_that_are_answered_may_be_reset_now_and_then() -> None:
    server = start_server()

    for stream_id in range(1, 30_000, 4):
        server.receive_data(request(stream_id) + rst_stream(stream_id, CANCEL) + request(stream_id + 2))
        server.send_unary_reply(stream_id + 2, b"")

    assert server.open_calls == 0
    assert all(isinstance(event, UnaryRequest | StreamReset) for event in drain(server))


def test_data_on_a_closed_stream_is_an_error() -> None:
    server = start_server()
    server.receive_data(request(1))
    server.send_unary_reply(1, b"")
    server.data_to_send()

    server.receive_data(frame(DATA, 0, 1, b""))

    assert frames(server.data_to_send()) == [reset(1, STREAM_CLOSED)]


def test_data_behind_the_end_of_the_stream_is_an_error() -> None:
    server = start_server()
    server.receive_data(request(1))

    server.receive_data(frame(DATA, 0, 1, b""))

    assert frames(server.data_to_send()) == [reset(1, STREAM_CLOSED)]
    assert [type(event) for event in drain(server)] == [UnaryRequest, StreamReset]


def test_headers_on_a_closed_stream_cost_the_connection() -> None:
    for late in (RESPONSE_HEAD, OK_TRAILERS):
        client = start_client()
        stream_id = client.send_unary_request(ECHO, b"")
        client.receive_data(response(stream_id) + frame(HEADERS, END_HEADERS, stream_id, late))

        assert isinstance(client.next_event(), UnaryResponse)
        with pytest.raises(RemoteProtocolError, match="which is closed"):
            client.next_event()


@pytest.mark.parametrize(
    "end", [rst_stream(1, CANCEL), frame(DATA, END_STREAM, 1, b""), frame(HEADERS, END_HEADERS | END_STREAM, 1, b"")]
)
def test_a_stream_that_both_sides_have_ended_is_closed(end: bytes) -> None:
    server = start_server()
    open_stream(server)
    server.send_reset(1)
    server.data_to_send()

    server.receive_data(frame(DATA, 0, 1, b"") + end)
    assert server.data_to_send() == b""
    server.receive_data(frame(DATA, 0, 1, b""))
    assert frames(server.data_to_send()) == [reset(1, STREAM_CLOSED)]


def test_streams_that_were_cut_off_are_remembered_for_a_while() -> None:
    client = start_client()
    for _ in range(1500):
        client.send_reset(client.send_unary_request(ECHO, b""))

    assert len(client._cut) == 1000
    client.receive_data(frame(DATA, 0, 2999, b""))
    assert client.next_event() is None


def test_a_call_that_cannot_be_answered_in_order_is_reset() -> None:
    server = start_server(settings_of_peer={INITIAL_WINDOW_SIZE: 10})
    open_stream(server)
    server.send_response(1)
    server.send_message(1, bytes(100))
    server.data_to_send()

    server.receive_data(frame(DATA, 0, 1, b"\x01\0\0\0\0"))

    assert frames(server.data_to_send()) == [reset(1, INTERNAL_ERROR)]
    assert isinstance(drain(server)[-1], StreamReset)
