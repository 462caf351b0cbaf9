from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from goplugin.core.yamux import DataReceived, StreamFinished, StreamOpened, StreamReset
from goplugin.tls import NAME, client_context, make_certificate, server_context

from .mux_support import WINDOW, Recorder, accept_streams, by_hand, connected, open_streams, run, until

# --- writing ---


def test_what_the_window_does_not_take_waits_and_the_protocol_is_told() -> None:
    async def test() -> None:
        async with connected() as (client, server):
            transport, ours = client.open(Recorder)
            _, theirs = await server.accept(Recorder)
            theirs.transport.pause_reading()
            transport.write(bytes(WINDOW + 100_000))
            assert transport.get_write_buffer_size() == 100_000
            assert ours.calls == ["made", "pause"]

            theirs.transport.resume_reading()
            await until(lambda: len(theirs.data) == WINDOW + 100_000)
            assert transport.get_write_buffer_size() == 0
            assert ours.calls == ["made", "pause", "resume"]

    run(test)


def test_a_caller_may_change_what_it_has_written() -> None:
    async def test() -> None:
        async with connected() as (client, server):
            transport, _ = client.open(Recorder)
            _, theirs = await server.accept(Recorder)
            data = bytearray(WINDOW + 3)
            transport.write(data)
            data[:] = b"x" * len(data)
            await until(lambda: theirs.data == bytes(len(data)))

    run(test)


def test_pieces_are_written_in_their_order() -> None:
    async def test() -> None:
        async with connected() as (client, server):
            transport, _ = client.open(Recorder)
            _, theirs = await server.accept(Recorder)
            transport.writelines([b"one ", bytearray(b"two "), memoryview(b"three")])
            transport.write(b"")
            await until(lambda: theirs.data == b"one two three")

    run(test)


def test_the_end_comes_behind_what_waits() -> None:
    async def test() -> None:
        async with connected() as (client, server):
            transport, ours = client.open(lambda: Recorder(keeps_open=True))
            reader, writer = await accept_streams(server)
            transport.write(bytes(2 * WINDOW))
            assert transport.can_write_eof()
            transport.write_eof()
            transport.write_eof()
            with pytest.raises(RuntimeError, match="Cannot call write\\(\\) after write_eof\\(\\)"):
                transport.write(b"more")
            assert len(await reader.read()) == 2 * WINDOW

            writer.write(b"answer")
            writer.close()
            await until(lambda: ours.calls[-1] == "eof")
            assert ours.data == b"answer"
            transport.close()
            assert await ours.lost is None

    run(test)


def test_the_limits_of_the_write_buffer_can_be_set() -> None:
    async def test() -> None:
        async with connected() as (client, _):
            transport, ours = client.open(Recorder)
            assert transport.get_write_buffer_limits() == (16 * 1024, 64 * 1024)
            transport.set_write_buffer_limits(high=1000)
            assert transport.get_write_buffer_limits() == (250, 1000)
            transport.set_write_buffer_limits(low=1000)
            assert transport.get_write_buffer_limits() == (1000, 4000)
            transport.set_write_buffer_limits()
            assert transport.get_write_buffer_limits() == (16 * 1024, 64 * 1024)
            with pytest.raises(ValueError, match=r"high \(1\) must be >= low \(2\)"):
                transport.set_write_buffer_limits(high=1, low=2)

            transport.write(bytes(WINDOW + 10))
            assert ours.calls == ["made"]
            transport.set_write_buffer_limits(high=9)
            assert ours.calls == ["made", "pause"]

    run(test)


# --- reading ---


def test_a_protocol_that_pauses_holds_its_peer_up_and_nobody_else() -> None:
    async def test() -> None:
        async with by_hand() as (session, peer):
            transport, ours = session.open(Recorder)
            transport.pause_reading()
            assert not transport.is_reading()
            _, other = session.open(Recorder)
            for stream_id in (1, 3):
                assert await peer.receive() == StreamOpened(stream_id)
                peer.machine.send_accept(stream_id)
            assert peer.machine.send_data(1, bytes(WINDOW + 1)) == WINDOW
            peer.machine.send_data(3, b"hello")
            peer.send()
            await until(lambda: other.data == b"hello")
            assert ours.data == b""

            transport.resume_reading()
            transport.resume_reading()
            assert transport.is_reading()
            assert repr(await peer.receive()) == "StreamWritable(stream_id=1)"
            assert len(ours.data) == WINDOW

    run(test)


