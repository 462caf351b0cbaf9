from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import socket
import threading
import time
from typing import Any

import grpclib.client
import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError, StreamTerminatedError

from goplugin.core.errors import ConfigError, PluginLostError
from goplugin.core.http2 import ConnectionEnded, GoingAway, SettingsChanged, UnaryResponse
from goplugin.sync.channel import Channel
from goplugin.sync.server import Server, serve_on
from goplugin.sync.stream import SocketStream

from ..aio.probe.probe_grpc import ProbeStub
from ..harness import asynchronous
from .echo_service import echo_service
from .grpclib_server import AsyncEcho
from .support import (
    MEBIBYTE,
    SECONDS,
    UNARY,
    Note,
    Probe,
    background,
    calling,
    calling_by_hand,
    listening,
    ours,
    socket_path,
    text_of,
    wait_until,
)


def note(text: str) -> bytes:
    return Note(text=text).SerializeToString()


# --- grpclib calls -----------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def grpclib_calls() -> Any:
    """grpclib's client, with its generated stub, and our server."""
    with ours(echo_service()) as (_, path):
        channel = grpclib.client.Channel(path=path)
        try:
            yield ProbeStub(channel)
        finally:
            channel.close()


@asynchronous
async def test_grpclib_calls_methods_of_every_kind() -> None:
    async with grpclib_calls() as stub:
        assert (await stub.Unary(Note(text="hello"))).text == "hello"
        assert [reply.text for reply in await stub.ServerStream(Note(text="3"))] == ["0", "1", "2"]
        assert (await stub.ClientStream([Note(text="a"), Note(text="b")])).text == "ab"
        replies = await stub.BidiStream([Note(text=str(number)) for number in range(20)])
        assert [reply.text for reply in replies] == [str(number) for number in range(20)]


@asynchronous
async def test_grpclib_chats() -> None:
    async with grpclib_calls() as stub, stub.BidiStream.open(timeout=SECONDS) as stream:
        for number in range(20):
            await stream.send_message(Note(text=str(number)))
            reply = await stream.recv_message()
            assert reply.text == str(number)
        await stream.end()
        assert await stream.recv_message() is None


@asynchronous
async def test_grpclib_gets_metadata() -> None:
    async with grpclib_calls() as stub, stub.Unary.open(metadata={"key": "value"}) as stream:
        await stream.send_message(Note(text="metadata"), end=True)
        await stream.recv_message()
        await stream.recv_trailing_metadata()

        assert stream.initial_metadata["first"] == "value"
        assert stream.initial_metadata["raw-bin"] == b"\0\xff"
        assert stream.trailing_metadata["last"] == "value"


@asynchronous
async def test_grpclib_gets_errors() -> None:
    async with grpclib_calls() as stub:
        with pytest.raises(GRPCError) as caught:
            await stub.Unary(Note(text="fail NOT_FOUND no such key: ключ"))
        assert (caught.value.status, caught.value.message) == (Status.NOT_FOUND, "no such key: ключ")
        with pytest.raises(GRPCError) as caught:
            await stub.ServerStream(Note(text="2 fail"))
        assert (caught.value.status, caught.value.message) == (Status.DATA_LOSS, "no more")


@asynchronous
async def test_grpclib_sets_deadlines() -> None:
    async with grpclib_calls() as stub:
        for method, text in ((stub.Unary, "wait"), (stub.ServerStream, "1 wait")):
            with pytest.raises((asyncio.TimeoutError, GRPCError)):
                await method(Note(text=text), timeout=0.05)
        assert (await stub.Unary(Note(text="hello"), timeout=SECONDS)).text == "hello"


@asynchronous
async def test_grpclib_cancels() -> None:
    async with grpclib_calls() as stub:
        async with stub.ServerStream.open() as stream:
            await stream.send_message(Note(text="1 wait"), end=True)
            assert (await stream.recv_message()).text == "0"
            await stream.cancel()
        assert (await stub.Unary(Note(text="hello"))).text == "hello"


@asynchronous
async def test_grpclib_has_many_calls_under_way() -> None:
    async with grpclib_calls() as stub:
        replies = await asyncio.gather(*(stub.Unary(Note(text=str(number))) for number in range(200)))
        assert [reply.text for reply in replies] == [str(number) for number in range(200)]


