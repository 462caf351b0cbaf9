from __future__ import annotations

import asyncio

import pytest

from goplugin import aio
from goplugin.core.errors import RemoteProtocolError
from goplugin.core.yamux import BACKLOG, GoingAway, PingAcknowledged, StreamOpened
from goplugin.core.yamux.frames import SYN, ping, window_update
from goplugin.mux import Session

from .aio.support import Note, Probe, ProbeStub
from .mux_support import Recorder, accept_streams, by_hand, connected, open_streams, run, until


def test_streams_are_accepted_in_the_order_in_which_they_were_opened() -> None:
    async def test() -> None:
        async with connected() as (client, server):
            for number in range(5):
                _, writer = open_streams(client)
                writer.write(b"%d" % number)
                writer.close()
            for number in range(5):
                reader, writer = await accept_streams(server)
                assert await reader.read() == b"%d" % number
                writer.close()

    run(test)


def test_either_side_opens_streams() -> None:
    async def test() -> None:
        async with connected() as (client, server):
            for one, other in ((client, server), (server, client)):
                _, near = open_streams(one)
                far, answering = await accept_streams(other)
                near.write(b"hello")
                assert await far.readexactly(5) == b"hello"
                near.close()
                answering.close()
            await until(lambda: not (client.machine._streams or server.machine._streams))
            assert client._streams == server._streams == {}

    run(test)


def test_a_ping_is_answered_without_anybody() -> None:
    async def test() -> None:
        async with by_hand() as (_, peer):
            peer.machine.send_ping(77)
            peer.send()
            assert await peer.receive() == PingAcknowledged(77)

    run(test)


def test_a_stream_waits_for_whoever_accepts() -> None:
    async def test() -> None:
        async with connected() as (client, server):
            tasks = [asyncio.create_task(server.accept(Recorder)) for _ in range(2)]
            await asyncio.sleep(0)
            client.open(Recorder)
            done, waiting = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            assert done == {tasks[0]}
            client.open(Recorder)
            await tasks[1]
            assert waiting == {tasks[1]}

    run(test)


@pytest.mark.parametrize("woken", [False, True])
def test_who_gives_up_accepting_takes_no_stream_away(woken: bool) -> None:
    async def test() -> None:
        async with connected() as (client, server):
            first, second = (asyncio.create_task(server.accept(Recorder)) for _ in range(2))
            await asyncio.sleep(0)
            if woken:
                receive = server.buffer_updated
                server.buffer_updated = lambda size: (receive(size), first.cancel())  # type: ignore[assignment]
            else:
                first.cancel()
            client.open(Recorder)
            with pytest.raises(asyncio.CancelledError):
                await first
            await second

    run(test)


def test_a_stream_that_was_reset_before_anybody_accepted_it_is_gone() -> None:
    async def test() -> None:
        async with connected() as (client, server):
            transport, _ = client.open(Recorder)
            transport.abort()
            client.open(Recorder)[0].write(b"the second")
            _, theirs = await server.accept(Recorder)
            await until(lambda: theirs.data == b"the second")

    run(test)


def test_a_peer_that_goes_away_takes_no_more_streams() -> None:
    async def test() -> None:
        async with connected() as (client, server):
            server.go_away()
            await until(lambda: not client.machine.can_open)
            with pytest.raises(ConnectionError, match="the peer takes no more streams"):
                client.open(Recorder)

    run(test)


def test_the_peer_hears_that_we_go_away() -> None:
    async def test() -> None:
        async with by_hand() as (session, peer):
            session.go_away()
            assert await peer.receive() == GoingAway()

    run(test)


def test_a_session_may_be_used_before_it_is_connected() -> None:
    async def test() -> None:
        async with connected() as (_, server):
            session = Session(client=True)
            session.open(Recorder)
            session.close()
            with pytest.raises(ConnectionResetError, match="the session is closed"):
                session.open(Recorder)
            assert server._streams == {}

    run(test)


@pytest.mark.parametrize("end", [Session.close, Session.abort])
def test_closing_ends_all_streams(end: object) -> None:
    async def test() -> None:
        async with connected() as (client, server):
            _, ours = client.open(Recorder)
            _, theirs = await server.accept(Recorder)
            end(client)  # type: ignore[operator]
            end(client)  # type: ignore[operator]
            assert await ours.lost is None
            assert str(await theirs.lost) == "the peer has closed the connection"
            await client.wait_closed()
            await server.wait_closed()
            for session in (client, server):
                with pytest.raises(ConnectionResetError):
                    await session.accept(Recorder)

    run(test)


def test_what_was_written_before_the_session_was_closed_arrives() -> None:
    async def test() -> None:
        async with connected() as (client, server):
            client.open(Recorder)[0].write(b"last words")
            _, theirs = await server.accept(Recorder)
            client.close()
            await theirs.lost
            assert theirs.data == b"last words"

    run(test)


