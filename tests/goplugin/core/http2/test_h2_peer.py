"""The machine against another implementation, the h2 package, in both roles and for all kinds of call."""
from __future__ import annotations

import collections

import h2.config
import h2.connection
import h2.events
import h2.settings
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goplugin.core.http2 import (
    ClientConnection,
    ConnectionEnded,
    Event,
    GoingAway,
    Limits,
    MessageReceived,
    PingAcknowledged,
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
from goplugin.core.http2.faults import CANCEL
from goplugin.core.http2.messages import MessageReader
from goplugin.core.status import Code

from .support import ECHO, STREAM, drain, message

Headers = list[tuple[str, str]]
OK = [("grpc-status", "0")]
HEAD = [(":status", "200"), ("content-type", "application/grpc")]
SIZES = [0, 1, 16_384, 70_000, 1 << 20]


def request_headers(path: str, *more: tuple[str, str]) -> Headers:
    return [
        (":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "h2"), ("te", "trailers"),
        ("content-type", "application/grpc"), *more,
    ]


class Stream:
    """What h2 received on one stream."""

    def __init__(self) -> None:
        self.heads: list[Headers] = []
        self.messages: list[bytes] = []
        self.ended = False
        self.reset: int | None = None
        self.reader = MessageReader(1 << 30, "", server=False)


class Peer:
    """An h2 connection that sends as its windows allow and keeps what it receives, by stream."""

    def __init__(self, *, client: bool) -> None:
        config = h2.config.H2Configuration(client_side=client, header_encoding="utf-8")
        self.h2 = h2.connection.H2Connection(config)
        self.h2.initiate_connection()
        self.streams: dict[int, Stream] = collections.defaultdict(Stream)
        self.others: list[h2.events.Event] = []
        self._outgoing: dict[int, tuple[bytes, bool, Headers | None]] = {}

    def call(self, path: str, *more: tuple[str, str]) -> int:
        stream_id = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream_id, request_headers(path, *more))
        return stream_id

    def send(self, stream_id: int, data: bytes, *, end: bool = False, trailers: Headers | None = None) -> None:
        waiting, _, _ = self._outgoing.pop(stream_id, (b"", False, None))
        self._outgoing[stream_id] = waiting + data, end, trailers
        self._pump()

    def receive(self, data: bytes) -> None:
        for event in self.h2.receive_data(data):
            self._handle(event)
        self._pump()

    def _handle(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.DataReceived):
            stream = self.streams[event.stream_id]
            stream.messages += stream.reader.receive(event.data, 0, len(event.data))
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.RequestReceived | h2.events.ResponseReceived | h2.events.TrailersReceived):
            self.streams[event.stream_id].heads.append(event.headers)
        elif isinstance(event, h2.events.StreamEnded):
            self.streams[event.stream_id].ended = True
        elif isinstance(event, h2.events.StreamReset):
            self.streams[event.stream_id].reset = event.error_code
        else:
            self.others.append(event)

    def _pump(self) -> None:
        for stream_id, (data, end, trailers) in list(self._outgoing.items()):
            while data:
                room = min(self.h2.local_flow_control_window(stream_id), self.h2.max_outbound_frame_size)
                if room <= 0:
                    break
                self.h2.send_data(stream_id, data[:room], end_stream=end and len(data) <= room)
                data = data[room:]
            if data:
                self._outgoing[stream_id] = data, end, trailers
                continue
            del self._outgoing[stream_id]
            if trailers is not None:
                self.h2.send_headers(stream_id, trailers, end_stream=True)


def converse(ours: ClientConnection | ServerConnection, peer: Peer) -> list[Event]:
    """Carry until there is nothing left to carry; acknowledges messages as they come."""
    events: list[Event] = []
    while True:
        sent = ours.data_to_send()
        peer.receive(sent)
        answer = peer.h2.data_to_send()
        ours.receive_data(answer)
        for event in drain(ours):
            events.append(event)
            if isinstance(event, MessageReceived):
                ours.acknowledge_message(event.stream_id, len(event.message))
        if not (sent or answer):
            return [event for event in events if not isinstance(event, SettingsChanged)]


