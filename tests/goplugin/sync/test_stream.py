from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator

import pytest

from goplugin.sync.stream import NOW, READ_SIZE, TICK, SocketStream, connect

from .support import background, listening, socket_path


@contextlib.contextmanager
def pair(*, ticks: bool = True) -> Iterator[tuple[SocketStream, socket.socket]]:
    near, far = socket.socketpair()
    with near, far:
        yield SocketStream(near, ticks=ticks), far


def test_what_the_peer_sends_is_received() -> None:
    with pair() as (stream, peer):
        peer.sendall(b"hello")
        assert stream.recv(READ_SIZE) == b"hello"


def test_the_end_is_empty() -> None:
    with pair() as (stream, peer):
        peer.close()
        assert stream.recv(READ_SIZE) == b""


def test_nothing_comes_for_a_tick() -> None:
    with pair() as (stream, _):
        began = time.monotonic()
        with pytest.raises(BlockingIOError):
            stream.recv(READ_SIZE)
        assert TICK * 0.9 < time.monotonic() - began < TICK * 10


def test_nothing_is_there_now() -> None:
    with pair() as (stream, _):
        began = time.monotonic()
        with pytest.raises(BlockingIOError):
            stream.recv(READ_SIZE, NOW)
        assert time.monotonic() - began < TICK / 2


def test_without_ticks_receiving_takes_as_long_as_it_takes() -> None:
    with pair(ticks=False) as (stream, peer):
        thread = background(stream.recv, READ_SIZE)
        time.sleep(TICK * 1.5)
        peer.sendall(b"late")
        assert thread.result() == b"late"


def fill(stream: SocketStream) -> None:
    """Send until nothing more fits."""
    while True:
        assert stream.send(bytes(READ_SIZE), NOW) > 0


def test_sending_never_blocks() -> None:
    with pair() as (stream, _), pytest.raises(BlockingIOError):
        fill(stream)


def test_sending_to_nobody_is_an_error_and_no_signal() -> None:
    with pair() as (stream, peer):
        peer.close()
        with pytest.raises(BrokenPipeError):
            stream.send(b"hello", NOW)


def test_waiting_ends_when_there_is_something_to_read() -> None:
    with pair() as (stream, peer):
        thread = background(stream.wait, reading=True, writing=False, timeout=100.0)
        peer.sendall(b"hello")
        thread.result()


def test_waiting_ends_when_there_is_room_to_write() -> None:
    with pair() as (stream, peer):
        stream.wait(reading=True, writing=True, timeout=100.0)
        with pytest.raises(BlockingIOError):
            fill(stream)
        thread = background(stream.wait, reading=False, writing=True, timeout=100.0)
        with contextlib.suppress(BlockingIOError):
            while peer.recv(READ_SIZE, NOW):
                pass
        thread.result()


def test_waiting_ends_with_the_time() -> None:
    with pair() as (stream, _):
        began = time.monotonic()
        stream.wait(reading=True, writing=False, timeout=0.02)
        stream.wait(reading=True, writing=False, timeout=-1.0)
        assert 0.015 < time.monotonic() - began < 1.0


def test_shutting_down_wakes_who_receives() -> None:
    with pair(ticks=False) as (stream, peer):
        thread = background(stream.recv, READ_SIZE)
        stream.shut_down()
        stream.shut_down()
        assert thread.result() == b""
        assert peer.recv(1) == b""


def test_a_closed_stream_is_over_for_everybody() -> None:
    with pair() as (stream, _):
        stream.close()
        stream.close()
        stream.shut_down()
        stream.wait(reading=True, writing=True, timeout=100.0)
        with pytest.raises(OSError, match="Bad file descriptor"):
            stream.recv(READ_SIZE)


def test_connecting_to_a_unix_socket() -> None:
    path = socket_path()
    with listening(path) as listener, contextlib.closing(connect("unix", path)) as stream:
        peer, _ = listener.accept()
        with peer:
            stream.send(b"hello", NOW)
            assert peer.recv(100) == b"hello"


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_connecting_over_tcp_sends_at_once(family: socket.AddressFamily, host: str) -> None:
    with contextlib.ExitStack() as stack:
        try:
            listener = stack.enter_context(socket.create_server((host, 0), family=family))
        except OSError:
            pytest.skip("this machine has no such address")
        port = listener.getsockname()[1]
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        stream = stack.enter_context(contextlib.closing(connect("tcp", address)))
        peer = stack.enter_context(listener.accept()[0])
        stream.send(b"hello", NOW)

        assert peer.recv(100) == b"hello"
        assert stream._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_nobody_listens_there() -> None:
    with pytest.raises(FileNotFoundError):
        connect("unix", socket_path())
