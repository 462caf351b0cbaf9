"""A peer cannot make a connection keep more than its limits say, whatever it sends and however long it goes on.

A flood goes on until the machine ends the connection, or has taken some megabytes. The application takes the events and
drops them, because what it keeps is its own; it writes what is to be written, or the peer does not read. Requests of
calls that go on are at the machine's own expense: CALLS of them at a time, each with one message that is not whole.
"""
from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator

import pytest

from goplugin.core.errors import RemoteProtocolError
from goplugin.core.http2 import Limits, ServerConnection
from goplugin.core.http2.frames import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PING,
    PRIORITY,
    WINDOW_UPDATE,
    goaway,
    ping,
    rst_stream,
    settings,
    settings_ack,
    window_update,
)
from goplugin.core.http2.settings import HEADER_TABLE_SIZE, INITIAL_WINDOW_SIZE

from .support import (
    ECHO,
    STREAM,
    Connection,
    block,
    drain,
    frame,
    message,
    peak_of,
    request,
    request_block,
    response,
    start_client,
    start_server,
)

CALLS = 10
LARGEST_MESSAGE = 10_000
LIMITS = Limits(max_message_size=LARGEST_MESSAGE, max_header_list_size=10_000, max_concurrent_streams=CALLS)
FLOOD = 500_000             # octets that the peer sends
AT_ONCE = 5_000             # of them, between two looks at the events
BOUND = 250_000             # octets that the machine may need meanwhile

HEAD = frame(HEADERS, END_HEADERS, 1, request_block(STREAM))
ENTERS_TABLE = b"\x40\x01k\x7f\xa1\x1e" + b"v" * 4000    # a field that fills the dynamic table
IN_TABLE = b"\xbe"


def odd_ids() -> Iterator[int]:
    return itertools.count(3, 2)


def request_head(stream_id: int, *fields: tuple[str, str]) -> bytes:
    return frame(HEADERS, END_HEADERS, stream_id, request_block(STREAM, *fields))