def test_a_protocol_may_pause_when_it_is_connected() -> None:
    class Paused(Recorder):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            self.transport.pause_reading()

    async def test() -> None:
        async with connected() as (client, server):
            _, writer = open_streams(client)
            writer.write(b"hello")
            writer.close()
            transport, theirs = await server.accept(Paused)
            await until(lambda: transport._finished)  # type: ignore[attr-defined]
            assert theirs.calls == ["made"]
            transport.resume_reading()
            await theirs.lost
            assert theirs.calls == ["made", "data", "eof", "lost"]

    run(test)


def test_a_buffered_protocol_gets_what_fits_into_its_buffer() -> None:
    class Buffered(asyncio.BufferedProtocol):
        def __init__(self) -> None:
            self.buffer = bytearray(7)
            self.data = b""

        def get_buffer(self, sizehint: int) -> bytearray:
            return self.buffer

        def buffer_updated(self, nbytes: int) -> None:
            self.data += self.buffer[:nbytes]

    async def test() -> None:
        async with connected() as (client, server):
            client.open(Recorder)[0].write(bytes(range(100)))
            transport, theirs = await server.accept(Buffered)
            await until(lambda: theirs.data == bytes(range(100)))
            transport.close()

    run(test)


def test_what_came_before_the_session_ended_is_still_read() -> None:
    async def test() -> None:
        async with by_hand() as (session, peer):
            transport, ours = session.open(Recorder)
            transport.pause_reading()
            assert await peer.receive() == StreamOpened(1)
            peer.machine.send_accept(1)
            peer.machine.send_data(1, b"last words")
            peer.machine.send_end(1)
            peer.send()
            peer.writer.close()
            await session.wait_closed()
            assert ours.calls == ["made"]
            transport.write(b"nobody is there")
            transport.write_eof()
            transport.resume_reading()
            assert str(await ours.lost) == "the peer has closed the connection"
            assert ours.calls == ["made", "data", "eof", "lost"]
            assert ours.data == b"last words"

    run(test)


def test_a_transport_that_nobody_reads_may_be_closed_behind_its_session() -> None:
    async def test() -> None:
        async with by_hand() as (session, peer):
            transport, ours = session.open(Recorder)
            transport.pause_reading()
            peer.writer.close()
            await session.wait_closed()
            transport.close()
            assert str(await ours.lost) == "the peer has closed the connection"

    run(test)


# --- ending ---


def test_closing_sends_what_waits_and_then_the_end() -> None:
    async def test() -> None:
        async with connected() as (client, server):
            transport, ours = client.open(Recorder)
            transport.write(bytes(2 * WINDOW))
            transport.close()
            transport.close()
            transport.write(b"dropped")
            transport.resume_reading()
            assert transport.is_closing()
            assert not transport.is_reading()
            _, theirs = await server.accept(Recorder)
            await theirs.lost
            assert len(theirs.data) == 2 * WINDOW
            assert await ours.lost is None

    run(test)


def test_what_comes_behind_a_close_is_not_delivered() -> None:
    async def test() -> None:
        async with by_hand() as (session, peer):
            transport, ours = session.open(Recorder)
            transport.close()
            assert await peer.receive() == StreamOpened(1)
            assert await peer.receive() == StreamFinished(1)
            peer.machine.send_accept(1)
            peer.machine.send_data(1, b"too late")
            peer.machine.send_end(1)
            peer.send()
            await until(lambda: not session.machine._streams)
            assert ours.calls == ["made", "lost"]

    run(test)


def test_aborting_resets_the_stream() -> None:
    async def test() -> None:
        async with connected() as (client, server):
            transport, ours = client.open(Recorder)
            _, theirs = await server.accept(Recorder)
            transport.write(bytes(2 * WINDOW))
            transport.abort()
            transport.abort()
            assert await ours.lost is None
            assert str(await theirs.lost) == "the peer has reset the stream"
            assert transport.get_write_buffer_size() == 0

    run(test)


