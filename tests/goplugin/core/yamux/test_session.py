from __future__ import annotations

import pytest

from goplugin.core.errors import LocalProtocolError, RemoteProtocolError
from goplugin.core.yamux import BACKLOG, INITIAL_WINDOW, DataReceived, Session
from goplugin.core.yamux.frames import ACK, DATA, FIN, GO_AWAY, MAX_WORD, PING, RST, SYN, WINDOW_UPDATE
from goplugin.core.yamux.session import MAX_OWED

from .support import Frame, carry, drain, opened, pack, pair, sent, told

HALF = INITIAL_WINDOW // 2


def break_with(session: Session, data: bytes) -> str:
    """What the session says of a peer that sends this, having told it so."""
    session.data_to_send()
    session.receive_data(data)
    with pytest.raises(RemoteProtocolError) as caught:
        drain(session)
    assert sent(session) == [Frame(GO_AWAY, length=1)]
    return str(caught.value)


# --- opening and accepting ---


def test_the_ids_of_a_client_are_odd_and_those_of_a_server_even() -> None:
    client, server = pair()

    assert [client.send_open() for _ in range(3)] == [1, 3, 5]
    assert [server.send_open() for _ in range(3)] == [2, 4, 6]


def test_a_stream_is_opened_with_syn_and_accepted_with_ack() -> None:
    client, server = pair()
    assert client.send_open() == 1
    opening = client.data_to_send()
    assert opening == pack(WINDOW_UPDATE, SYN, 1)
    server.receive_data(opening)
    assert told(server) == ["StreamOpened(stream_id=1)"]

    server.send_accept(1)
    answer = server.data_to_send()
    assert answer == pack(WINDOW_UPDATE, ACK, 1)
    client.receive_data(answer)
    assert told(client) == ["StreamAccepted(stream_id=1)"]


def test_data_may_be_sent_before_the_stream_is_accepted() -> None:
    client, server = pair()
    stream_id = client.send_open()
    assert client.send_data(stream_id, b"early") == 5

    assert carry(client, server) == ["StreamOpened(stream_id=1)", "DataReceived(stream_id=1, data=b'early')"]


def test_only_an_offered_stream_can_be_accepted_and_once() -> None:
    client, server = pair()
    with pytest.raises(LocalProtocolError, match="stream 1 cannot be accepted"):
        client.send_accept(client.send_open())
    carry(client, server)
    server.send_accept(1)
    with pytest.raises(LocalProtocolError, match="stream 1 cannot be accepted"):
        server.send_accept(1)


def test_nothing_is_sent_on_a_stream_before_it_is_accepted() -> None:
    client, server = pair()
    client.send_open()
    carry(client, server)

    with pytest.raises(LocalProtocolError, match="stream 1 has not been accepted"):
        server.send_data(1, b"early")
    with pytest.raises(LocalProtocolError, match="stream 1 has not been accepted"):
        server.send_end(1)


def test_an_offered_stream_can_be_refused() -> None:
    client, server = pair()
    client.send_open()
    carry(client, server)
    server.send_reset(1)

    assert carry(server, client) == ["StreamReset(stream_id=1, session_over=False)"]
    assert carry(client, server) == []


def test_a_stream_beyond_the_backlog_is_reset() -> None:
    server = Session(client=False)
    server.receive_data(b"".join(pack(WINDOW_UPDATE, SYN, 2 * number + 1) for number in range(BACKLOG)))
    assert len(drain(server)) == BACKLOG
    late = 2 * BACKLOG + 1
    server.receive_data(pack(DATA, SYN, late, 3) + b"abc")
    assert told(server) == []
    assert sent(server) == [Frame(WINDOW_UPDATE, RST, late)]

    server.send_accept(1)
    server.receive_data(pack(WINDOW_UPDATE, RST, 3) + pack(WINDOW_UPDATE, FIN, 5))
    server.receive_data(b"".join(pack(WINDOW_UPDATE, SYN, late + 2 * number) for number in range(3)))
    assert told(server) == [
        "StreamReset(stream_id=3, session_over=False)", "StreamFinished(stream_id=5)",
        f"StreamOpened(stream_id={late})", f"StreamOpened(stream_id={late + 2})",
    ]


