"""What the tests of the HTTP/2 machine have in common: frames by hand, and two machines that talk to each other."""
from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterable
from typing import NamedTuple

from goplugin.core.http2 import ClientConnection, Event, Limits, ServerConnection
from goplugin.core.http2.frames import (
    DATA,
    END_HEADERS,
    END_STREAM,
    HEAD_SIZE,
    HEADERS,
    PREFACE,
    pack_head,
    settings,
    settings_ack,
    unpack_head,
)
from goplugin.core.http2.hpack import encode_field
from goplugin.core.http2.messages import pack_prefix
from goplugin.core.http2.responses import OK_TRAILERS, RESPONSE_HEAD

ECHO = "/test.Service/Echo"
STREAM = "/test.Service/Stream"
Connection = ClientConnection | ServerConnection


def small_window(octets: int) -> Limits:
    """Limits with a smaller window for streams than anybody may configure."""
    limits = Limits()
    limits.stream_window = octets
    return limits


class Frame(NamedTuple):
    kind: int
    flags: int
    stream_id: int
    payload: bytes


def frame(kind: int, flags: int = 0, stream_id: int = 0, payload: bytes = b"") -> bytes:
    return pack_head(len(payload) << 8 | kind, flags, stream_id) + payload


def frames(data: bytes) -> list[Frame]:
    """The whole frames in `data`, behind a preface if there is one."""
    position = len(PREFACE) if data.startswith(PREFACE) else 0
    found: list[Frame] = []
    while position < len(data):
        word, flags, stream_id = unpack_head(data, position)
        start = position + HEAD_SIZE
        position = start + (word >> 8)
        found.append(Frame(word & 0xFF, flags, stream_id, data[start:position]))
    return found


def kinds(data: bytes) -> list[int]:
    return [found.kind for found in frames(data)]


def block(*fields: tuple[str, str]) -> bytes:
    return b"".join(encode_field(name, value) for name, value in fields)


def request_block(path: str = ECHO, *more: tuple[str, str]) -> bytes:
    return block(
        (":method", "POST"), (":scheme", "http"), (":path", path), ("content-type", "application/grpc"),
        ("te", "trailers"), *more,
    )


def message(payload: bytes, compressed: int = 0) -> bytes:
    return pack_prefix(compressed, len(payload)) + payload


def request(stream_id: int, path: str = ECHO, payload: bytes = b"hello") -> bytes:
    """A whole request as most clients send it."""
    return (
        frame(HEADERS, END_HEADERS, stream_id, request_block(path))
        + frame(DATA, END_STREAM, stream_id, message(payload))
    )


def response(stream_id: int, payload: bytes = b"hello") -> bytes:
    """A whole answer as most servers send it."""
    return (
        frame(HEADERS, END_HEADERS, stream_id, RESPONSE_HEAD)
        + frame(DATA, 0, stream_id, message(payload))
        + frame(HEADERS, END_HEADERS | END_STREAM, stream_id, OK_TRAILERS)
    )


def drain(connection: Connection) -> list[Event]:
    events: list[Event] = []
    while (event := connection.next_event()) is not None:
        events.append(event)
    return events


def start_server(
    *,
    unary_paths: Iterable[str] = (ECHO,),
    limits: Limits | None = None,
    settings_of_peer: dict[int, int] | None = None,
) -> ServerConnection:
    """A server to which a client has introduced itself; nothing is left to be taken from it."""
    server = ServerConnection(unary_paths=frozenset(unary_paths), limits=limits)
    server.receive_data(PREFACE + settings((settings_of_peer or {}).items()) + settings_ack())
    drain(server)
    server.data_to_send()
    return server


def start_client(*, limits: Limits | None = None, settings_of_peer: dict[int, int] | None = None) -> ClientConnection:
    """A client to which a server has introduced itself; nothing is left to be taken from it."""
    client = ClientConnection(limits=limits)
    client.receive_data(settings((settings_of_peer or {}).items()) + settings_ack())
    drain(client)
    client.data_to_send()
    return client


def start_pair(
    *, unary_paths: Iterable[str] = (ECHO,), client_limits: Limits | None = None, server_limits: Limits | None = None
) -> tuple[ClientConnection, ServerConnection]:
    """A client and a server that have introduced themselves to each other."""
    client = ClientConnection(limits=client_limits)
    server = ServerConnection(unary_paths=frozenset(unary_paths), limits=server_limits)
    for _ in range(3):
        exchange(client, server)
    return client, server


def exchange(client: ClientConnection, server: ServerConnection) -> tuple[list[Event], list[Event]]:
    """Carry what is to be sent to the other side, once each way; returns the events of client and server."""
    server.receive_data(client.data_to_send())
    server_events = drain(server)
    client.receive_data(server.data_to_send())
    return drain(client), server_events


def settle(client: ClientConnection, server: ServerConnection) -> tuple[list[Event], list[Event]]:
    """Carry until there is nothing left to carry."""
    client_events: list[Event] = []
    server_events: list[Event] = []
    while True:
        sent = client.data_to_send()
        server.receive_data(sent)
        server_events += drain(server)
        answer = server.data_to_send()
        client.receive_data(answer)
        client_events += drain(client)
        if not (sent or answer):
            return client_events, server_events


def peak_of(work: Callable[[], object]) -> int:
    """How many octets more than at its beginning `work` needed at some time."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        work()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