def test_the_peer_finishes_and_the_stream_is_closed_unless_the_protocol_wants_to_go_on() -> None:
    async def test() -> None:
        async with by_hand() as (session, peer):
            _, ours = session.open(Recorder)
            assert await peer.receive() == StreamOpened(1)
            peer.machine.send_accept(1)
            peer.machine.send_end(1)
            peer.send()
            assert await peer.receive() == StreamFinished(1)
            assert ours.calls == ["made", "eof", "lost"]

    run(test)


@pytest.mark.parametrize("method", ["data_received", "eof_received"])
def test_a_bug_in_a_protocol_ends_its_stream_and_no_other(method: str) -> None:
    def fail(*arguments: object) -> None:
        raise ZeroDivisionError

    async def test() -> None:
        reported: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
        async with by_hand() as (session, peer):
            _, bad = session.open(Recorder)
            setattr(bad, method, fail)
            _, good = session.open(Recorder)
            for stream_id in (1, 3):
                assert await peer.receive() == StreamOpened(stream_id)
                peer.machine.send_accept(stream_id)
                peer.machine.send_data(stream_id, b"hello")
            peer.machine.send_end(1)
            peer.send()
            assert isinstance(await bad.lost, ZeroDivisionError)
            await until(lambda: good.data == b"hello")
            if method == "data_received":
                assert await peer.receive() == StreamReset(1)
        assert [type(context["exception"]) for context in reported] == [ZeroDivisionError]

    run(test)


# --- as others see it ---


def test_a_stream_tells_of_the_connection_below() -> None:
    async def test() -> None:
        async with connected() as (client, _):
            transport, ours = client.open(Recorder)
            assert transport.get_extra_info("socket") is not None
            assert transport.get_extra_info("nonsense", 5) == 5
            assert transport.get_protocol() is ours
            client.close()
            assert transport.get_extra_info("socket") is None

    run(test)


def test_tls_runs_on_a_stream() -> None:
    host, plugin = make_certificate(time.time()), make_certificate(time.time())

    async def test() -> None:
        async with connected() as (client, server):
            loop = asyncio.get_running_loop()
            reader, other = asyncio.StreamReader(), asyncio.StreamReader()
            near, protocol = client.open(lambda: asyncio.StreamReaderProtocol(reader))
            far, other_protocol = await server.accept(lambda: asyncio.StreamReaderProtocol(other))
            ours, theirs = await asyncio.gather(
                loop.start_tls(near, protocol, client_context(host, plugin.certificate), server_hostname=NAME),
                loop.start_tls(far, other_protocol, server_context(plugin, host.pem), server_side=True),
            )
            assert ours is not None
            assert theirs is not None
            assert ours.get_extra_info("ssl_object").selected_alpn_protocol() == "h2"
            ours.write(bytes(2 * WINDOW))
            assert await other.readexactly(2 * WINDOW) == bytes(2 * WINDOW)
            theirs.write(b"answer")
            assert await reader.readexactly(6) == b"answer"
            ours.close()
            assert await other.read() == b""
            theirs.close()
            await until(lambda: not (client._streams or server._streams))

    run(test)


def test_a_failed_handshake_resets_the_stream() -> None:
    host, plugin, stranger = (make_certificate(time.time()) for _ in range(3))

    async def test() -> None:
        async with connected() as (client, server):
            loop = asyncio.get_running_loop()
            near, protocol = client.open(Recorder)
            far, other = await server.accept(Recorder)
            results = await asyncio.gather(
                loop.start_tls(near, protocol, client_context(host, stranger.certificate), server_hostname=NAME),
                loop.start_tls(far, other, server_context(plugin, host.pem), server_side=True),
                return_exceptions=True,
            )
            assert [isinstance(result, OSError) for result in results] == [True, True]
            await until(lambda: not (client._streams or server._streams))

    run(test)


def test_data_is_told_of_as_it_comes() -> None:
    async def test() -> None:
        async with by_hand() as (session, peer):
            transport, _ = session.open(Recorder)
            transport.write(b"hello")
            assert await peer.receive() == StreamOpened(1)
            assert await peer.receive() == DataReceived(1, b"hello")

    run(test)