def test_our_own_unanswered_streams_have_the_same_limit() -> None:
    client = Session(client=True)
    for _ in range(BACKLOG):
        client.send_open()
    assert not client.can_open
    with pytest.raises(LocalProtocolError, match="no stream can be opened now"):
        client.send_open()

    client.receive_data(pack(WINDOW_UPDATE, ACK, 1))
    assert client.can_open
    client.send_open()
    assert not client.can_open
    client.receive_data(pack(WINDOW_UPDATE, RST, 3))
    assert client.can_open


def test_ids_come_to_an_end() -> None:
    client = Session(client=True)
    client._next_id = MAX_WORD
    assert client.send_open() == MAX_WORD
    assert not client.can_open


def test_a_second_ack_means_nothing() -> None:
    client, server, stream_id = opened()
    client.receive_data(pack(WINDOW_UPDATE, ACK, stream_id))
    server.receive_data(pack(WINDOW_UPDATE, ACK, stream_id))

    assert told(client) == told(server) == []


def test_an_ack_does_not_accept_the_stream_of_its_sender() -> None:
    server = Session(client=False)
    server.receive_data(pack(WINDOW_UPDATE, SYN | ACK, 1))
    assert told(server) == ["StreamOpened(stream_id=1)"]
    server.send_accept(1)


@pytest.mark.parametrize("stream_id", [0, 2, MAX_WORD - 1])
def test_a_peer_opens_streams_of_its_own_kind_only(stream_id: int) -> None:
    server = Session(client=False)

    assert break_with(server, pack(WINDOW_UPDATE, SYN, stream_id)) == f"stream {stream_id} is not the peer's to open"


def test_a_duplicate_stream_ends_the_session() -> None:
    server = Session(client=False)
    server.receive_data(pack(WINDOW_UPDATE, SYN, 1))

    assert break_with(server, pack(WINDOW_UPDATE, SYN, 1)) == "duplicate stream 1"


# --- data and windows ---


def test_data_flows_in_both_directions() -> None:
    client, server, stream_id = opened()
    assert client.send_data(stream_id, b"ping") == 4
    assert server.send_data(stream_id, memoryview(b"pong")) == 4

    assert carry(client, server) == ["DataReceived(stream_id=1, data=b'ping')"]
    assert carry(server, client) == ["DataReceived(stream_id=1, data=b'pong')"]


def test_no_more_is_sent_than_the_window_has() -> None:
    client, server, stream_id = opened()
    assert client.send_data(stream_id, bytes(INITIAL_WINDOW + 1)) == INITIAL_WINDOW
    assert client.send_data(stream_id, b"x") == 0
    assert client.send_data(stream_id, b"") == 0
    assert [frame.length for frame in sent(client)] == [INITIAL_WINDOW]
    assert told(server) == []


def test_credit_comes_back_when_half_of_the_window_is_consumed() -> None:
    client, server, stream_id = opened()
    client.send_data(stream_id, bytes(INITIAL_WINDOW + 1))
    carry(client, server)
    server.acknowledge_data(stream_id, HALF - 1)
    assert sent(server) == []
    server.acknowledge_data(stream_id, 1)

    assert carry(server, client) == ["StreamWritable(stream_id=1)"]
    assert client.send_data(stream_id, bytes(INITIAL_WINDOW)) == HALF


def test_credit_that_nobody_waits_for_is_no_event() -> None:
    client, server, stream_id = opened()
    client.send_data(stream_id, bytes(HALF))
    carry(client, server)
    server.acknowledge_data(stream_id, HALF)

    assert carry(server, client) == []
    assert client.send_data(stream_id, bytes(INITIAL_WINDOW + 1)) == INITIAL_WINDOW
    client.receive_data(pack(WINDOW_UPDATE, 0, stream_id, 0))
    assert told(client) == []


