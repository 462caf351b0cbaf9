"""Frames that concern the whole connection, read by the server's machine where the roles do not differ."""
from __future__ import annotations

import pytest

from goplugin.core.errors import LocalProtocolError, RemoteProtocolError
from goplugin.core.http2 import (
    ClientConnection,
    ConnectionEnded,
    GoingAway,
    Limits,
    PingAcknowledged,
    RequestReceived,
    ServerConnection,
    SettingsChanged,
    StreamReset,
    UnaryRequest,
)
from goplugin.core.http2.faults import (
    COMPRESSION_ERROR,
    ENHANCE_YOUR_CALM,
    FLOW_CONTROL_ERROR,
    FRAME_SIZE_ERROR,
    NO_ERROR,
    PROTOCOL_ERROR,
)
from goplugin.core.http2.frames import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PADDED,
    PING,
    PREFACE,
    PRIORITY,
    PRIORITY_FLAG,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    goaway,
    ping,
    settings,
    settings_ack,
    unpack_word,
)
from goplugin.core.http2.hpack import DROP_TABLE
from goplugin.core.http2.outbox import MAX_DEBT, MAX_OWED
from goplugin.core.http2.settings import (
    ENABLE_PUSH,
    HEADER_TABLE_SIZE,
    INITIAL_WINDOW_SIZE,
    MAX_CONCURRENT_STREAMS,
    MAX_FRAME_SIZE,
)
from goplugin.core.status import Code

from .support import (
    ECHO,
    STREAM,
    Connection,
    Frame,
    drain,
    frame,
    frames,
    kinds,
    message,
    request,
    request_block,
    start_client,
    start_server,
)


def assert_broken(connection: Connection, error_code: int) -> str:
    """The connection is over because of the peer, says so in its last frame, and stays so. Returns the reason."""
    with pytest.raises(RemoteProtocolError) as caught:
        drain(connection)
    last = frames(connection.data_to_send())[-1]
    assert last.kind == GOAWAY
    assert unpack_word(last.payload, 4) == (error_code,)
    assert last.payload[8:].decode() == str(caught.value)
    connection.receive_data(b"more")
    connection.receive_eof()
    with pytest.raises(RemoteProtocolError):
        connection.next_event()
    assert connection.data_to_send() == b""
    return str(caught.value)


# --- the beginning -----------------------------------------------------------------------------------------------


def test_a_client_begins_with_the_preface_its_settings_and_credit() -> None:
    sent = ClientConnection(limits=Limits(stream_window=70_000, connection_window=100_000)).data_to_send()

    assert sent.startswith(PREFACE)
    first, second = frames(sent)
    assert first.kind == SETTINGS
    assert first.payload == settings([(INITIAL_WINDOW_SIZE, 70_000), (6, 262_144), (2, 0)])[9:]
    assert second == Frame(WINDOW_UPDATE, 0, 0, (100_000 - 65_535).to_bytes(4, "big"))


def test_a_server_begins_with_its_settings_and_credit() -> None:
    first, second = frames(ServerConnection(limits=Limits(max_concurrent_streams=7)).data_to_send())

    assert first.kind == SETTINGS
    assert first.payload.endswith(settings([(MAX_CONCURRENT_STREAMS, 7)])[9:])
    assert second.kind == WINDOW_UPDATE


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n", b"PRI * HTTP/2.0\r\n\r\nXX", b"P\0"])
def test_a_client_that_does_not_speak_http2_is_told_at_the_first_wrong_byte(data: bytes) -> None:
    server = ServerConnection()

    server.receive_data(data)

    assert "preface" in assert_broken(server, PROTOCOL_ERROR)


@pytest.mark.parametrize("data", [b"HTTP/1.1 400 Bad Request", ping(b"12345678", 0), settings_ack()])
def test_a_server_that_does_not_begin_with_settings_is_refused(data: bytes) -> None:
    client = ClientConnection()

    client.receive_data(data)

    assert "SETTINGS" in assert_broken(client, PROTOCOL_ERROR)


def test_the_preface_may_come_octet_by_octet() -> None:
    server = ServerConnection()
    for octet in PREFACE + settings([]):
        server.receive_data(bytes((octet,)))

    assert drain(server) == [SettingsChanged({})]


# --- SETTINGS ----------------------------------------------------------------------------------------------------


def test_settings_are_acknowledged_and_reported() -> None:
    server = start_server()

    server.receive_data(settings([(MAX_FRAME_SIZE, 20_000)]))

    assert drain(server) == [SettingsChanged({MAX_FRAME_SIZE: 20_000})]
    assert frames(server.data_to_send()) == [Frame(SETTINGS, ACK, 0, b"")]


