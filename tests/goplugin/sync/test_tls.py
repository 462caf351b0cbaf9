"""TLS as a Stream, and channels and servers that use it."""
from __future__ import annotations

import contextlib
import logging
import socket
import ssl
import threading
import time
from collections.abc import Iterator

import pytest

from goplugin.core.errors import PluginLostError, RemoteError
from goplugin.core.http2.frames import PREFACE
from goplugin.sync.channel import Channel, channel_to
from goplugin.sync.server import Server, serve_on
from goplugin.sync.stream import NOW, READ_SIZE, TICK, SocketStream
from goplugin.sync.tls import TLSStream, wrap
from goplugin.tls import NAME, client_context, server_context

from ..tls_support import EXPIRED, HOST, PLUGIN, STRANGER, without_certificate
from .support import (
    MEBIBYTE,
    SECONDS,
    UNARY,
    Note,
    Probe,
    background,
    listening,
    socket_path,
    wait_until,
)

SERVER = server_context(PLUGIN, HOST.pem)
CLIENT = client_context(HOST, PLUGIN.certificate)
UNKNOWN = "tls: failed to verify certificate: x509: certificate signed by unknown authority"


class Narrow(SocketStream):
    """A socket that takes `room` bytes; None: as much as there are."""

    def __init__(self, sock: socket.socket, *, ticks: bool = True) -> None:
        super().__init__(sock, ticks=ticks)
        self.room: int | None = None
        self.peer = sock
        self._write, self.send = self.send, self._send_some

    def _send_some(self, data: bytes | memoryview, flags: int, /) -> int:
        if self.room is None:
            return self._write(data, flags)
        if not self.room:
            raise BlockingIOError
        sent = self._write(data[: self.room], flags)
        self.room -= sent
        return sent


@contextlib.contextmanager
def sockets() -> Iterator[tuple[Narrow, Narrow]]:
    near, far = socket.socketpair()
    with near, far:
        yield Narrow(near), Narrow(far)


@contextlib.contextmanager
def pair() -> Iterator[tuple[TLSStream, TLSStream, Narrow]]:
    """A client and a server after their handshake, and what is below the client."""
    with sockets() as (near, far):
        server = TLSStream(far, SERVER, server_side=True)
        shaking = background(server.handshake)
        client = wrap(near, CLIENT, server_hostname=NAME)
        shaking.result()
        yield client, server, near


