"""gRPC over real sockets, both ends in one process; what takes a plugin's process is in test_client."""
from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from grpclib.const import Cardinality, Handler, Status
from grpclib.exceptions import GRPCError

from goplugin.core.environ import PluginEnvironment
from goplugin.core.errors import ConfigError, PluginLostError, RemoteError
from goplugin.core.status import Code
from goplugin.aio.plugin_server import PluginServer, serve_on
from goplugin.grpc import Channel, channel_to, unary_stream, unary_unary
from goplugin.transport import listen
from tests.support import requirement

from .harness import SECONDS, asynchronous
from .plugins.contract import Text

CALL = "/test.Test/Call"
STREAM = "/test.Test/Stream"
CARDINALITIES = {CALL: Cardinality.UNARY_UNARY, STREAM: Cardinality.UNARY_STREAM}


class Servicer:
    """A method for each path."""

    def __init__(self, methods: dict[str, Any]) -> None:
        self._methods = methods

    def __mapping__(self) -> dict[str, Handler]:
        return {path: Handler(method, CARDINALITIES[path], Text, Text) for path, method in self._methods.items()}


@contextlib.asynccontextmanager
async def serving(methods: dict[str, Any], *more: Servicer) -> AsyncIterator[tuple[PluginServer, Channel]]:
    """A server of these methods, and a channel to it."""
    with listen(PluginEnvironment()) as listener:
        server = await serve_on(listener.socket, [Servicer(methods), *more])
        channel = channel_to(listener.network, listener.address)
        try:
            yield server, channel
        finally:
            channel.close()
            await server.end(1.0)


async def call(channel: Channel, text: str = "", *, timeout: float | None = None) -> str:
    return (await unary_unary(channel, CALL, Text(text), Text, timeout=timeout)).text


async def stream(channel: Channel, receive: Callable[[Text], None]) -> None:
    await unary_stream(channel, STREAM, Text(""), Text, receive)


def raising(error: BaseException) -> Callable[..., Text]:
    def method(request: Text, context: object) -> Text:
        raise error

    return method


def raising_async(error: BaseException) -> Callable[..., Any]:
    async def method(stream: object) -> None:
        raise error

    return method


def echo(request: Text, context: object) -> Text:
    return request


async def echo_async(stream: Any) -> None:
    await stream.send_message(await stream.recv_message())


KINDS = pytest.mark.parametrize("kind", [raising, raising_async], ids=["plain", "async"])


# --- unary calls -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", [echo, echo_async], ids=["plain", "async"])
@pytest.mark.parametrize("text", ["", "hello", "h\u00e9\0", "x" * (5 << 20)], ids=["empty", "word", "any", "5 MiB"])
@requirement("gp.grpc.limits")
@asynchronous
async def test_a_reply_is_what_the_method_made_of_the_request(method: Any, text: str) -> None:
    async with serving({CALL: method}) as (_, channel):
        assert await call(channel, text) == text


@KINDS
@pytest.mark.parametrize("text", ["no such luck", "", "two\nlines", "h\u00e9 100%", "\u2028\U0001f600", " spaces "])
@asynchronous
async def test_an_exception_becomes_unknown_with_its_text(kind: Any, text: str) -> None:
    async with serving({CALL: kind(ValueError(text))}) as (_, channel):
        with pytest.raises(RemoteError) as caught:
            await call(channel)

    assert type(caught.value) is RemoteError
    assert (caught.value.code, caught.value.message) == (Code.UNKNOWN, text)
    assert str(caught.value) == f"rpc error: code = Unknown desc = {text}"


@KINDS
@pytest.mark.parametrize("code", [code for code in Code if code is not Code.OK])
@asynchronous
async def test_a_remote_error_keeps_its_code_and_text(kind: Any, code: Code) -> None:
    async with serving({CALL: kind(RemoteError(code, "no such key"))}) as (_, channel):
        with pytest.raises(RemoteError) as caught:
            await call(channel)

    assert type(caught.value) is RemoteError
    assert (caught.value.code, caught.value.message, caught.value.details) == (code, "no such key", ())