@pytest.fixture
def server() -> ServerConnection:
    return ServerConnection(unary_paths={ECHO})


@pytest.fixture
def h2_client() -> Peer:
    return Peer(client=True)


@pytest.fixture
def client() -> ClientConnection:
    return ClientConnection()


@pytest.fixture
def h2_server() -> Peer:
    return Peer(client=False)


# --- h2 calls our server -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
def test_h2_makes_unary_calls(server: ServerConnection, h2_client: Peer, size: int) -> None:
    for number in range(3):
        stream_id = h2_client.call(ECHO, ("grpc-timeout", f"{number + 1}S"), ("k-bin", "YQ"))
        h2_client.send(stream_id, message(bytes(size)), end=True)
        (event,) = converse(server, h2_client)
        assert isinstance(event, UnaryRequest)
        assert event.message == bytes(size)
        assert (event.head.timeout, event.head.metadata) == (number + 1, (("k-bin", b"a"),))

        server.send_unary_reply(stream_id, event.message, [("k", "v")] * number)
        assert converse(server, h2_client) == [] or size > 65_535

        stream = h2_client.streams[stream_id]
        assert stream.messages == [bytes(size)]
        assert stream.heads == [[*HEAD, *[("k", "v")] * number], OK]
        assert stream.ended
        assert stream.reset is None
    assert server.open_calls == 0


@pytest.mark.parametrize("size", SIZES)
def test_h2_makes_streaming_calls(server: ServerConnection, h2_client: Peer, size: int) -> None:
    stream_id = h2_client.call(STREAM)
    received = converse(server, h2_client)
    server.send_response(stream_id)
    for _ in range(3):
        h2_client.send(stream_id, message(bytes(size)))
        server.send_message(stream_id, bytes(size))
        received += converse(server, h2_client)
    h2_client.send(stream_id, message(b"last"), end=True)
    received += converse(server, h2_client)
    server.send_status(stream_id, Code.ABORTED, "caf\u00e9", b"why", [("k", "v")])
    received += converse(server, h2_client)

    assert isinstance(received[0], RequestReceived)
    messages = [event.message for event in received if isinstance(event, MessageReceived)]
    assert messages == [bytes(size)] * 3 + [b"last"]
    assert [event for event in received if isinstance(event, RequestEnded)] == [RequestEnded(stream_id)]
    assert all(event == StreamWritable(stream_id) for event in received[1:] if isinstance(event, StreamWritable))
    stream = h2_client.streams[stream_id]
    assert stream.messages == [bytes(size)] * 3
    trailers = [("grpc-status", "10"), ("grpc-message", "caf%C3%A9"), ("grpc-status-details-bin", "d2h5"), ("k", "v")]
    assert stream.heads == [HEAD, trailers]
    assert stream.ended
    assert server.open_calls == 0


def test_h2_gets_a_status_alone(server: ServerConnection, h2_client: Peer) -> None:
    stream_id = h2_client.call("/unknown/Method")
    h2_client.send(stream_id, message(b""), end=True)
    converse(server, h2_client)

    server.send_status(stream_id, Code.UNIMPLEMENTED, "unknown service")
    converse(server, h2_client)

    stream = h2_client.streams[stream_id]
    assert stream.heads == [[*HEAD, ("grpc-status", "12"), ("grpc-message", "unknown service")]]
    assert stream.ended


def test_h2_cancels(server: ServerConnection, h2_client: Peer) -> None:
    stream_id = h2_client.call(STREAM)
    converse(server, h2_client)

    h2_client.h2.reset_stream(stream_id, CANCEL)

    (event,) = converse(server, h2_client)
    assert isinstance(event, StreamReset)
    assert event.status.code is Code.CANCELLED


def test_h2_is_answered_early(server: ServerConnection, h2_client: Peer) -> None:
    stream_id = h2_client.call(STREAM)
    converse(server, h2_client)

    server.send_status(stream_id, Code.RESOURCE_EXHAUSTED)
    converse(server, h2_client)

    assert h2_client.streams[stream_id].ended
    assert h2_client.streams[stream_id].reset == 0
    assert server.open_calls == 0