def unfinished(stream_id: int) -> Iterator[bytes]:
    """A message of a call, two octets at a time, that lacks its last ones."""
    yield request_head(stream_id)
    yield frame(DATA, 0, stream_id, message(bytes(LARGEST_MESSAGE))[:5])
    yield from [frame(DATA, 0, stream_id, b"ab")] * (LARGEST_MESSAGE // 2 - 1)


# Whatever does no harm by itself. Every flood begins behind HEAD, so that stream 1 is an open call.
FLOODS: dict[str, Callable[[], Iterable[bytes]]] = {
    "ping": lambda: itertools.repeat(ping(b"12345678", 0)),
    "answers to no ping": lambda: itertools.repeat(frame(PING, ACK, 0, b"12345678")),
    "settings": lambda: itertools.repeat(settings([(HEADER_TABLE_SIZE, 0)])),
    "other settings every time": lambda: (settings([(number % 60_000 + 100, number)]) for number in itertools.count()),
    "acknowledged settings": lambda: itertools.repeat(settings_ack()),
    "priority": lambda: itertools.repeat(frame(PRIORITY, 0, 1, b"12345")),
    "unknown frames": lambda: itertools.repeat(frame(0xBE, 0, 1, bytes(1000))),
    "goaway": lambda: itertools.repeat(goaway(0, 0, bytes(1000))),
    "credit": lambda: itertools.repeat(window_update(1, 1)),
    "credit for nothing": lambda: itertools.repeat(frame(WINDOW_UPDATE, 0, 1, bytes(4))),
    "reset at once": lambda: (request_head(number) + rst_stream(number, 8) for number in odd_ids()),
    "more calls than allowed": lambda: (request_head(number) for number in odd_ids()),
    "calls that are malformed": lambda: (request_head(number, ("k", " v ")) for number in odd_ids()),
    "calls whose metadata is too long": lambda: (request_head(number, ("k", 9900 * "v")) for number in odd_ids()),
    "another path every time": lambda: (request(number, f"/{number}") for number in odd_ids()),
    "another header block every time": lambda: (request_head(number, ("k", str(number))) for number in odd_ids()),
    "the dynamic table": lambda: (
        frame(HEADERS, END_HEADERS, number, request_block(STREAM) + ENTERS_TABLE) for number in odd_ids()
    ),
    "a table entry many times": lambda: (
        frame(HEADERS, END_HEADERS, number, request_block(STREAM) + ENTERS_TABLE + IN_TABLE * 1000)
        for number in odd_ids()
    ),
    "a header block without end": lambda: itertools.chain(
        [frame(HEADERS, 0, 3, request_block())], itertools.repeat(frame(CONTINUATION, 0, 3, bytes(100)))
    ),
    "nothing in CONTINUATION": lambda: itertools.chain(
        [frame(HEADERS, 0, 3, request_block())], itertools.repeat(frame(CONTINUATION, 0, 3))
    ),
    "nothing in DATA": lambda: itertools.repeat(frame(DATA, 0, 1)),
    "padding": lambda: itertools.repeat(frame(DATA, 0x08, 1, b"\xff" + bytes(255))),
    "empty messages that nobody takes": lambda: itertools.repeat(frame(DATA, 0, 1, message(b""))),
    "messages that nobody takes": lambda: itertools.repeat(frame(DATA, 0, 1, message(bytes(1000)))),
    "messages of two octets at a time": lambda: itertools.chain.from_iterable(
        unfinished(number) for number in range(3, 2 * CALLS, 2)
    ),
    "messages that are too long": lambda: (
        request_head(number) + frame(DATA, 0, number, message(bytes(LARGEST_MESSAGE + 1))) for number in odd_ids()
    ),
    "data on a closed stream": lambda: itertools.chain(
        [request_head(3) + frame(DATA, 0, 3, b"\2\0\0\0\1")], itertools.repeat(frame(DATA, 0, 3, bytes(1000)))
    ),
    "data behind the end": lambda: itertools.chain(
        [frame(DATA, END_STREAM, 1)], itertools.repeat(frame(DATA, 0, 1, bytes(1000)))
    ),
    "header blocks on a closed stream": lambda: itertools.chain(
        [request_head(3) + frame(DATA, 0, 3, b"\2\0\0\0\1")], itertools.repeat(request_head(3, ("k", "v" * 1000)))
    ),
}


def take(machine: Connection, flood: Iterable[bytes], reads: bool) -> bool:
    """Let the machine take a flood; returns whether it has ended the connection."""
    pieces = iter(flood)
    try:
        for _ in range(FLOOD // AT_ONCE):
            data = b""
            while len(data) < AT_ONCE and (piece := next(pieces, b"")):
                data += piece
            machine.receive_data(data)
            drain(machine)
            if reads:
                machine.data_to_send()
    except RemoteProtocolError:
        return True
    return False


@pytest.mark.parametrize("reads", [True, False], ids=["reads", "does not read"])
@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_takes_no_room_at_a_server(name: str, reads: bool) -> None:
    server = start_server(limits=LIMITS)
    server.receive_data(HEAD)

    assert peak_of(lambda: take(server, FLOODS[name](), reads)) < BOUND


@pytest.mark.parametrize("reads", [True, False], ids=["reads", "does not read"])
@pytest.mark.parametrize(
    "flood",
    [
        ping(b"12345678", 0),
        settings([(HEADER_TABLE_SIZE, 0)]),
        goaway(2**31 - 1, 0, bytes(1000)),
        frame(HEADERS, END_HEADERS, 1, block((":status", "103"), ("k", "v" * 1000))),
        response(1),
        response(3),
        frame(DATA, 0, 1, message(bytes(1000))),
        window_update(1, 1),
        rst_stream(1, 0),
    ],
)
def test_a_flood_takes_no_room_at_a_client(flood: bytes, reads: bool) -> None:
    client = start_client(limits=LIMITS)
    client.send_request(STREAM)
    client.send_unary_request(ECHO, b"")

    assert peak_of(lambda: take(client, itertools.repeat(flood), reads)) < BOUND


@pytest.mark.parametrize("name", ["ping", "settings", "reset at once", "more calls than allowed"])
def test_a_flood_that_is_not_read_ends_the_connection(name: str) -> None:
    assert take(start_server(limits=LIMITS), FLOODS[name](), reads=False)


REPLY = bytes(BOUND)


def answer_calls(server: ServerConnection, stream_ids: Iterable[int]) -> None:
    for stream_id in stream_ids:
        server.receive_data(request(stream_id))
        drain(server)
        server.send_unary_reply(stream_id, REPLY)
        server.data_to_send()


def test_who_gives_no_credit_makes_no_more_replies_wait_than_it_may_have_calls() -> None:
    server = start_server(limits=LIMITS, settings_of_peer={INITIAL_WINDOW_SIZE: 0})

    peak = peak_of(lambda: answer_calls(server, range(1, 1000, 2)))

    assert server.open_calls == CALLS
    assert peak < BOUND             # they wait by reference


def test_replies_that_waited_for_credit_are_gone_with_their_calls() -> None:
    server = start_server(limits=LIMITS, settings_of_peer={INITIAL_WINDOW_SIZE: 0})

    def work() -> None:
        for number in range(0, 1000, 10):
            stream_ids = range(2 * number + 1, 2 * number + 21, 2)
            answer_calls(server, stream_ids)
            server.receive_data(b"".join(rst_stream(stream_id, 8) for stream_id in stream_ids))
            drain(server)

    assert peak_of(work) < BOUND
    assert server.open_calls == 0