@asynchronous
async def test_grpclibs_own_error_is_as_good() -> None:
    async with serving({CALL: raising_async(GRPCError(Status.ABORTED, "again"))}) as (_, channel):
        with pytest.raises(RemoteError, match=r"^rpc error: code = Aborted desc = again$"):
            await call(channel)


@KINDS
@pytest.mark.parametrize(
    ("error", "text"),
    [
        (TimeoutError("slow"), "slow"),
        (OSError(5, "broken"), "[Errno 5] broken"),
        (KeyError("key"), "'key'"),
        (StopIteration(), "raised StopIteration"),
    ],
)
@asynchronous
async def test_no_exception_of_a_method_is_taken_for_the_transports(kind: Any, error: Exception, text: str) -> None:
    async with serving({CALL: kind(error)}) as (_, channel):
        with pytest.raises(RemoteError) as caught:
            await call(channel, timeout=SECONDS)

    assert caught.value.code is Code.UNKNOWN
    assert caught.value.message.endswith(text)


@KINDS
@asynchronous
async def test_a_method_that_was_cancelled_by_itself_says_so(kind: Any) -> None:
    async with serving({CALL: kind(asyncio.CancelledError())}) as (_, channel):
        with pytest.raises(RemoteError, match=r"^rpc error: code = Canceled desc = context canceled$"):
            await call(channel, timeout=SECONDS)


@asynchronous
async def test_a_reply_of_the_wrong_type_is_an_error_and_not_the_end() -> None:
    replies: Iterator[Any] = iter([None, "text", Text("fine")])
    async with serving({CALL: lambda request, context: next(replies)}) as (_, channel):
        for _ in range(2):
            with pytest.raises(RemoteError, match=r"^rpc error: code = Unknown desc = .*Text"):
                await call(channel)

        assert await call(channel) == "fine"


@KINDS
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x" * 8192, "x" * 8192),
        ("x" * 8193, "x" * 8192 + "..."),
        ("\u00e9" * 4097, "\u00e9" * 4096 + "..."),
        ("x" + "\U0001f600" * 100_000, "x" + "\U0001f600" * 2047 + "..."),
    ],
    ids=["fits", "ascii", "latin", "astral"],
)
@asynchronous
async def test_a_very_long_text_is_cut_and_breaks_nothing(kind: Any, text: str, expected: str) -> None:
    async with serving({CALL: kind(ValueError(text))}) as (_, channel):
        for _ in range(2):
            with pytest.raises(RemoteError) as caught:
                await call(channel)

            assert (caught.value.code, caught.value.message) == (Code.UNKNOWN, expected)


@asynchronous
async def test_a_host_takes_texts_that_others_do_not_cut() -> None:
    text = "x" * 70_000
    async with serving({CALL: raising_async(GRPCError(Status.UNKNOWN, text))}) as (_, channel):
        with pytest.raises(RemoteError) as caught:
            await call(channel)

    assert caught.value.message == text


@KINDS
@asynchronous
async def test_a_text_that_is_no_unicode_becomes_one(kind: Any) -> None:
    async with serving({CALL: kind(ValueError("h\udce9llo"))}) as (_, channel):
        with pytest.raises(RemoteError, match=r"desc = h\?llo$"):
            await call(channel)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/test.Test/Other", "unknown method Other for service test.Test"),
        ("/test.Tes/Call", "unknown service test.Tes"),
        ("/other.Service/Call", "unknown service other.Service"),
        ("/Call", "unknown service "),
    ],
)
@asynchronous
async def test_an_unknown_path_is_answered_in_gos_words(path: str, text: str) -> None:
    async with serving({CALL: echo}) as (_, channel):
        with pytest.raises(RemoteError) as caught:
            await unary_unary(channel, path, Text("x" * (1 << 20)), Text)

        assert (caught.value.code, caught.value.message) == (Code.UNIMPLEMENTED, text)
        assert await call(channel, "hello") == "hello"