def test_h2_pings_and_leaves(server: ServerConnection, h2_client: Peer) -> None:
    h2_client.h2.ping(b"12345678")
    server.send_ping(b"abcdefgh")
    assert converse(server, h2_client) == [PingAcknowledged(b"abcdefgh")]
    assert any(isinstance(event, h2.events.PingAckReceived) for event in h2_client.others)

    server.send_goaway(0, b"bye")
    h2_client.receive(server.data_to_send())
    assert any(isinstance(event, h2.events.ConnectionTerminated) for event in h2_client.others)


def test_h2_changes_its_settings_while_it_waits(server: ServerConnection, h2_client: Peer) -> None:
    codes = h2.settings.SettingCodes
    h2_client.h2.update_settings({codes.INITIAL_WINDOW_SIZE: 100, codes.HEADER_TABLE_SIZE: 0})
    stream_id = h2_client.call(ECHO)
    h2_client.send(stream_id, message(b"x"), end=True)
    converse(server, h2_client)
    h2_client.h2.update_settings({codes.INITIAL_WINDOW_SIZE: 10_000, codes.MAX_FRAME_SIZE: 20_000})
    converse(server, h2_client)

    server.send_unary_reply(stream_id, bytes(50_000))
    converse(server, h2_client)

    assert h2_client.streams[stream_id].messages == [bytes(50_000)]
    assert h2_client.streams[stream_id].heads[-1] == OK


# --- our client calls h2 -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
def test_h2_serves_unary_calls(client: ClientConnection, h2_server: Peer, size: int) -> None:
    for number in range(3):
        stream_id = client.send_unary_request(ECHO, bytes(size), [("k", "v")] * number, timeout=2)
        assert converse(client, h2_server) == []
        stream = h2_server.streams[stream_id]
        assert stream.ended
        assert stream.messages == [bytes(size)]
        expected = request_headers(
            ECHO, ("user-agent", "grpc-python-goplugin"), ("grpc-timeout", "2000000u"), *[("k", "v")] * number
        )
        assert [field for field in stream.heads[0] if field[0] != ":authority"] == [
            field for field in expected if field[0] != ":authority"
        ]

        h2_server.h2.send_headers(stream_id, HEAD)
        h2_server.send(stream_id, message(stream.messages[0]), trailers=OK)
        assert converse(client, h2_server) == [UnaryResponse(stream_id, bytes(size), Status(Code.OK), ())]
    assert client.open_calls == 0


@pytest.mark.parametrize("size", SIZES)
def test_h2_serves_streaming_calls(client: ClientConnection, h2_server: Peer, size: int) -> None:
    stream_id = client.send_request(STREAM)
    received = converse(client, h2_server)
    h2_server.h2.send_headers(stream_id, [*HEAD, ("k", "v")])
    for _ in range(3):
        client.send_message(stream_id, bytes(size))
        h2_server.send(stream_id, message(bytes(size)))
        received += converse(client, h2_server)
    client.send_end(stream_id)
    received += converse(client, h2_server)
    assert h2_server.streams[stream_id].ended
    h2_server.send(stream_id, b"", trailers=[("grpc-status", "5"), ("grpc-message", "%41")])
    received += converse(client, h2_server)

    assert h2_server.streams[stream_id].messages == [bytes(size)] * 3
    received = [event for event in received if event != StreamWritable(stream_id)]
    assert received == [
        ResponseStarted(stream_id, (("k", "v"),)),
        *[MessageReceived(stream_id, bytes(size))] * 3,
        ResponseEnded(stream_id, Status(Code.NOT_FOUND, "A")),
    ]


def test_h2_answers_with_a_status_alone(client: ClientConnection, h2_server: Peer) -> None:
    stream_id = client.send_unary_request(ECHO, b"")
    converse(client, h2_server)

    h2_server.h2.send_headers(stream_id, [*HEAD, ("grpc-status", "12")], end_stream=True)

    assert converse(client, h2_server) == [UnaryResponse(stream_id, None, Status(Code.UNIMPLEMENTED), ())]


