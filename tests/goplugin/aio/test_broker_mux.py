"""Two brokers over one yamux session: what one side accepts the other dials, whoever is the host."""
from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from grpclib.exceptions import GRPCError, StreamTerminatedError

from goplugin.aio.broker_mux import MultiplexedBroker, accept_session, connect_session
from goplugin.aio.plugin_server import PluginServer
from goplugin.aio.services import BrokerService
from goplugin.core import broker as core
from goplugin.core.broker import BrokerEvent
from goplugin.core.environ import PluginEnvironment
from goplugin.core.errors import BrokerTimeout, LocalProtocolError, PluginLostError
from goplugin.mux import Session
from goplugin.tls import client_context, server_context
from goplugin.transport import listen
from tests.support import requirement

from ..tls_support import HOST, STRANGER
from .support import Note, Probe
from .test_broker import BROKERS, NO_TLS, SECONDS, Contexts, call, echo, wait_until
from .test_broker_tls import OF_HOST, OF_PLUGIN


class Pair(NamedTuple):
    """The two sides of one plugin connection."""

    host: MultiplexedBroker
    plugin: MultiplexedBroker
    channel: Any
    sessions: tuple[Session, Session]

    def sides(self, accepting: str) -> tuple[MultiplexedBroker, MultiplexedBroker]:
        """The broker that accepts, and the other."""
        return (self.host, self.plugin) if accepting == "host" else (self.plugin, self.host)