@asynchronous
async def test_of_two_methods_with_one_path_the_later_is_served() -> None:
    async with serving({CALL: raising(ValueError("earlier"))}, Servicer({CALL: echo})) as (_, channel):
        assert await call(channel, "later") == "later"


# --- deadlines ---------------------------------------------------------------------------------------------------


@asynchronous
async def test_a_plain_method_learns_the_deadline() -> None:
    def method(request: Text, context: Any) -> Text:
        return Text(f"{context.deadline is None} {context.time_remaining()}")

    async with serving({CALL: method}) as (_, channel):
        assert await call(channel) == "True None"
        none, remaining = (await call(channel, timeout=60.0)).split()
        assert none == "False"
        assert 50.0 < float(remaining) <= 60.0


@requirement("jm.timeouts")
@pytest.mark.parametrize("is_plain", [True, False])
@asynchronous
async def test_a_call_ends_at_its_deadline_and_the_next_is_answered(is_plain: bool) -> None:
    release = threading.Event()

    def slow(request: Text, context: object) -> Text:
        if request.text == "slow":
            release.wait(SECONDS)
        return request

    async def slow_async(stream: Any) -> None:
        request = await stream.recv_message()
        if request.text == "slow":
            await asyncio.sleep(SECONDS)
        await stream.send_message(request)

    async with serving({CALL: slow if is_plain else slow_async}) as (_, channel):
        with pytest.raises(RemoteError) as caught:
            await call(channel, "slow", timeout=0.05)

        assert (caught.value.code, caught.value.message) == (Code.DEADLINE_EXCEEDED, "context deadline exceeded")
        assert await call(channel, "quick", timeout=SECONDS) == "quick"
        release.set()


@asynchronous
async def test_a_deadline_that_only_the_plugin_notices_reads_the_same() -> None:
    async with serving({CALL: raising(RemoteError(Code.DEADLINE_EXCEEDED, ""))}) as (_, channel):
        with pytest.raises(RemoteError, match=r"desc = context deadline exceeded$"):
            await call(channel)


@pytest.mark.parametrize("timeout", [0.0, -1.0])
@asynchronous
async def test_without_time_there_is_no_call(timeout: float) -> None:
    async with serving({CALL: echo}) as (_, channel):
        with pytest.raises(RemoteError, match=r"desc = context deadline exceeded$"):
            await call(channel, timeout=timeout)


# --- side by side ------------------------------------------------------------------------------------------------


@asynchronous
async def test_plain_methods_run_side_by_side() -> None:
    barrier = threading.Barrier(20, timeout=SECONDS)

    def meet(request: Text, context: object) -> Text:
        barrier.wait()
        return request

    async with serving({CALL: meet}) as (_, channel):
        for _ in range(2):  # the second time in the threads of the first
            texts = [str(number) for number in range(20)]
            assert await asyncio.gather(*(call(channel, text) for text in texts)) == texts


@asynchronous
async def test_a_blocked_method_holds_up_no_other_call() -> None:
    entered, release = threading.Event(), threading.Event()

    def method(request: Text, context: object) -> Text:
        if request.text == "slow":
            entered.set()
            release.wait(SECONDS)
        return request

    async with serving({CALL: method}) as (_, channel):
        slow = asyncio.create_task(call(channel, "slow"))
        await asyncio.to_thread(entered.wait, SECONDS)

        assert await call(channel, "quick") == "quick"
        assert not slow.done()
        release.set()
        assert await slow == "slow"


@asynchronous
async def test_a_call_that_the_host_gave_up_ends_an_async_method() -> None:
    entered, cancelled = asyncio.Event(), asyncio.Event()

    async def method(stream: object) -> None:
        entered.set()
        try:
            await asyncio.sleep(SECONDS)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    async with serving({CALL: method}) as (_, channel):
        given_up = asyncio.create_task(call(channel))
        await entered.wait()
        given_up.cancel()

        await cancelled.wait()
        with pytest.raises(asyncio.CancelledError):
            await given_up