@pytest.mark.parametrize(
    ("data", "error_code"),
    [
        (frame(SETTINGS, 0, 1), PROTOCOL_ERROR),
        (frame(SETTINGS, 0, 0, b"12345"), FRAME_SIZE_ERROR),
        (frame(SETTINGS, ACK, 0, b"123456"), FRAME_SIZE_ERROR),
        (settings([(ENABLE_PUSH, 2)]), PROTOCOL_ERROR),
        (settings([(INITIAL_WINDOW_SIZE, 2**31)]), FLOW_CONTROL_ERROR),
        (settings([(MAX_FRAME_SIZE, 5)]), PROTOCOL_ERROR),
    ],
)
def test_malformed_settings_cost_the_connection(data: bytes, error_code: int) -> None:
    server = start_server()

    server.receive_data(data)

    assert_broken(server, error_code)


def test_a_server_cannot_enable_push() -> None:
    client = start_client()

    client.receive_data(settings([(ENABLE_PUSH, 1)]))

    assert_broken(client, PROTOCOL_ERROR)


def test_the_first_block_behind_a_new_table_size_says_that_ours_is_gone() -> None:
    client = start_client()
    client.send_unary_request(ECHO, b"")
    assert not frames(client.data_to_send())[0].payload.startswith(DROP_TABLE)

    client.receive_data(settings([(HEADER_TABLE_SIZE, 0)]))
    client.send_unary_request(ECHO, b"")
    client.receive_data(settings([(HEADER_TABLE_SIZE, 100)]))
    client.send_unary_request(ECHO, b"")

    sent = [found.payload for found in frames(client.data_to_send()) if found.kind == HEADERS]
    assert [payload.startswith(DROP_TABLE) for payload in sent] == [True, False]


def test_a_peer_whose_blocks_have_no_memory_is_not_asked_for_such() -> None:
    server = start_server()

    server.receive_data(request(1))

    assert len(drain(server)) == 1
    assert server.data_to_send() == b""


@pytest.mark.parametrize("split", [False, True])
def test_a_peer_whose_blocks_have_a_memory_is_asked_once_for_others(split: bool) -> None:
    server = start_server()
    indexing = request_block(STREAM) + b"\x40\x01k\x01v"
    for stream_id in (1, 3):
        if split:
            server.receive_data(frame(HEADERS, 0, stream_id, indexing[:5]))
            server.receive_data(frame(CONTINUATION, END_HEADERS, stream_id, indexing[5:]))
        else:
            server.receive_data(frame(HEADERS, END_HEADERS, stream_id, indexing))

    assert len(drain(server)) == 2
    assert server.data_to_send() == settings([(HEADER_TABLE_SIZE, 0)])


def test_it_is_asked_even_by_a_block_that_is_malformed() -> None:
    server = start_server()

    server.receive_data(frame(HEADERS, END_HEADERS, 1, b"\x40\x01K\x01v"))

    assert kinds(server.data_to_send()) == [SETTINGS, RST_STREAM]


def test_what_it_is_asked_counts_from_its_acknowledgement() -> None:
    server = start_server()
    server.receive_data(frame(HEADERS, END_HEADERS, 1, request_block(STREAM) + b"\x40\x01k\x01v"))

    server.receive_data(frame(HEADERS, END_HEADERS, 3, b"\x21" + request_block(STREAM)))
    assert len(drain(server)) == 2

    server.receive_data(settings_ack())
    server.receive_data(frame(HEADERS, END_HEADERS, 5, b"\x21" + request_block(STREAM)))
    assert "larger than allowed" in assert_broken(server, COMPRESSION_ERROR)


# --- PING and GOAWAY ---------------------------------------------------------------------------------------------


def test_a_ping_is_answered() -> None:
    server = start_server()

    server.receive_data(ping(b"12345678", 0))

    assert frames(server.data_to_send()) == [Frame(PING, ACK, 0, b"12345678")]
    assert drain(server) == []


def test_our_ping_is_answered() -> None:
    server = start_server()
    server.send_ping(b"abcdefgh")
    (sent,) = frames(server.data_to_send())

    server.receive_data(frame(PING, ACK, 0, sent.payload))

    assert drain(server) == [PingAcknowledged(b"abcdefgh")]


def test_a_ping_has_eight_octets() -> None:
    with pytest.raises(LocalProtocolError, match="eight"):
        start_server().send_ping(b"short")