def test_h2_resets_and_leaves(client: ClientConnection, h2_server: Peer) -> None:
    first, second = client.send_unary_request(ECHO, b""), client.send_unary_request(ECHO, b"")
    converse(client, h2_server)
    h2_server.h2.reset_stream(first, CANCEL)
    h2_server.h2.close_connection(last_stream_id=first)
    client.receive_data(h2_server.h2.data_to_send())
    client.receive_eof()

    reset, leaving, dropped, ended = drain(client)
    assert isinstance(reset, StreamReset)
    assert (reset.stream_id, reset.error_code) == (first, CANCEL)
    assert leaving == GoingAway(first, 0, b"")
    assert isinstance(dropped, StreamReset)
    assert (dropped.stream_id, dropped.unprocessed) == (second, True)
    assert ended == ConnectionEnded(clean=True)


def test_h2_sees_the_cancelling_of_a_call(client: ClientConnection, h2_server: Peer) -> None:
    stream_id = client.send_request(STREAM)
    converse(client, h2_server)

    client.send_reset(stream_id)
    converse(client, h2_server)

    assert h2_server.streams[stream_id].reset == CANCEL


# --- many calls at a time ----------------------------------------------------------------------------------------

PLANS = st.lists(
    st.tuples(
        st.sampled_from([ECHO, STREAM]),
        st.lists(st.sampled_from([0, 3, 100, 20_000, 66_000]), min_size=1, max_size=3),
        st.lists(st.sampled_from([0, 3, 100, 20_000, 66_000]), min_size=1, max_size=3),
    ),
    min_size=1,
    max_size=5,
)
SMALL = Limits(stream_window=65_535, connection_window=65_535)


@given(PLANS, st.booleans())
@settings(max_examples=60)
def test_h2_makes_any_calls(plans: list[tuple[str, list[int], list[int]]], small: bool) -> None:
    server, peer = ServerConnection(unary_paths={ECHO}, limits=SMALL if small else None), Peer(client=True)
    calls = {peer.call(path): (path, sent[:1] if path == ECHO else sent, answers) for path, sent, answers in plans}
    for stream_id, (_, sent, _) in calls.items():
        peer.send(stream_id, b"".join(message(bytes(size)) for size in sent), end=True)
    received = converse(server, peer)
    for stream_id, (_, _, answers) in calls.items():
        server.send_response(stream_id)
        for size in answers:
            server.send_message(stream_id, bytes(size))
        server.send_status(stream_id)
    converse(server, peer)

    for stream_id, (_, sent, answers) in calls.items():
        assert [
            len(event.message)
            for event in received
            if isinstance(event, MessageReceived | UnaryRequest) and event.stream_id == stream_id
        ] == sent
        assert [len(answer) for answer in peer.streams[stream_id].messages] == answers
        assert peer.streams[stream_id].heads[-1] == OK
    assert server.open_calls == 0


@given(PLANS, st.booleans())
@settings(max_examples=60)
def test_h2_serves_any_calls(plans: list[tuple[str, list[int], list[int]]], small: bool) -> None:
    client, peer = ClientConnection(limits=SMALL if small else None), Peer(client=False)
    calls: dict[int, tuple[list[int], list[int]]] = {}
    for path, sent, answers in plans:
        if path == ECHO:
            calls[client.send_unary_request(path, bytes(sent[0]))] = sent[:1], answers[:1]
            continue
        stream_id = client.send_request(path)
        for size in sent:
            client.send_message(stream_id, bytes(size))
        client.send_end(stream_id)
        calls[stream_id] = sent, answers
    converse(client, peer)
    for stream_id, (sent, answers) in calls.items():
        assert [len(received) for received in peer.streams[stream_id].messages] == sent
        peer.h2.send_headers(stream_id, HEAD)
        peer.send(stream_id, b"".join(message(bytes(size)) for size in answers), trailers=OK)
    received = converse(client, peer)

    for stream_id, (_, answers) in calls.items():
        assert [
            len(event.message or b"")
            for event in received
            if isinstance(event, MessageReceived | UnaryResponse) and event.stream_id == stream_id
        ] == answers
    assert client.open_calls == 0