# --- streams -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 1000])
@asynchronous
async def test_a_generator_streams_what_it_yields(count: int) -> None:
    def method(request: Text, context: object) -> Iterator[Text]:
        for number in range(count):
            yield Text(str(number))

    received: list[Text] = []
    async with serving({STREAM: method}) as (_, channel):
        await stream(channel, received.append)

    assert [reply.text for reply in received] == [str(number) for number in range(count)]


@asynchronous
async def test_a_stream_may_be_any_iterable() -> None:
    received: list[Text] = []
    async with serving({STREAM: lambda request, context: [Text("a"), Text("b")]}) as (_, channel):
        await stream(channel, received.append)

    assert received == [Text("a"), Text("b")]


@asynchronous
async def test_a_stream_may_break_in_the_middle() -> None:
    def method(request: Text, context: object) -> Iterator[Text]:
        yield Text("one")
        raise RemoteError(Code.DATA_LOSS, "no more")

    received: list[Text] = []
    async with serving({STREAM: method}) as (_, channel):
        with pytest.raises(RemoteError) as caught:
            await stream(channel, received.append)

    assert (caught.value.code, caught.value.message) == (Code.DATA_LOSS, "no more")
    assert received == [Text("one")]


@asynchronous
async def test_none_is_no_silent_end_of_a_stream() -> None:
    def method(request: Text, context: object) -> Iterator[Any]:
        yield None
        yield Text("more")

    async with serving({STREAM: method}) as (_, channel):
        with pytest.raises(RemoteError, match=r"^rpc error: code = Unknown desc = .*NoneType"):
            await stream(channel, lambda reply: None)


@asynchronous
async def test_neither_the_start_nor_the_steps_of_a_stream_block_the_loop() -> None:
    names: set[str] = set()

    def method(request: Text, context: object) -> Iterator[Text]:
        names.add(threading.current_thread().name)

        def replies() -> Iterator[Text]:
            names.add(threading.current_thread().name)
            yield Text("")

        return replies()

    async with serving({STREAM: method}) as (_, channel):
        await stream(channel, lambda reply: None)

    assert names == {"goplugin-call"}


@asynchronous
async def test_a_generator_is_closed_when_the_host_gives_up() -> None:
    closed = threading.Event()

    def method(request: Text, context: object) -> Iterator[Text]:
        try:
            while True:
                yield Text("more")
        finally:
            closed.set()

    async with serving({STREAM: method}) as (_, channel):
        enough = asyncio.Event()
        given_up = asyncio.create_task(stream(channel, lambda reply: enough.set()))
        await enough.wait()
        given_up.cancel()

        assert await asyncio.to_thread(closed.wait, SECONDS)
        with pytest.raises(asyncio.CancelledError):
            await given_up


@asynchronous
async def test_a_host_that_reads_slowly_slows_the_generator_down() -> None:
    count = 0

    def method(request: Text, context: object) -> Iterator[Text]:
        nonlocal count
        for _ in range(5_000):
            count += 1
            yield Text("x" * 10_000)

    class EnoughError(Exception):
        pass

    def receive(reply: Text) -> None:
        raise EnoughError

    async with serving({STREAM: method}) as (_, channel):
        with pytest.raises(EnoughError):
            await stream(channel, receive)

        assert await call_of_another(channel) == "unknown method Call for service test.Test"
    assert count < 5_000


async def call_of_another(channel: Channel) -> str:
    with pytest.raises(RemoteError) as caught:
        await call(channel)
    return caught.value.message


# --- connections -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("network", "address", "expected"),
    [
        ("unix", "/run/plugin1", {"_path": "/run/plugin1"}),
        ("tcp", "127.0.0.1:1234", {"_host": "127.0.0.1", "_port": 1234}),
        ("tcp", "[::1]:1234", {"_host": "::1", "_port": 1234}),
    ],
)
@asynchronous
async def test_a_channel_leads_to_the_address(network: str, address: str, expected: dict[str, object]) -> None:
    channel = channel_to(network, address)

    assert vars(channel).items() >= expected.items()