@pytest.mark.parametrize(
    ("data", "error_code"),
    [
        (frame(PING, 0, 1, b"12345678"), PROTOCOL_ERROR),
        (frame(PING, 0, 0, b"1234567"), FRAME_SIZE_ERROR),
        (frame(GOAWAY, 0, 1, b"12345678"), PROTOCOL_ERROR),
        (frame(GOAWAY, 0, 0, b"1234567"), FRAME_SIZE_ERROR),
        (frame(PRIORITY, 0, 0, b"12345"), PROTOCOL_ERROR),
        (frame(PRIORITY, 0, 1, b"1234"), FRAME_SIZE_ERROR),        # a stream's error, but there is no stream
        (frame(PUSH_PROMISE, END_HEADERS, 1, b"1234"), PROTOCOL_ERROR),
        (frame(HEADERS, END_HEADERS, 0, b""), PROTOCOL_ERROR),
        (frame(HEADERS, END_HEADERS | PRIORITY_FLAG, 1, b"1234"), FRAME_SIZE_ERROR),
        (frame(HEADERS, END_HEADERS | PADDED, 1, b"\x05abc"), PROTOCOL_ERROR),
        (frame(CONTINUATION, END_HEADERS, 1, b""), PROTOCOL_ERROR),
        (b"\0\x40\x01\0\0\0\0\0\0", FRAME_SIZE_ERROR),             # its head is enough
    ],
)
def test_a_malformed_frame_costs_the_connection(data: bytes, error_code: int) -> None:
    server = start_server()

    server.receive_data(data)

    assert_broken(server, error_code)


def test_goaway_is_reported() -> None:
    server = start_server()

    server.receive_data(goaway(2**31 - 1, 11, b"why"))

    assert drain(server) == [GoingAway(2**31 - 1, 11, b"why")]


def test_our_goaway_names_the_last_stream_and_lets_calls_go_on() -> None:
    server = start_server()
    server.receive_data(request(1) + request(3))
    server.send_goaway(NO_ERROR, b"bye")

    server.receive_data(request(5))
    server.send_unary_reply(1, b"still")

    first, refused, *answer = frames(server.data_to_send())
    assert first == Frame(GOAWAY, 0, 0, (3).to_bytes(4, "big") + bytes(4) + b"bye")
    assert (refused.kind, refused.stream_id) == (RST_STREAM, 5)
    assert [found.stream_id for found in answer] == [1, 1, 1]
    assert server.open_calls == 1


# --- what is ignored ---------------------------------------------------------------------------------------------


def test_priority_and_unknown_frames_are_ignored() -> None:
    server = start_server()

    server.receive_data(frame(PRIORITY, 0, 9, b"12345") + frame(0xBE, 0xFF, 7, b"anything") + request(1))

    assert [type(event) for event in drain(server)] == [UnaryRequest]


def test_the_reserved_bit_of_a_stream_id_is_ignored() -> None:
    server = start_server()
    plain = request(1)
    server.receive_data(plain)      # its block is known from here on
    reserved = b"".join(frame(found.kind, found.flags, 3 | 1 << 31, found.payload) for found in frames(plain))

    server.receive_data(reserved)

    assert [event.stream_id for event in drain(server) if isinstance(event, UnaryRequest)] == [1, 3]


# --- header blocks -----------------------------------------------------------------------------------------------


def test_a_block_may_come_in_any_number_of_frames() -> None:
    server = start_server(unary_paths=())
    block = request_block()
    pieces = [block[:3], b"", block[3:20], block[20:]]
    kinds_and_flags = [(HEADERS, END_STREAM), (CONTINUATION, 0), (CONTINUATION, 0), (CONTINUATION, END_HEADERS)]

    server.receive_data(
        b"".join(frame(*kind, 1, piece) for kind, piece in zip(kinds_and_flags, pieces, strict=True))
    )

    received, ended = drain(server)
    assert isinstance(received, RequestReceived)
    assert received.head.path == ECHO
    assert ended.stream_id == 1


def test_padding_and_priority_of_headers_are_dropped() -> None:
    server = start_server(unary_paths=())
    payload = b"\x04" + b"prior" + request_block() + b"\0\0\0\0"

    server.receive_data(frame(HEADERS, END_HEADERS | PADDED | PRIORITY_FLAG, 1, payload))

    assert [event.head.path for event in drain(server) if isinstance(event, RequestReceived)] == [ECHO]


@pytest.mark.parametrize(
    "between",
    [
        frame(DATA, 0, 1, b"x"),
        frame(CONTINUATION, END_HEADERS, 3),
        ping(b"12345678", 0),
        frame(0xBE, 0, 1),
        request(103),
    ],
)
def test_nothing_may_come_between_the_frames_of_a_block(between: bytes) -> None:
    server = start_server()
    server.receive_data(request(99))        # its block is known from here on

    server.receive_data(frame(HEADERS, 0, 101, request_block()) + between)

    assert_broken(server, PROTOCOL_ERROR)