def test_no_credit_is_given_to_a_peer_that_has_finished() -> None:
    client, server, stream_id = opened()
    client.send_data(stream_id, bytes(INITIAL_WINDOW))
    client.send_end(stream_id)
    carry(client, server)
    server.acknowledge_data(stream_id, INITIAL_WINDOW)

    assert sent(server) == []


def test_no_more_can_be_acknowledged_than_came() -> None:
    client, server, stream_id = opened()
    client.send_data(stream_id, b"abc")
    carry(client, server)
    server.acknowledge_data(stream_id, 2)

    with pytest.raises(LocalProtocolError, match="stream 1 has 1 octets to acknowledge, not 2"):
        server.acknowledge_data(stream_id, 2)


def test_a_peer_that_overruns_its_window_ends_the_session() -> None:
    client, server, stream_id = opened()
    client.send_data(stream_id, bytes(INITIAL_WINDOW))
    carry(client, server)

    assert break_with(server, pack(DATA, 0, 1, 1) + b"x") == "1 octets on stream 1, whose window has 0"


def test_a_window_that_is_too_large_ends_the_session() -> None:
    client, _, stream_id = opened()
    client.receive_data(pack(WINDOW_UPDATE, 0, stream_id, MAX_WORD - INITIAL_WINDOW))
    assert told(client) == []

    assert break_with(client, pack(WINDOW_UPDATE, 0, stream_id, 1)) == "the window of stream 1 is too large"


def test_data_arrives_as_it_comes_and_not_frame_by_frame() -> None:
    _, server, stream_id = opened()
    server.receive_data(pack(DATA, FIN, stream_id, 6) + b"ab")
    assert told(server) == ["DataReceived(stream_id=1, data=b'ab')"]
    server.receive_data(b"cd")
    assert told(server) == ["DataReceived(stream_id=1, data=b'cd')"]
    server.receive_data(b"ef")
    assert told(server) == ["DataReceived(stream_id=1, data=b'ef')", "StreamFinished(stream_id=1)"]


def test_a_head_may_come_in_pieces() -> None:
    _, server, _ = opened()
    for octet in pack(PING, SYN, 0, 77):
        server.receive_data(bytes((octet,)))

    assert sent(server) == [Frame(PING, ACK, 0, 77)]


# --- ending a stream ---


def test_either_direction_ends_by_itself() -> None:
    client, server, stream_id = opened()
    client.send_end(stream_id)
    assert carry(client, server) == ["StreamFinished(stream_id=1)"]
    server.send_data(stream_id, b"still here")
    assert carry(server, client) == ["DataReceived(stream_id=1, data=b'still here')"]
    server.send_end(stream_id)
    assert carry(server, client) == ["StreamFinished(stream_id=1)"]

    for session in (client, server):
        assert session.send_data(stream_id, b"into the void") == 13
        session.send_end(stream_id)
        session.send_accept(stream_id)
        session.send_reset(stream_id)
        session.acknowledge_data(stream_id, 1)
        session.discard(stream_id)
        assert sent(session) == []


def test_nothing_is_sent_behind_the_end() -> None:
    client, _, stream_id = opened()
    client.send_end(stream_id)

    with pytest.raises(LocalProtocolError, match=r"stream 1 is closed by us$"):
        client.send_data(stream_id, b"more")
    with pytest.raises(LocalProtocolError, match="stream 1 is closed by us already"):
        client.send_end(stream_id)


def test_data_behind_the_end_is_dropped() -> None:
    _, server, stream_id = opened()
    server.receive_data(pack(WINDOW_UPDATE, FIN, stream_id) + pack(DATA, 0, stream_id, 3) + b"abc")

    assert told(server) == ["StreamFinished(stream_id=1)"]