@contextlib.asynccontextmanager
async def connected(
    directory: Path, *services: Any, host_tls: Contexts = NO_TLS, plugin_tls: Contexts = NO_TLS
) -> AsyncGenerator[Pair]:
    """A host's broker and a plugin's; afterwards everything is closed, and no task is left."""
    host = MultiplexedBroker(server_tls=host_tls.server, client_tls=host_tls.client)
    plugin = MultiplexedBroker(server_tls=plugin_tls.server, client_tls=plugin_tls.client)
    server = PluginServer([BrokerService(plugin), *services])
    listener = listen(PluginEnvironment(socket_dir=str(directory)))
    far, near = await asyncio.gather(accept_session(listener), connect_session(listener.network, listener.address))
    tasks = plugin.start(far, server), host.start(near)
    channel = host.main_channel()
    host.open(channel)
    try:
        yield Pair(host, plugin, channel, (near, far))
    finally:
        await host.close()
        channel.close()
        await plugin.close()
        await server.end(SECONDS)
        near.close()
        far.close()
        await asyncio.wait_for(asyncio.gather(*tasks, near.wait_closed(), far.wait_closed()), SECONDS)
    await wait_until(lambda: len(asyncio.all_tasks()) == 1)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits five seconds waits a tenth of one."""
    monkeypatch.setattr(core, "PENDING_SECONDS", 0.1)


# --- a connection ----------------------------------------------------------------------------------------------------


@requirement("gp.broker.mux", "gp.broker.callback")
@BROKERS
def test_what_one_side_serves_the_other_calls(tmp_path: Path, accepting: str) -> None:
    async def main() -> None:
        async with connected(tmp_path) as pair:
            accepting_side, dialling_side = pair.sides(accepting)
            async with (
                accepting_side.accept_and_serve(accepting_side.next_id(), [Probe(echo)]) as served,
                await dialling_side.dial(served.service_id) as channel,
            ):
                assert served.service_id == 1
                assert await call(channel, "there") == "there back"

    asyncio.run(main(), debug=True)


@requirement("gp.broker.mux")
@BROKERS
def test_with_certificates_both_ends_of_every_stream_prove_who_they_are(tmp_path: Path, accepting: str) -> None:
    async def main() -> None:
        async with connected(tmp_path, host_tls=OF_HOST, plugin_tls=OF_PLUGIN) as pair:
            accepting_side, dialling_side = pair.sides(accepting)
            async with (
                accepting_side.accept_and_serve(1, [Probe(echo)]),
                await dialling_side.dial(1) as channel,
            ):
                assert await call(channel, "safe") == "safe back"

    asyncio.run(main(), debug=True)


@requirement("gp.broker.mux")
@BROKERS
def test_an_id_may_be_dialled_again(tmp_path: Path, accepting: str) -> None:
    async def main() -> None:
        async with connected(tmp_path) as pair:
            accepting_side, dialling_side = pair.sides(accepting)
            async with accepting_side.accept_and_serve(1, [Probe(echo)]):
                for text in "first", "second", "third":
                    async with await dialling_side.dial(1) as channel:
                        assert await call(channel, text) == f"{text} back"

    asyncio.run(main())


@BROKERS
def test_a_channel_whose_connection_is_lost_knocks_again(tmp_path: Path, accepting: str) -> None:
    async def main() -> None:
        async with connected(tmp_path) as pair:
            accepting_side, dialling_side = pair.sides(accepting)
            served = accepting_side.accept_and_serve(1, [Probe(echo)])
            async with await dialling_side.dial(1) as channel:
                assert await call(channel, "first") == "first back"
                await served.close()
                await wait_until(lambda: channel.link is None)
                async with accepting_side.accept_and_serve(1, [Probe(echo)]):
                    assert await call(channel, "second") == "second back"

    asyncio.run(main())


@BROKERS
def test_a_dial_may_come_before_the_other_side_accepts(tmp_path: Path, accepting: str) -> None:
    async def main() -> None:
        async with connected(tmp_path) as pair:
            accepting_side, dialling_side = pair.sides(accepting)
            dialling = asyncio.create_task(dialling_side.dial(7))
            await wait_until(lambda: 7 in accepting_side._multiplexed._knocks)

            async with accepting_side.accept_and_serve(7, [Probe(echo)]), await dialling as channel:
                assert await call(channel, "late") == "late back"

    asyncio.run(main())


@requirement("gp.broker.mux")
def test_many_dials_at_once_are_told_apart(tmp_path: Path) -> None:
    def named(name: str) -> Probe:
        async def method(stream: Any) -> None:
            await stream.recv_message()
            await stream.send_message(Note(text=name))

        return Probe(method)

    async def main() -> None:
        async with connected(tmp_path) as pair, contextlib.AsyncExitStack() as stack:
            dialling = []
            for accepting_side, dialling_side in (pair.sides("host"), pair.sides("plugin")):
                ids = [accepting_side.next_id() for _ in range(10)]
                for service_id in ids:
                    served = accepting_side.accept_and_serve(service_id, [named(str(service_id))])
                    await stack.enter_async_context(served)
                dialling += [(service_id, asyncio.create_task(dialling_side.dial(service_id))) for service_id in ids]
            for service_id, task in reversed(dialling):
                assert await call(await stack.enter_async_context(await task), "?") == str(service_id)

    asyncio.run(main())


def test_a_stream_that_nobody_knocked_for_is_another_main_connection(tmp_path: Path) -> None:
    async def main() -> None:
        async with connected(tmp_path, Probe(echo)) as pair, pair.host.main_channel() as other:
            assert await call(other, "main") == "main back"
            assert await call(pair.channel, "main") == "main back"

    asyncio.run(main())


def test_a_host_hangs_up_on_a_stream_that_it_does_not_expect(tmp_path: Path) -> None:
    async def main() -> None:
        async with connected(tmp_path) as pair:
            reader = asyncio.StreamReader()
            pair.sessions[1].open(lambda: asyncio.StreamReaderProtocol(reader))
            assert await reader.read() == b""

    asyncio.run(main())


# --- what does not come about ----------------------------------------------------------------------------------------


@requirement("gp.broker.mux")
@BROKERS
def test_a_dial_that_nobody_accepts_times_out(tmp_path: Path, accepting: str, impatient: None) -> None:
    text = "^failed to knock before dialling client: timeout waiting for multiplexing knock handshake on id 1$"

    async def main() -> None:
        async with connected(tmp_path) as pair:
            _, dialling_side = pair.sides(accepting)
            with pytest.raises(BrokerTimeout, match=text):
                await dialling_side.dial(1)

    asyncio.run(main())


@BROKERS
def test_the_stream_of_a_dial_that_was_cancelled_is_opened_and_closed(tmp_path: Path, accepting: str) -> None:
    async def main() -> None:
        async with connected(tmp_path) as pair:
            accepting_side, dialling_side = pair.sides(accepting)
            dialling = asyncio.create_task(dialling_side.dial(1))
            await wait_until(lambda: 1 in accepting_side._multiplexed._knocks)
            dialling.cancel()
            await asyncio.wait([dialling])

            async with accepting_side.accept_and_serve(1, [Probe(echo)]), await dialling_side.dial(1) as channel:
                assert await call(channel, "next") == "next back"
            assert not dialling_side._granted

    asyncio.run(main())


def test_a_dial_that_is_cancelled_when_its_stream_is_there_closes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        async with connected(tmp_path) as pair, pair.host.accept_and_serve(1, [Probe(echo)]):
            take = pair.plugin._take

            def cancel(event: BrokerEvent) -> None:
                take(event)
                dialling.cancel()

            monkeypatch.setattr(pair.plugin, "_take", cancel)
            dialling = asyncio.create_task(pair.plugin.dial(1))
            await asyncio.wait([dialling])

            assert dialling.cancelled()
            assert not pair.plugin._granted
            await wait_until(lambda: len(pair.sessions[1]._streams) == 1)

    asyncio.run(main())


def test_an_id_is_accepted_once_at_a_time(tmp_path: Path) -> None:
    async def main() -> None:
        async with connected(tmp_path) as pair:
            async with pair.host.accept_and_serve(1, [Probe(echo)]):
                with pytest.raises(LocalProtocolError, match="accepted already"):
                    pair.host.accept_and_serve(1, [Probe(echo)])
            await pair.host.accept_and_serve(1, [Probe(echo)]).close()

    asyncio.run(main())


def test_a_stranger_is_not_called_and_not_served(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    stranger = Contexts(server_context(STRANGER, HOST.certificate), client_context(STRANGER, HOST.certificate))

    async def main() -> None:
        async with (
            connected(tmp_path, host_tls=OF_HOST, plugin_tls=OF_PLUGIN) as pair,
            pair.host.accept_and_serve(1, [Probe(echo)]),
            pair.plugin.accept_and_serve(1, [Probe(echo)]),
        ):
            pair.plugin._client_tls = stranger.client
            with pytest.raises((PluginLostError, OSError, StreamTerminatedError)):
                async with await pair.plugin.dial(1) as channel:
                    await call(channel, "let me in")
            pair.plugin._server_tls = stranger.server
            with pytest.raises(PluginLostError, match="certificate verify failed"):
                await pair.host.dial(1)

    with caplog.at_level(logging.WARNING, "goplugin.server"):
        asyncio.run(main())
    assert "connection refused: authentication handshake failed: tls: failed to verify certificate: " in caplog.text


def test_a_plugin_whose_host_does_not_come_gives_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        monkeypatch.setattr("goplugin.aio.broker_mux.CONNECT_SECONDS", 0.05)
        listener = listen(PluginEnvironment(socket_dir=str(tmp_path)))

        with pytest.raises(BrokerTimeout, match="timed out waiting for connection to be established"):
            await accept_session(listener)

    asyncio.run(main())
    assert not list(tmp_path.iterdir())


def test_a_host_whose_plugin_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(PluginLostError, match=r"connection error: dial unix .*: No such file or directory"):
        asyncio.run(connect_session("unix", str(tmp_path / "nobody")))


# --- the end ---------------------------------------------------------------------------------------------------------


@requirement("gp.broker.close")
@BROKERS
def test_closing_what_is_served_hangs_up_and_takes_no_more(tmp_path: Path, accepting: str, impatient: None) -> None:
    async def main() -> None:
        async with connected(tmp_path) as pair:
            accepting_side, dialling_side = pair.sides(accepting)
            served = accepting_side.accept_and_serve(1, [Probe(echo)])
            async with await dialling_side.dial(1) as channel:
                await call(channel, "x")

                await served.close()
                await served.close()

                with pytest.raises((PluginLostError, GRPCError, StreamTerminatedError)):
                    await call(channel, "x")
                with pytest.raises(BrokerTimeout):
                    await dialling_side.dial(1)

    asyncio.run(main())


@requirement("gp.broker.close")
@BROKERS
def test_with_the_host_goes_what_both_sides_serve(tmp_path: Path, accepting: str) -> None:
    async def main() -> None:
        async with connected(tmp_path) as pair:
            accepting_side, dialling_side = pair.sides(accepting)
            accepting_side.accept_and_serve(1, [Probe(echo)])
            async with await dialling_side.dial(1):
                dialling = asyncio.create_task(dialling_side.dial(2))
                await wait_until(lambda: dialling_side._dials)

                await pair.host.close()

                with pytest.raises(PluginLostError, match="broker closed"):
                    await dialling
                await wait_until(lambda: not accepting_side._served)
                for broker in pair.sides(accepting):
                    with pytest.raises(PluginLostError, match="broker closed"):
                        broker.accept_and_serve(3, [Probe(echo)])

    asyncio.run(main())


@requirement("gp.broker.close")
@BROKERS
def test_when_the_session_ends_everything_does(tmp_path: Path, accepting: str) -> None:
    async def main() -> None:
        async with connected(tmp_path) as pair:
            accepting_side, dialling_side = pair.sides(accepting)
            accepting_side.accept_and_serve(1, [Probe(echo)])
            async with await dialling_side.dial(1) as channel:
                pair.sessions[accepting == "host"].close()

                with pytest.raises((PluginLostError, GRPCError, StreamTerminatedError, OSError)):
                    await call(channel, "x")
                await wait_until(lambda: not accepting_side._served)
                with pytest.raises(PluginLostError):
                    await dialling_side.dial(1)
                with pytest.raises(OSError):
                    await call(pair.channel, "x")

    asyncio.run(main())


def test_nothing_is_left_of_many_connections(tmp_path: Path) -> None:
    async def main() -> None:
        async with connected(tmp_path) as pair:
            for _ in range(20):
                for side in "host", "plugin":
                    accepting_side, dialling_side = pair.sides(side)
                    async with (
                        accepting_side.accept_and_serve(accepting_side.next_id(), [Probe(echo)]) as served,
                        await dialling_side.dial(served.service_id) as channel,
                    ):
                        await call(channel, "x")
            for session in pair.sessions:
                await wait_until(lambda session=session: len(session._streams) == 1)

    asyncio.run(main())