def test_a_peer_that_breaks_the_protocol_is_told_so_and_left() -> None:
    async def test() -> None:
        async with by_hand() as (session, peer):
            _, stream = session.open(Recorder)
            assert await peer.receive() == StreamOpened(1)
            peer.send(b"\x09" * 12)
            error = await stream.lost
            assert str(error) == "the peer broke the protocol: version 9 of yamux"
            assert repr(await peer.receive()) == "StreamReset(stream_id=1, session_over=True)"
            with pytest.raises(RemoteProtocolError, match="the peer ended the session: protocol error"):
                await peer.receive()
            await session.wait_closed()

    run(test)


def test_a_peer_that_breaks_the_protocol_and_does_not_read_is_left() -> None:
    async def test() -> None:
        async with by_hand() as (session, peer):
            peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
            while not session.full:
                transport, _ = session.open(Recorder)
                transport.write(bytes(100_000))
                await asyncio.sleep(0)
            peer.send(b"\x09" * 12)
            await session.wait_closed()

    run(test)


def test_a_peer_that_breaks_the_protocol_while_we_leave_is_left() -> None:
    async def test() -> None:
        session = Session(client=True)
        session.close()
        session.get_buffer(-1)[:12] = b"\x09" * 12
        session.buffer_updated(12)

    run(test)


def test_a_connection_that_is_full_holds_all_streams_up_until_it_is_not() -> None:
    async def test() -> None:
        async with by_hand() as (session, peer):
            peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
            streams: list[Recorder] = []
            while not session.full:
                streams.append(session.open(Recorder)[1])
                streams[-1].transport.write(bytes(100_000))
            late = session.open(Recorder)[1]
            late.transport.write(bytes(100_000))
            assert late.transport.get_write_buffer_size() == 100_000
            assert late.calls == ["made", "pause"]

            peer.writer.transport.resume_reading()  # type: ignore[attr-defined]
            drained = asyncio.create_task(_read_forever(peer))
            await until(lambda: late.calls == ["made", "pause", "resume"])
            drained.cancel()

    run(test)


async def _read_forever(peer: object) -> None:
    while True:
        await peer.receive()  # type: ignore[attr-defined]


def test_streams_beyond_the_backlog_are_refused() -> None:
    async def test() -> None:
        async with by_hand() as (session, peer):
            peer.send(b"".join(window_update(2 * number, SYN) for number in range(1, BACKLOG + 3)) + ping(SYN, 1))
            await until(lambda: len(session._offered) == BACKLOG)
            await session.accept(Recorder)

    run(test)


def test_what_the_protocols_write_behind_received_data_leaves_in_one_piece() -> None:
    class Echo(Recorder):
        def data_received(self, data: bytes) -> None:
            self.transport.write(data)
            self.transport.write(data)

    async def test() -> None:
        async with by_hand() as (session, peer):
            writes: list[int] = []
            session.open(Echo)
            session.open(Echo)
            assert await peer.receive() == StreamOpened(1)
            assert await peer.receive() == StreamOpened(3)
            transport = session._transport
            assert transport is not None
            write = transport.write
            transport.write = lambda data: (writes.append(len(data)), write(data))[1]  # type: ignore[method-assign]
            for stream_id in (1, 3):
                peer.machine.send_accept(stream_id)
                peer.machine.send_data(stream_id, b"hello")
            peer.send()
            await until(lambda: writes)
            assert writes == [4 * (12 + 5)]

    run(test)


def test_who_opened_a_stream_need_not_wait_for_its_answer() -> None:
    async def test() -> None:
        async with by_hand() as (session, peer):
            transport, stream = session.open(Recorder)
            transport.write(b"early")
            assert await peer.receive() == StreamOpened(1)
            peer.machine.send_accept(1)
            peer.machine.send_data(1, b"answer")
            peer.send()
            await until(lambda: stream.data == b"answer")

    run(test)

def test_grpc_runs_over_a_stream() -> None:
    """Our Channel and our Server, on protocols that know nothing of sessions."""

    async def reply(stream: object) -> None:
        request = await stream.recv_message()  # type: ignore[attr-defined]
        await stream.send_message(Note(text=request.text * 2))  # type: ignore[attr-defined]

    async def test() -> None:
        async with connected() as (client, server):
            application = aio.Server([Probe(unary=reply)])
            channel = aio.Channel("unused", 0)

            async def connect() -> object:
                return client.open(channel.new_link)[1]

            channel._create_connection = connect  # type: ignore[method-assign, assignment]
            accepting = asyncio.create_task(server.accept(application.new_link))
            answer = await ProbeStub(channel).Unary(Note(text="ab" * 500_000))
            assert answer.text == "ab" * 1_000_000
            await accepting
            channel.close()
            await until(lambda: not server._streams)

    run(test)