@pytest.mark.parametrize("again", [pack(WINDOW_UPDATE, FIN, 1), pack(DATA, FIN, 1, 1) + b"x"])
def test_a_second_end_ends_the_session(again: bytes) -> None:
    _, server, stream_id = opened()
    server.receive_data(pack(WINDOW_UPDATE, FIN, stream_id))

    assert break_with(server, again) == "a second FIN on stream 1"


def test_nobody_waits_for_credit_behind_the_end() -> None:
    client, _, stream_id = opened()
    client.send_data(stream_id, bytes(INITIAL_WINDOW + 1))
    client.send_end(stream_id)
    client.receive_data(pack(WINDOW_UPDATE, 0, stream_id, 1))

    assert told(client) == []


def test_a_reset_ends_both_directions_and_what_comes_later_is_dropped() -> None:
    client, server, stream_id = opened()
    client.send_reset(stream_id)
    server.send_data(stream_id, b"too late")
    server.send_end(stream_id)

    assert carry(client, server) == ["StreamReset(stream_id=1, session_over=False)"]
    assert carry(server, client) == []


def test_what_comes_with_a_reset_is_dropped() -> None:
    _, server, stream_id = opened()
    server.receive_data(pack(DATA, RST, stream_id, 3) + b"abc" + pack(PING, SYN))

    assert told(server) == ["StreamReset(stream_id=1, session_over=False)"]
    assert sent(server) == [Frame(PING, ACK)]


def test_a_stream_may_be_given_up_in_the_middle_of_a_frame() -> None:
    _, server, stream_id = opened()
    server.receive_data(pack(DATA, FIN, stream_id, 4) + b"ab")
    drain(server)
    server.send_reset(stream_id)
    server.receive_data(b"cd" + pack(PING, SYN))

    assert told(server) == []
    assert sent(server) == [Frame(WINDOW_UPDATE, RST, stream_id), Frame(PING, ACK)]


def test_frames_of_an_unknown_stream_are_drained() -> None:
    client = Session(client=True)
    client.receive_data(pack(DATA, FIN, 8, 3) + b"abc" + pack(WINDOW_UPDATE, FIN | ACK | RST, 9, 3) + pack(PING, SYN))

    assert told(client) == []
    assert sent(client) == [Frame(PING, ACK)]


def test_what_is_discarded_is_no_event_and_the_peer_may_finish() -> None:
    client, server, stream_id = opened()
    server.send_end(stream_id)
    server.discard(stream_id)
    client.send_data(stream_id, bytes(HALF))
    client.send_end(stream_id)

    assert carry(client, server) == ["StreamFinished(stream_id=1)"]


def test_a_peer_that_goes_on_and_on_where_nobody_listens_is_reset() -> None:
    client, server, stream_id = opened()
    client.send_data(stream_id, bytes(HALF))
    carry(client, server)
    server.discard(stream_id)
    server.acknowledge_data(stream_id, HALF)
    assert sent(server) == []
    client.send_data(stream_id, b"x")

    assert carry(client, server) == ["StreamReset(stream_id=1, session_over=False)"]
    assert carry(server, client) == ["StreamReset(stream_id=1, session_over=False)"]


def test_a_reset_stands_if_the_same_frame_finishes_the_stream() -> None:
    _, server, stream_id = opened()
    server.discard(stream_id)

    server.receive_data(pack(DATA, FIN, stream_id, HALF + 1) + bytes(HALF + 1))

    assert told(server) == ["StreamReset(stream_id=1, session_over=False)"]


# --- the session ---


def test_a_ping_is_answered_with_its_value() -> None:
    client, server = pair()
    client.send_ping(77)
    assert carry(client, server) == []
    assert carry(server, client) == ["PingAcknowledged(value=77)"]


def test_an_answer_that_nobody_asked_for_means_nothing() -> None:
    client = Session(client=True)
    client.send_ping(MAX_WORD)
    client.receive_data(pack(PING, ACK, 0, 1) + pack(PING, ACK, 0, MAX_WORD) * 2)

    assert told(client) == [f"PingAcknowledged(value={MAX_WORD})"]


