"""gRPC over HTTP/2: both roles, with an application that answers, and the header blocks by themselves."""
from __future__ import annotations

from contextlib import suppress

import hpack

from goplugin.core.errors import LocalProtocolError, RemoteProtocolError
from goplugin.core.http2 import (
    ClientConnection,
    ConnectionEnded,
    Event,
    Limits,
    MessageReceived,
    RequestReceived,
    ServerConnection,
    UnaryRequest,
)
from goplugin.core.http2.faults import CallFault, ConnectionFault
from goplugin.core.http2.frames import (
    CONTINUATION,
    DATA,
    DEFAULT_MAX_FRAME_SIZE,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEAD_SIZE,
    HEADERS,
    PING,
    PREFACE,
    PRIORITY,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    settings,
)
from goplugin.core.http2.hpack import DEFAULT_TABLE_SIZE, Decoder
from goplugin.core.http2.responses import OK_TRAILERS, RESPONSE_HEAD
from goplugin.core.http2.stream import Stream
from tests.goplugin.core.http2.support import (
    ECHO,
    STREAM,
    Connection,
    block,
    drain,
    frame,
    message,
    request,
    request_block,
    response,
)

from .script import Script, assert_broken

LIMITS = Limits(max_message_size=1000, max_header_list_size=2000, max_concurrent_streams=4, connection_window=65_535)
LIMITS.stream_window = 2000     # smaller than anybody may configure
MOST_CUT = 1000

KINDS = [
    DATA, HEADERS, CONTINUATION, SETTINGS, WINDOW_UPDATE, RST_STREAM, PING, GOAWAY, PRIORITY, PUSH_PROMISE, 0xBE,
]
FLAGS = [0, END_STREAM, END_HEADERS, END_STREAM | END_HEADERS, 0x08, 0x20, 0xFF]
STREAM_IDS = [1, 3, 5, 7, 9, 0, 2, 0x7FFFFFFF, 0x80000001]
BLOCKS = [
    request_block(),
    request_block(STREAM),
    request_block(ECHO, ("grpc-timeout", "5S")),
    RESPONSE_HEAD,
    RESPONSE_HEAD + OK_TRAILERS,
    OK_TRAILERS,
    block((":status", "103")),
    block(("grpc-status", "5"), ("grpc-message", "%41")),
    b"\x40\x01k\x01v",      # enters the dynamic table
    b"\xbe",                # reads from it
]
SIZES = [0, 10, 1000, 20_000, 70_000]


def http2_server(data: bytes) -> None:
    script = Script(data)
    server = ServerConnection(unary_paths={ECHO}, limits=LIMITS)
    if script.number() % 8:
        server.receive_data(PREFACE + settings([]))
    _converse(server, script)


def http2_client(data: bytes) -> None:
    script = Script(data)
    client = ClientConnection(limits=LIMITS)
    client.receive_data(settings([]))
    for _ in range(script.number() % 8):
        _call(client, script)
    _converse(client, script)


def _converse(machine: Connection, script: Script) -> None:
    """What the peer sends and what the application does about it, in turn, to the end of the script."""
    over = False
    try:
        while script:
            machine.receive_data(_bytes_from_peer(script))
            for event in drain(machine):
                assert not over
                over = isinstance(event, ConnectionEnded)
                _react(machine, event, script)
            if isinstance(machine, ClientConnection):
                _call(machine, script)
            if script.number() % 2:
                machine.data_to_send()
            _check(machine)
        machine.receive_eof()
        assert isinstance(drain(machine)[-1], ConnectionEnded)
    except RemoteProtocolError:
        machine.receive_data(b"more")
        assert machine.data_to_send()
        assert_broken(machine.next_event)
    assert machine.open_calls == 0


def _bytes_from_peer(script: Script) -> bytes:
    """Any bytes, any frame, or one that is nearly right."""
    kind = script.number() % 6
    if kind == 0:
        return script.piece()
    stream_id = script.choose(STREAM_IDS)
    if kind == 1:
        return frame(script.choose(KINDS), script.choose(FLAGS), stream_id, script.piece())
    if kind == 2:
        return frame(HEADERS, script.choose(FLAGS), stream_id, script.choose(BLOCKS) + script.piece())
    if kind == 3:
        return frame(DATA, script.choose(FLAGS[:2]), stream_id, message(script.piece()))
    return request(stream_id, script.choose([ECHO, STREAM])) if kind == 4 else response(stream_id)


