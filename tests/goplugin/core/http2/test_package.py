"""The machine as a whole: over a real socket, its use of memory, and what a call costs."""
from __future__ import annotations

import socket
import threading
import tracemalloc
from collections.abc import Callable, Iterator

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import goplugin.core.http2
from goplugin.core.http2 import (
    ClientConnection,
    RequestReceived,
    ServerConnection,
    StreamReset,
    UnaryRequest,
    UnaryResponse,
)
from goplugin.core.http2.frames import (
    DATA,
    DEFAULT_MAX_FRAME_SIZE,
    END_HEADERS,
    HEADERS,
    MAX_WINDOW,
    WINDOW_UPDATE,
    window_update,
)
from goplugin.core.http2.settings import INITIAL_WINDOW_SIZE
from goplugin.core.status import Code

from .support import ECHO, drain, frame, frames, message, request_block, start_client, start_pair, start_server

PAYLOAD = 16 << 20


# The two loops of the package's docstring.


def serve(sock: socket.socket, greet: Callable[[bytes], bytes]) -> None:
    connection = ServerConnection(unary_paths={ECHO})
    while data := sock.recv(65536):
        connection.receive_data(data)
        while (event := connection.next_event()) is not None:
            if isinstance(event, UnaryRequest):
                connection.send_unary_reply(event.stream_id, greet(event.message))
            elif isinstance(event, RequestReceived):
                connection.send_status(event.stream_id, Code.UNIMPLEMENTED, f"unknown method {event.head.path}")
        sock.sendall(connection.data_to_send())


def call(sock: socket.socket, connection: ClientConnection, path: str, request: bytes) -> UnaryResponse | StreamReset:
    connection.send_unary_request(path, request, timeout=5.0)
    while True:
        sock.sendall(connection.data_to_send())
        data = sock.recv(65536)
        connection.receive_data(data) if data else connection.receive_eof()
        while (event := connection.next_event()) is not None:
            if isinstance(event, UnaryResponse | StreamReset):
                return event


@pytest.fixture
def sock() -> Iterator[socket.socket]:
    ours, theirs = socket.socketpair()
    server = threading.Thread(target=serve, args=(theirs, lambda message: b"hello " + message))
    server.start()
    yield ours
    ours.close()
    server.join()
    theirs.close()


def test_the_example_of_the_package_works_over_a_socket(sock: socket.socket) -> None:
    connection = ClientConnection()

    for _ in range(3):
        answer = call(sock, connection, ECHO, b"world")
        assert isinstance(answer, UnaryResponse)
        assert answer.message == b"hello world"
    answer = call(sock, connection, "/unknown/Method", b"")

    assert (answer.status.code, answer.status.message) == (Code.UNIMPLEMENTED, "unknown method /unknown/Method")


def test_the_package_exports_its_names() -> None:
    for name in goplugin.core.http2.__all__:
        assert getattr(goplugin.core.http2, name).__doc__ or name.startswith("Metadata")


def peak_of(work: Callable[[], object]) -> int:
    """How many octets more than at its beginning `work` needed at some time."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        work()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


def test_a_large_message_is_received_in_twice_its_size() -> None:
    server = start_server()
    server.receive_data(frame(HEADERS, END_HEADERS, 1, request_block()))
    body = message(bytes(PAYLOAD))
    pieces = range(0, len(body), DEFAULT_MAX_FRAME_SIZE)

    def work() -> None:
        for start in pieces:
            piece = body[start : start + DEFAULT_MAX_FRAME_SIZE]
            server.receive_data(frame(DATA, int(start == pieces[-1]), 1, piece))

    assert peak_of(work) < 2.2 * PAYLOAD
    (event,) = drain(server)
    assert isinstance(event, UnaryRequest)
    assert len(event.message) == PAYLOAD


def test_a_large_message_is_sent_in_its_own_size_and_as_the_windows_open() -> None:
    payload = bytes(PAYLOAD)
    client = start_client(settings_of_peer={INITIAL_WINDOW_SIZE: MAX_WINDOW})

    def work() -> None:
        stream_id = client.send_unary_request(ECHO, payload)
        while client.data_to_send():
            client.receive_data(window_update(0, 1 << 20))
        client.send_reset(stream_id)

    assert peak_of(work) < 0.2 * PAYLOAD


def test_a_large_message_into_an_open_window_is_copied_once() -> None:
    payload = bytes(PAYLOAD)
    client = start_client(settings_of_peer={INITIAL_WINDOW_SIZE: MAX_WINDOW})
    client.receive_data(window_update(0, MAX_WINDOW - 65_535))

    def work() -> None:
        client.send_unary_request(ECHO, payload)
        assert len(client.data_to_send()) > PAYLOAD

    assert peak_of(work) < 1.2 * PAYLOAD


def test_many_calls_leave_nothing_behind() -> None:
    client, server = start_pair()
    round_trip(client, server)

    def work() -> None:
        for _ in range(2000):
            round_trip(client, server)

    peak_of(work)       # fills the caches
    assert peak_of(work) < 20_000


def test_credit_is_returned_in_few_frames() -> None:
    server = start_server()
    server.receive_data(frame(HEADERS, END_HEADERS, 1, request_block()))
    body = message(bytes(PAYLOAD))
    for start in range(0, len(body), DEFAULT_MAX_FRAME_SIZE):
        server.receive_data(frame(DATA, 0, 1, body[start : start + DEFAULT_MAX_FRAME_SIZE]))

    credit = frames(server.data_to_send())

    assert {found.kind for found in credit} == {WINDOW_UPDATE}
    assert len(credit) <= 10
    returned = sum(int.from_bytes(found.payload, "big") for found in credit if found.stream_id == 1)
    assert PAYLOAD // 2 < returned <= len(body)


def round_trip(client: ClientConnection, server: ServerConnection) -> None:
    """A small unary call: request, answer and both readings of them."""
    client.send_unary_request(ECHO, b"x" * 50)
    server.receive_data(client.data_to_send())
    event = server.next_event()
    assert type(event) is UnaryRequest
    server.send_unary_reply(event.stream_id, event.message)
    client.receive_data(server.data_to_send())
    assert type(client.next_event()) is UnaryResponse


@pytest.mark.benchmark
def test_the_price_of_an_unary_call_for_both_machines(benchmark: BenchmarkFixture) -> None:
    client, server = start_pair()
    round_trip(client, server)

    benchmark(round_trip, client, server)