@asynchronous
async def test_another_network_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^unknown address type: x$"):
        channel_to("udp", "x")


def dead_address(tmp_path: Path, kind: str) -> tuple[str, str]:
    if kind == "tcp":
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            return "tcp", f"127.0.0.1:{sock.getsockname()[1]}"
    path = tmp_path / "dead"
    if kind == "unix":
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(str(path))
    return "unix", str(path)


@pytest.mark.parametrize("kind", ["missing", "unix", "tcp"])
@asynchronous
async def test_an_address_where_nobody_listens_is_a_lost_plugin(tmp_path: Path, kind: str) -> None:
    channel = channel_to(*dead_address(tmp_path, kind))

    for _ in range(2):
        with pytest.raises(PluginLostError) as caught:
            await call(channel, timeout=SECONDS)
        assert str(caught.value).startswith("rpc error: code = Unavailable desc = connection error: ")
        assert isinstance(caught.value.__cause__, OSError)


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", os.urandom(1000)])
@asynchronous
async def test_a_peer_that_speaks_no_grpc_is_a_lost_plugin(tmp_path: Path, answer: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(answer)
        writer.close()

    path = str(tmp_path / "peer")
    server = await asyncio.start_unix_server(talk, path)
    channel = channel_to("unix", path)

    with pytest.raises(PluginLostError):
        await call(channel)

    channel.close()
    server.close()


@asynchronous
async def test_a_silent_peer_is_given_up_at_the_deadline(tmp_path: Path) -> None:
    with listen(PluginEnvironment()) as listener:
        channel = channel_to("unix", listener.address)

        with pytest.raises(RemoteError) as caught:
            await call(channel, timeout=0.05)

        channel.close()
    assert caught.value.code is Code.DEADLINE_EXCEEDED


@asynchronous
async def test_closing_the_channel_ends_its_calls() -> None:
    entered = asyncio.Event()

    async def method(stream: object) -> None:
        entered.set()
        await asyncio.sleep(SECONDS)

    async with serving({CALL: method}) as (_, channel):
        lost = asyncio.create_task(call(channel))
        await entered.wait()

        channel.close()

        with pytest.raises(PluginLostError):
            await lost


# --- the end of a server -----------------------------------------------------------------------------------------


@asynchronous
async def test_the_end_cancels_calls_and_hangs_up() -> None:
    entered = asyncio.Event()
    ended: list[str] = []

    async def method(stream: object) -> None:
        entered.set()
        try:
            await asyncio.sleep(SECONDS)
        finally:
            ended.append("method")

    async with serving({CALL: method}) as (server, channel):
        lost = asyncio.create_task(call(channel))
        await entered.wait()

        await server.end(SECONDS)

        assert ended == ["method"]
        with pytest.raises(PluginLostError):
            await lost


@asynchronous
async def test_the_end_does_not_wait_for_a_method_that_will_not_stop() -> None:
    entered, release = asyncio.Event(), asyncio.Event()

    async def method(stream: object) -> None:
        entered.set()
        while not release.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await release.wait()

    async with serving({CALL: method}) as (server, channel):
        lost = asyncio.create_task(call(channel))
        await entered.wait()

        await server.end(0.05)

        with pytest.raises(PluginLostError):
            await lost
        release.set()


@asynchronous
async def test_the_end_sends_first_what_is_written() -> None:
    text = "x" * (3 << 20)

    async def method(stream: Any) -> None:
        await stream.send_message(Text(text))
        await stream.send_trailing_metadata()
        asyncio.get_running_loop().call_soon(written.set)

    written = asyncio.Event()
    async with serving({CALL: method}) as (server, channel):
        reply = asyncio.create_task(call(channel))
        await written.wait()

        await server.end(SECONDS)

        assert await reply == text