def _react(machine: Connection, event: Event, script: Script) -> None:
    """Something that an application may do behind this event, or may have meant to do before it."""
    stream_id = getattr(event, "stream_id", 0)
    size = script.choose(SIZES)
    action = script.number() % 6
    if not stream_id or action == 0:
        return
    if action == 1:
        machine.send_reset(stream_id)
    elif isinstance(event, MessageReceived):
        machine.acknowledge_message(stream_id, len(event.message))
    elif isinstance(machine, ClientConnection):
        with suppress(LocalProtocolError):      # it has said its last word on this stream
            machine.send_message(stream_id, bytes(size), end=action == 2)
    elif isinstance(event, UnaryRequest):
        machine.send_unary_reply(stream_id, bytes(size)) if action < 4 else machine.send_status(stream_id, action, "no")
    elif isinstance(event, RequestReceived):
        machine.send_response(stream_id)
        machine.send_message(stream_id, bytes(size))
        machine.send_status(stream_id, trailers=[("k", "v")])


def _call(client: ClientConnection, script: Script) -> None:
    if client.can_call and client.open_calls < LIMITS.max_concurrent_streams:
        action = script.number() % 4
        if action == 0:
            client.send_unary_request(ECHO, bytes(script.choose(SIZES)))
        elif action == 1:
            client.send_message(client.send_request(STREAM), bytes(script.choose(SIZES)))
        elif action == 2:
            client.send_end(client.send_request(STREAM))


def _check(machine: Connection) -> None:
    """Nothing that a peer can make the machine keep is larger than its limit."""
    assert machine.open_calls <= LIMITS.max_concurrent_streams
    assert len(machine._buffer) <= HEAD_SIZE + DEFAULT_MAX_FRAME_SIZE
    assert len(machine._cut) <= MOST_CUT
    assert machine._open_block is None or machine._open_block.size <= 4 * LIMITS.max_header_list_size
    assert machine._reader._decoder._table_size <= DEFAULT_TABLE_SIZE
    for stream in machine._streams.values():
        reader = stream.reader if isinstance(stream, Stream) else None
        unfinished = reader and reader._unfinished
        assert unfinished is None or unfinished.tell() <= LIMITS.max_message_size


def hpack_blocks(data: bytes) -> None:
    """A connection's blocks one after the other; what our decoder takes, the hpack library reads in the same way."""
    script = Script(data)
    ours, theirs = Decoder(1 << 20), hpack.Decoder(1 << 20)
    while script:
        encoded = script.piece()
        try:
            fields = ours.decode(encoded)
        except (ConnectionFault, CallFault):
            return
        assert ours._table_size <= DEFAULT_TABLE_SIZE
        expected = theirs.decode(encoded, raw=True)
        assert [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields] == expected


SEEDS = {
    "http2_server": [
        b"",
        b"\x01\x04\x00\x00\x01\x02\x01",
        b"\x01" + b"\x04\x00\x00\x01\x02\x01" * 3,
        b"\x01\x02\x00\x02\x01\x00\x03\x00\x01\x05hello\x01\x03\x01",
        b"\x01\x02\x00\x00\x01\x00\x01\x00\x02\x02\x00\x05hello",
        b"\x00\x00\xff" + PREFACE + settings([(4, 0)]) + request(1),
    ],
    "http2_client": [
        b"",
        b"\x01\x00\x01\x05\x00\x01\x02",
        b"\x03\x00\x00\x01\x01\x02\x05\x00\x03\x05\x01\x03\x01",
        b"\x02\x01\x04\x02\x02\x02\x00\x04\x00\x01\x03\x00\x01\x05hello\x01\x02\x03\x00\x05\x00",
        b"\x04\x00\x02\x02\x01\x02\x03\x03\x01\x00\x04\x00\x01",
    ],
    "hpack_blocks": [bytes((len(each),)) + each for each in BLOCKS] + [
        b"\x05\x40\x01k\x01v\x01\xbe\x02\x20\x82",
        b"\x0e\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff",
        b"\x04\x3f\xe1\x1f\x82",
    ],
}