def receive(stream: TLSStream, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        with contextlib.suppress(BlockingIOError):
            received = stream.recv(READ_SIZE)
            assert received
            data += received
    return bytes(data)


def fill(stream: TLSStream) -> None:
    """Send until nothing more fits."""
    while True:
        assert stream.send(bytes(READ_SIZE), NOW) > 0


# --- a stream like any other -------------------------------------------------------------------------------------


def test_what_one_end_sends_the_other_receives() -> None:
    with pair() as (client, server, _):
        assert client.send(b"hello", NOW) == 5
        assert server.recv(READ_SIZE) == b"hello"
        assert server.send(memoryview(b"hello yourself"), NOW) == 14
        assert client.recv(READ_SIZE) == b"hello yourself"


def test_nothing_travels_in_the_clear() -> None:
    with pair() as (client, _, lower):
        sent: list[bytes] = []
        lower.send = lambda data, flags: sent.append(bytes(data)) or len(data)  # type: ignore[func-returns-value]
        client.send(b"a secret", NOW)

        assert sent
        assert b"secret" not in b"".join(sent)


def test_a_record_that_is_larger_than_asked_for_is_kept() -> None:
    with pair() as (client, server, _):
        client.send(b"hello", NOW)
        assert server.recv(3) == b"hel"
        server.wait(reading=True, writing=False, timeout=100.0)
        assert server.recv(3, NOW) == b"lo"
        with pytest.raises(BlockingIOError):
            server.recv(3, NOW)


def test_a_record_that_comes_in_pieces_is_waited_for() -> None:
    with pair() as (client, server, lower):
        lower.room = 10
        with pytest.raises(BlockingIOError):
            client.send(b"hello", NOW)
        with pytest.raises(BlockingIOError):
            server.recv(READ_SIZE)
        lower.room = None
        assert client.send(b"hello", NOW) == 5
        server.wait(reading=True, writing=False, timeout=100.0)
        assert server.recv(READ_SIZE, NOW) == b"hello"


def test_nothing_comes_for_a_tick() -> None:
    with pair() as (client, _, _):
        began = time.monotonic()
        with pytest.raises(BlockingIOError):
            client.recv(READ_SIZE)
        assert TICK * 0.9 < time.monotonic() - began < TICK * 10


def test_nothing_is_there_now() -> None:
    with pair() as (client, _, _):
        began = time.monotonic()
        with pytest.raises(BlockingIOError):
            client.recv(READ_SIZE, NOW)
        assert time.monotonic() - began < TICK / 2


def test_waiting_ends_with_the_time() -> None:
    with pair() as (client, _, _):
        began = time.monotonic()
        client.wait(reading=True, writing=False, timeout=0.02)
        assert 0.015 < time.monotonic() - began < 1.0


def test_waiting_ends_when_there_is_room_to_write() -> None:
    with pair() as (client, _, _):
        client.wait(reading=True, writing=True, timeout=100.0)


@pytest.mark.parametrize("room", [0, 1, 30, 70_000])
def test_bytes_count_as_sent_when_all_of_their_record_is(room: int) -> None:
    message = bytes(range(256)) * 1024
    with pair() as (client, server, lower):
        lower.room = room
        sent = 0
        with contextlib.suppress(BlockingIOError):
            sent = client.send(message, NOW)
        assert sent == (65536 if room > 65536 else 0)
        with pytest.raises(BlockingIOError):
            client.send(message[sent:], NOW)

        lower.room = None
        receiving = background(receive, server, len(message))
        while sent < len(message):
            try:
                sent += client.send(memoryview(message)[sent:], NOW)
            except BlockingIOError:
                client.wait(reading=False, writing=True, timeout=SECONDS)
        assert receiving.result() == message


def test_sending_never_blocks() -> None:
    with pair() as (client, _, _), pytest.raises(BlockingIOError):
        fill(client)


def test_sending_to_nobody_is_an_error() -> None:
    with pair() as (client, server, _):
        server.close()
        with pytest.raises(BrokenPipeError):
            client.send(b"hello", NOW)


def test_one_thread_may_read_while_another_one_writes() -> None:
    size = 8 * MEBIBYTE
    message = bytes(range(256)) * (size // 256)

    def send(stream: TLSStream) -> None:
        rest = memoryview(message)
        while rest:
            try:
                rest = rest[stream.send(rest, NOW) :]
            except BlockingIOError:
                stream.wait(reading=False, writing=True, timeout=SECONDS)

    with pair() as (client, server, _):
        threads = [background(send, client), background(send, server)]
        others = [background(receive, client, size), background(receive, server, size)]
        for thread in threads:
            thread.result()
        assert all(other.result() == message for other in others)


def test_tls_may_lie_on_tls() -> None:
    with pair() as (client, server, _):
        inner = TLSStream(server, SERVER, server_side=True)
        shaking = background(inner.handshake)
        outer = wrap(client, CLIENT, server_hostname=NAME)
        shaking.result()
        outer.send(b"hello", NOW)
        assert receive(inner, 5) == b"hello"


# --- ends --------------------------------------------------------------------------------------------------------


def test_the_end_is_empty() -> None:
    with pair() as (client, server, _):
        client.send(b"goodbye", NOW)
        client.shut_down()
        client.shut_down()
        assert receive(server, 7) == b"goodbye"
        assert server.recv(READ_SIZE) == b""
        assert server.recv(READ_SIZE) == b""


def test_an_end_without_a_goodbye_is_an_end() -> None:
    with pair() as (client, server, lower):
        lower.shut_down()
        assert server.recv(READ_SIZE) == b""
        assert client.recv(READ_SIZE) == b""


def test_shutting_down_wakes_who_receives() -> None:
    with pair() as (client, server, _):
        thread = background(server.recv, READ_SIZE)
        server.shut_down()
        with contextlib.suppress(OSError):
            assert thread.result() == b""
        assert client.recv(READ_SIZE) == b""


def test_what_is_no_record_ends_the_connection() -> None:
    with pair() as (_, server, lower):
        lower.peer.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))
        with pytest.raises(ConnectionError, match="tls: decryption failed or bad record mac"):
            server.recv(READ_SIZE)


def test_an_interruption_while_a_record_is_taken_ends_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted:
        def __init__(self, tls: ssl.SSLObject) -> None:
            self._tls = tls

        def read(self, size: int) -> bytes:
            self._tls.read(size)
            raise KeyboardInterrupt

    with pair() as (client, server, _):
        client.send(b"hello", NOW)
        client.send(b"world", NOW)
        with monkeypatch.context() as patch:
            patch.setattr(server, "_tls", Interrupted(server._tls))
            with pytest.raises(KeyboardInterrupt):
                server.recv(READ_SIZE)
        with pytest.raises(ConnectionError, match="interrupted"):
            server.recv(READ_SIZE)