@asynchronous
async def test_grpclib_sends_large_messages() -> None:
    async with grpclib_calls() as stub:
        request = Note(data=bytes(range(256)) * (16 * MEBIBYTE // 256))
        assert await stub.Unary(request, timeout=100.0) == request


@asynchronous
async def test_grpclib_loses_its_server() -> None:
    with ours(echo_service()) as (server, path):
        channel = grpclib.client.Channel(path=path)
        async with ProbeStub(channel).BidiStream.open() as stream:
            await stream.send_message(Note(text="hello"))
            await stream.recv_message()
            await asyncio.to_thread(server.stop, SECONDS)
            with pytest.raises((StreamTerminatedError, GRPCError)):
                await stream.recv_message()
        channel.close()


# --- connections -------------------------------------------------------------------------------------------------


def test_connections_are_served_side_by_side() -> None:
    with ours(echo_service()) as (_, path), contextlib.ExitStack() as stack:
        channels = [stack.enter_context(calling(path)) for _ in range(20)]
        for number, channel in enumerate(channels):
            assert text_of(channel.unary(UNARY, note(str(number))).message) == str(number)


def test_a_connection_that_is_over_is_forgotten() -> None:
    with ours(echo_service()) as (server, path):
        for number in range(20):
            with calling(path) as channel:
                channel.unary(UNARY, note(str(number)))
        wait_until(lambda: not server._connections)


def test_a_server_on_tcp() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = serve_on(listener, [echo_service()])
        with calling_by_hand_over_tcp(listener.getsockname()) as peer:
            peer.machine.send_unary_request(UNARY, note("hello"))
            assert peer.receive(UnaryResponse).message == note("hello")
        server.stop(SECONDS)


@contextlib.contextmanager
def calling_by_hand_over_tcp(address: Any) -> Any:
    from goplugin.core.http2 import ClientConnection

    from .support import ByHand

    with socket.create_connection(address) as sock:
        yield ByHand(ClientConnection(), sock)


def test_no_descriptor_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Running out of them delays those who come, and nothing else."""
    failures = iter([OSError(24, "Too many open files"), BlockingIOError()])

    class Listener(socket.socket):
        def accept(self) -> Any:
            for failure in failures:
                raise failure
            return super().accept()

    path = socket_path()
    with Listener(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(path)
        listener.listen()
        server = serve_on(listener, [echo_service()])
        with calling(path) as channel:
            assert channel.unary(UNARY, note("hello"), timeout=SECONDS).message == note("hello")
        server.stop(SECONDS)


# --- the end -----------------------------------------------------------------------------------------------------


def test_stop_says_goodbye() -> None:
    with ours(echo_service()) as (server, path), calling_by_hand(path) as peer:
        peer.receive(SettingsChanged)
        server.stop(SECONDS)

        assert peer.receive(GoingAway).error_code == 0
        assert isinstance(peer.receive(ConnectionEnded), ConnectionEnded)


def test_stop_sees_answers_out() -> None:
    """A method that takes notice of the end answers, and what it answers arrives, however large."""

    def method(request: Any, context: Any) -> Any:
        entered.set()
        context.wait_cancelled(SECONDS)
        return Note(text="goodbye", data=bytes(8 * MEBIBYTE))

    entered = threading.Event()
    with ours(Probe(method)) as (server, path), calling(path) as channel:
        call = background(channel.unary, UNARY, b"")
        assert entered.wait(SECONDS)
        server.stop(SECONDS)

        assert text_of(call.result().message) == "goodbye"


def test_stop_does_not_wait_for_a_method_that_takes_no_notice() -> None:
    def method(request: Any, context: Any) -> Any:
        entered.set()
        assert leave.wait(SECONDS)
        return request

    entered, leave = threading.Event(), threading.Event()
    with ours(Probe(method)) as (server, path), calling(path) as channel:
        call = background(channel.unary, UNARY, b"")
        assert entered.wait(SECONDS)
        began = time.monotonic()
        server.stop(0.1)

        assert time.monotonic() - began < SECONDS / 2
        with pytest.raises(PluginLostError):
            call.result()
        leave.set()


def test_stop_does_not_wait_for_a_client_that_does_not_read() -> None:
    service = Probe(lambda request, context: Note(data=bytes(3 * MEBIBYTE)))
    with ours(service) as (server, path), calling_by_hand(path) as peer:
        peer.machine.send_unary_request(UNARY, b"")
        peer.send()
        wait_until(lambda: any(connection._link.unsent for connection in server._connections))
        began = time.monotonic()
        server.stop(0.1)

        assert time.monotonic() - began < SECONDS / 2


def test_stop_may_be_called_again_and_by_many() -> None:
    with ours(echo_service()) as (server, path), calling(path) as channel:
        channel.unary(UNARY, b"")
        for stopper in [background(server.stop, SECONDS) for _ in range(5)]:
            stopper.result()
        server.stop(SECONDS)


def test_nobody_is_accepted_behind_the_end() -> None:
    path = socket_path()
    with listening(path) as listener:
        server = serve_on(listener, [echo_service()])
        server.stop(SECONDS)
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(path)
            sock.settimeout(0.05)
            with pytest.raises(TimeoutError):
                sock.recv(1)


def test_servers_start_and_stop_while_clients_come_and_go() -> None:
    """Whenever the end comes, it comes to its own end, and leaves neither descriptors nor threads behind."""
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))

    def come_and_go(path: str) -> None:
        with contextlib.suppress(Exception):
            while True:
                with calling(path) as channel:
                    for _ in range(3):
                        channel.unary(UNARY, note("hello"), timeout=SECONDS)

    for number in range(60):
        path = socket_path()
        with listening(path) as listener:
            server = serve_on(listener, [echo_service()])
            clients = [background(come_and_go, path) for _ in range(3)]
            time.sleep(number % 10 * 0.002)
            server.stop(SECONDS)
        for client in clients:
            client.result()
    gc.collect()
    wait_until(lambda: len(os.listdir("/proc/self/fd")) <= before)


# --- what can be served ------------------------------------------------------------------------------------------


def test_coroutines_cannot_be_served() -> None:
    with pytest.raises(ConfigError, match="Unary is asynchronous"):
        Server([AsyncEcho()])


# --- connections that somebody else has accepted -----------------------------------------------------------------


def test_a_connection_may_come_from_elsewhere() -> None:
    near, far = socket.socketpair()
    server = Server([echo_service()])
    server.welcome(SocketStream(far, ticks=False))
    with Channel(SocketStream(near)) as channel:
        assert channel.unary(UNARY, Note(text="x").SerializeToString(), timeout=SECONDS).message
    server.stop(SECONDS)


def test_a_server_that_has_stopped_hangs_up_on_whom_it_is_to_welcome() -> None:
    near, far = socket.socketpair()
    server = Server([echo_service()])
    server.stop(SECONDS)
    server.welcome(SocketStream(far, ticks=False))
    with near:
        near.settimeout(SECONDS)
        assert near.recv(1) == b""