@pytest.mark.parametrize("value", [-1, MAX_WORD + 1])
def test_the_value_of_a_ping_has_32_bits(value: int) -> None:
    with pytest.raises(LocalProtocolError, match=f"the value of a ping has 32 bits: {value}"):
        Session(client=True).send_ping(value)


def test_a_peer_that_asks_faster_than_it_reads_ends_the_session() -> None:
    server = Session(client=False)
    server.receive_data(pack(PING, SYN) * MAX_OWED)
    assert len(sent(server)) == MAX_OWED
    server.receive_data(pack(PING, SYN) * MAX_OWED)
    assert told(server) == []
    server.receive_data(pack(PING, SYN))

    with pytest.raises(RemoteProtocolError, match="the peer asks faster than it reads the answers"):
        server.next_event()


def test_who_goes_away_takes_no_new_streams_and_those_that_are_open_go_on() -> None:
    client, server, stream_id = opened()
    client.send_open()
    server.send_go_away()
    assert carry(client, server) == []
    assert carry(server, client) == ["GoingAway()", "StreamReset(stream_id=3, session_over=False)"]
    assert not client.can_open
    assert server.can_open

    client.send_data(stream_id, b"go on")
    assert carry(client, server) == ["DataReceived(stream_id=1, data=b'go on')"]
    client.receive_data(pack(GO_AWAY))
    assert told(client) == []


@pytest.mark.parametrize(("reason", "text"), [(1, "protocol error"), (2, "internal error"), (9, "reason 9")])
def test_a_peer_may_end_the_session(reason: int, text: str) -> None:
    client, _, stream_id = opened()
    client.receive_data(pack(GO_AWAY, length=reason) + pack(PING, SYN))

    assert repr(client.next_event()) == f"StreamReset(stream_id={stream_id}, session_over=True)"
    for _ in range(2):
        with pytest.raises(RemoteProtocolError, match=f"^the peer ended the session: {text}$"):
            client.next_event()
    assert sent(client) == []
    assert not client.can_open


def test_a_peer_of_another_kind_ends_the_session() -> None:
    assert break_with(Session(client=False), b"PRI * HTTP/2.0\r\n\r\n") == "version 80 of yamux"
    assert break_with(Session(client=False), pack(4)) == "a frame of type 4"


def test_what_came_before_an_error_is_told_before_it() -> None:
    client, _, stream_id = opened()
    client.receive_data(pack(DATA, 0, stream_id, 2) + b"ok" + pack(7) + pack(PING, SYN))
    client.receive_data(pack(PING, SYN))
    client.receive_eof()

    assert client.next_event() == DataReceived(stream_id, b"ok")
    assert repr(client.next_event()) == "StreamReset(stream_id=1, session_over=True)"
    with pytest.raises(RemoteProtocolError, match="a frame of type 7"):
        client.next_event()
    assert sent(client) == [Frame(GO_AWAY, length=1)]


def test_the_end_of_the_connection_ends_the_streams() -> None:
    client, _, stream_id = opened()
    client.receive_eof()
    client.receive_eof()

    assert told(client) == [f"StreamReset(stream_id={stream_id}, session_over=True)", "SessionEnded(clean=False)"]
    assert not client.can_open
    with pytest.raises(LocalProtocolError, match="no data can follow the end of the connection"):
        client.receive_data(b"")


@pytest.mark.parametrize(
    ("data", "clean"), [(b"", True), (pack(PING, SYN), True), (b"\0", False), (pack(DATA, 0, 9, 3) + b"ab", False)]
)
def test_a_clean_end_is_one_between_frames(data: bytes, clean: bool) -> None:
    server = Session(client=False)
    server.receive_data(data)
    server.receive_eof()

    assert told(server) == [f"SessionEnded(clean={clean})"]