# --- ends --------------------------------------------------------------------------------------------------------


def test_eof_between_calls_is_clean() -> None:
    server = start_server()

    server.receive_eof()
    server.receive_eof()

    assert drain(server) == [ConnectionEnded(clean=True)]
    with pytest.raises(LocalProtocolError, match="end of the connection"):
        server.receive_data(b"")


def test_eof_in_a_frame_or_block_is_not_clean() -> None:
    for data in (b"\0", frame(HEADERS, 0, 1, b"")):
        server = start_server()
        server.receive_data(data)
        server.receive_eof()
        assert drain(server) == [ConnectionEnded(clean=False)]


def test_eof_resets_the_calls_that_the_application_knows() -> None:
    server = start_server()
    server.receive_data(request(1) + request(3, STREAM) + frame(HEADERS, END_HEADERS, 5, request_block()))
    drain(server)

    server.receive_eof()

    *resets, ended = drain(server)
    assert [event.stream_id for event in resets if isinstance(event, StreamReset)] == [1, 3]
    assert all(isinstance(event, StreamReset) and event.status.code is Code.UNAVAILABLE for event in resets)
    assert all(isinstance(event, StreamReset) and event.error_code is None for event in resets)
    assert ended == ConnectionEnded(clean=False)


def test_events_before_an_error_come_first_and_calls_end_before_it() -> None:
    server = start_server()

    server.receive_data(request(1) + frame(PING, 0, 1) + request(3))

    first, second = server.next_event(), server.next_event()
    assert isinstance(first, UnaryRequest)
    assert isinstance(second, StreamReset)
    assert second.stream_id == 1
    assert second.status.message == "the peer broke the protocol: PING belongs to no stream"
    assert_broken(server, PROTOCOL_ERROR)
    server.send_unary_reply(1, b"too late")
    assert server.data_to_send() == b""


# --- floods ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("question", [ping(b"12345678", 0), settings([])])
def test_a_peer_that_asks_and_does_not_read_is_cut_off(question: bytes) -> None:
    server = start_server()

    server.receive_data(question * (MAX_OWED + 1))

    assert_broken(server, ENHANCE_YOUR_CALM)


@pytest.mark.parametrize("question", [ping(b"12345678", 0), settings([])])
def test_a_peer_that_reads_the_answers_may_ask_for_ever(question: bytes) -> None:
    server = start_server()

    for _ in range(20):
        server.receive_data(question * (MAX_OWED // 2))
        drain(server)
        assert len(kinds(server.data_to_send())) == MAX_OWED // 2


@pytest.mark.parametrize(
    "useless",
    [
        frame(PRIORITY, 0, 1, b"12345"),
        frame(0xBE),
        frame(WINDOW_UPDATE, 0, 0, b"\0\0\0\1"),
        settings_ack(),
        frame(PING, ACK, 0, b"12345678"),
        goaway(0, 0, b""),
    ],
)
def test_a_peer_that_sends_nothing_useful_is_cut_off(useless: bytes) -> None:
    server = start_server()

    server.receive_data(useless * (MAX_DEBT - 1))      # the acknowledgement of the settings was one, too
    drain(server)
    server.receive_data(useless)

    assert_broken(server, ENHANCE_YOUR_CALM)


def test_answered_calls_pay_for_what_was_useless() -> None:
    server = start_server()

    for stream_id in range(1, 41, 2):
        server.receive_data(frame(PRIORITY, 0, 1, b"12345") * (MAX_DEBT // 2) + request(stream_id))
        server.send_unary_reply(stream_id, b"")

    assert len(drain(server)) == 20


def test_a_block_without_end_is_cut_off() -> None:
    server = start_server(limits=Limits(max_header_list_size=1000))
    server.receive_data(frame(HEADERS, 0, 1, b""))

    server.receive_data(frame(CONTINUATION, 0, 1, b"x" * 1000) * 5)

    assert_broken(server, ENHANCE_YOUR_CALM)


def test_empty_continuations_are_cut_off() -> None:
    server = start_server()
    server.receive_data(frame(HEADERS, 0, 1, b""))

    server.receive_data(frame(CONTINUATION, 0, 1, b"") * (MAX_DEBT + 1))

    assert_broken(server, ENHANCE_YOUR_CALM)


def test_a_message_is_not_parsed_before_its_frame_is_whole() -> None:
    server = start_server()
    data = request(1) + request(3)

    server.receive_data(data[:-1])
    assert [event.stream_id for event in drain(server) if isinstance(event, UnaryRequest)] == [1]
    server.receive_data(data[-1:])
    assert [event.message for event in drain(server) if isinstance(event, UnaryRequest)] == [b"hello"]
    assert message(b"hello") in data