def test_an_interruption_while_waiting_takes_nothing_away(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(size: int, flags: int) -> bytes:
        raise KeyboardInterrupt

    with pair() as (client, server, lower):
        with monkeypatch.context() as patch:
            patch.setattr(lower, "recv", interrupt)
            with pytest.raises(KeyboardInterrupt):
                client.recv(READ_SIZE)
        server.send(b"hello", NOW)
        assert receive(client, 5) == b"hello"


# --- handshakes --------------------------------------------------------------------------------------------------


def failure(client: ssl.SSLContext, server: ssl.SSLContext) -> tuple[OSError | None, OSError | None]:
    """What a handshake and the first bytes thereafter raise at both ends."""
    with sockets() as (near, far):

        def serve() -> OSError | None:
            stream = TLSStream(far, server, server_side=True)
            try:
                stream.handshake()
                stream.send(b"hello", NOW)
            except OSError as error:
                stream.shut_down()
                return error
            return None

        serving = background(serve)
        try:
            receive(wrap(near, client, server_hostname=NAME), 5)
        except OSError as error:
            return error, serving.result()
        return None, serving.result()


def test_a_client_refuses_a_stranger_at_once() -> None:
    client, server = failure(CLIENT, server_context(STRANGER, HOST.pem))

    assert str(client) == f"authentication handshake failed: {UNKNOWN}"
    assert str(server) == "authentication handshake failed: remote error: tls: unknown certificate authority"


def test_a_server_refuses_a_stranger_and_the_client_reads_why() -> None:
    client, server = failure(client_context(STRANGER, PLUGIN.certificate), SERVER)

    assert str(server) == f"authentication handshake failed: {UNKNOWN}"
    assert str(client) == "remote error: tls: unknown certificate authority"


def test_a_server_refuses_who_shows_no_certificate() -> None:
    client, server = failure(without_certificate(PLUGIN), SERVER)

    assert str(server) == "authentication handshake failed: tls: client didn't provide a certificate"
    assert str(client) == "remote error: tls: certificate required"


def test_a_client_refuses_an_expired_certificate() -> None:
    client, _ = failure(client_context(HOST, EXPIRED.certificate), server_context(EXPIRED, HOST.pem))

    assert "x509: certificate has expired or is not yet valid" in str(client)


def test_with_tls_1_2_the_client_hears_it_in_the_handshake() -> None:
    context = client_context(STRANGER, PLUGIN.certificate)
    context.maximum_version = ssl.TLSVersion.TLSv1_2

    client, _ = failure(context, SERVER)

    assert str(client) == "authentication handshake failed: remote error: tls: unknown certificate authority"


@pytest.mark.parametrize("greeting", [PREFACE, b"\0\0\0\4\0\0\0\0\0", b"GET / HTTP/1.1\r\n\r\n"])
@pytest.mark.parametrize("server_side", [True, False])
def test_a_peer_that_does_not_speak_tls_is_refused(greeting: bytes, server_side: bool) -> None:
    with sockets() as (near, far):
        far.send(greeting, NOW)
        context, name = (SERVER, None) if server_side else (CLIENT, NAME)
        with pytest.raises(ConnectionError, match="first record does not look like a TLS handshake"):
            wrap(near, context, server_side=server_side, server_hostname=name)
        with contextlib.suppress(OSError):
            while far.recv(READ_SIZE):      # an alert, perhaps
                pass


def test_a_peer_that_hangs_up_is_refused() -> None:
    with sockets() as (near, far):
        far.shut_down()
        with pytest.raises(ConnectionError, match="authentication handshake failed: EOF"):
            wrap(near, CLIENT, server_hostname=NAME)


@pytest.mark.parametrize("server_side", [True, False])
def test_a_peer_that_says_nothing_is_not_waited_for(server_side: bool) -> None:
    with sockets() as (near, _):
        context, name = (SERVER, None) if server_side else (CLIENT, NAME)
        with pytest.raises(TimeoutError, match="authentication handshake failed: context deadline exceeded"):
            wrap(near, context, server_side=server_side, server_hostname=name, timeout=0.01)


def test_nothing_is_sent_before_the_handshake() -> None:
    with sockets() as (near, _):
        stream = TLSStream(near, CLIENT, server_hostname=NAME)
        with pytest.raises(BlockingIOError):
            stream.send(b"hello", NOW)
        began = time.monotonic()
        stream.wait(reading=True, writing=True, timeout=0.02)
        assert 0.015 < time.monotonic() - began < 1.0


def test_a_handshake_waits_for_room() -> None:
    with sockets() as (near, far):
        near.room = 10
        client = TLSStream(near, CLIENT, server_hostname=NAME)
        with pytest.raises(BlockingIOError):
            client.recv(READ_SIZE, NOW)
        client.wait(reading=True, writing=False, timeout=0.01)
        near.room = None
        server = TLSStream(far, SERVER, server_side=True)
        shaking = background(server.handshake)
        client.handshake()
        shaking.result()


# --- channels and servers ----------------------------------------------------------------------------------------


@contextlib.contextmanager
def serving(context: ssl.SSLContext = SERVER) -> Iterator[tuple[Server, str]]:
    path = socket_path()
    with listening(path) as sock:
        server = serve_on(sock, [Probe(unary=lambda request, context: request)], tls=context)
        try:
            yield server, path
        finally:
            server.stop(SECONDS)
    wait_until(lambda: not any(thread.name in ("goplugin-accept", "goplugin-call") for thread in threading.enumerate()))


@contextlib.contextmanager
def calling(path: str, context: ssl.SSLContext = CLIENT) -> Iterator[Channel]:
    with contextlib.closing(channel_to("unix", path, tls=context)) as channel:
        yield channel


def echo(channel: Channel, text: str) -> str:
    message = channel.unary(UNARY, Note(text=text).SerializeToString(), timeout=SECONDS).message
    return Note.FromString(message).text


def test_calls_go_over_tls() -> None:
    with serving() as (_, path), calling(path) as channel:
        assert [echo(channel, text) for text in ("one", "two")] == ["one", "two"]


def test_large_messages_go_over_tls() -> None:
    text = "x" * (5 * MEBIBYTE)
    with serving() as (_, path), calling(path) as channel:
        assert echo(channel, text) == text


def test_many_threads_call_over_one_tls_connection() -> None:
    with serving() as (_, path), calling(path) as channel:
        threads = [background(lambda n=n: [echo(channel, f"{n}.{i}") for i in range(50)]) for n in range(8)]
        for n, thread in enumerate(threads):
            assert thread.result() == [f"{n}.{i}" for i in range(50)]


def test_calls_go_over_tls_on_tcp() -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        server = serve_on(sock, [Probe(unary=lambda request, context: request)], tls=SERVER)
        try:
            with contextlib.closing(channel_to("tcp", "{}:{}".format(*sock.getsockname()), tls=CLIENT)) as channel:
                assert echo(channel, "hello") == "hello"
        finally:
            server.stop(SECONDS)


def test_a_client_that_says_nothing_keeps_nobody_waiting() -> None:
    with serving() as (_, path), socket.socket(socket.AF_UNIX) as silent:
        silent.connect(path)
        with calling(path) as channel:
            assert echo(channel, "hello") == "hello"


def test_a_channel_says_why_it_does_not_trust_a_plugin() -> None:
    with serving(server_context(STRANGER, HOST.pem)) as (_, path):
        with pytest.raises(PluginLostError, match="x509: certificate signed by unknown authority") as caught:
            channel_to("unix", path, tls=CLIENT)
        assert f"connection error: dial unix {path}: authentication handshake failed: tls: " in caught.value.message


@pytest.mark.parametrize(
    ("context", "text", "why"),
    [
        (client_context(STRANGER, PLUGIN.certificate), "unknown certificate authority", UNKNOWN),
        (without_certificate(PLUGIN), "certificate required", "tls: client didn't provide a certificate"),
    ],
)
def test_a_refused_host_hears_why_and_the_plugin_logs_it(
    context: ssl.SSLContext, text: str, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    with serving() as (_, path), calling(path, context) as channel:
        with pytest.raises(PluginLostError, match=f"error reading from server: remote error: tls: {text}"):
            echo(channel, "hello")
        with pytest.raises(PluginLostError, match=text):
            echo(channel, "hello")
    assert caplog.record_tuples == [
        ("goplugin.server", logging.WARNING, f"connection refused: authentication handshake failed: {why}")
    ]


def test_a_plugin_without_tls_is_refused() -> None:
    path = socket_path()
    with listening(path) as sock:
        server = serve_on(sock, [Probe()])
        try:
            with pytest.raises(PluginLostError, match="first record does not look like a TLS handshake"):
                channel_to("unix", path, tls=CLIENT)
        finally:
            server.stop(SECONDS)


def test_a_host_without_tls_is_refused() -> None:
    with serving() as (_, path):
        channel = channel_to("unix", path)
        with contextlib.closing(channel), pytest.raises(PluginLostError):
            echo(channel, "hello")


def test_a_server_that_stops_says_goodbye_to_its_clients() -> None:
    with serving() as (server, path), calling(path) as channel:
        echo(channel, "hello")
        began = time.monotonic()
        server.stop(SECONDS)
        assert time.monotonic() - began < SECONDS / 2
        with pytest.raises(RemoteError, match="Unavailable"):
            echo(channel, "hello")
