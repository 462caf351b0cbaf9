"""Two brokers in multiplexed mode: their streams, and the session that carries them."""
from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest
from grpclib.exceptions import GRPCError, StreamTerminatedError

from goplugin.aio.broker_mux import accept_session, connect_session
from goplugin.aio.services import BrokerService
from goplugin.core.broker import BrokerEvent
from goplugin.core.environ import PluginEnvironment
from goplugin.core.errors import BrokerTimeout, LocalProtocolError, PluginLostError
from goplugin.tls import client_context, server_context
from goplugin.transport import listen
from tests.support import requirement

from ..broker_support import BROKERS, OF_HOST, OF_PLUGIN, Contexts
from ..tls_support import HOST, STRANGER
from .broker_support import call, echo, multiplexed, wait_until
from .support import Probe

# --- a connection ----------------------------------------------------------------------------------------------------


@requirement("gp.broker.mux")
@BROKERS
def test_an_id_may_be_dialled_again(tmp_path: Path, accepting: str) -> None:
    async def main() -> None:
        async with multiplexed(tmp_path) as pair:
            accepting_side, dialling_side = pair.sides(accepting)
            async with accepting_side.accept_and_serve(1, [Probe(echo)]):
                for text in "first", "second", "third":
                    async with await dialling_side.dial(1) as channel:
                        assert await call(channel, text) == f"{text} back"

    asyncio.run(main())


@BROKERS
def test_a_channel_whose_connection_is_lost_knocks_again(tmp_path: Path, accepting: str) -> None:
    async def main() -> None:
        async with multiplexed(tmp_path) as pair:
            accepting_side, dialling_side = pair.sides(accepting)
            served = accepting_side.accept_and_serve(1, [Probe(echo)])
            async with await dialling_side.dial(1) as channel:
                assert await call(channel, "first") == "first back"
                await served.close()
                await wait_until(lambda: channel.link is None)
                async with accepting_side.accept_and_serve(1, [Probe(echo)]):
                    assert await call(channel, "second") == "second back"

    asyncio.run(main())


def test_a_stream_that_nobody_knocked_for_is_another_main_connection(tmp_path: Path) -> None:
    async def main() -> None:
        async with (
            multiplexed(tmp_path, lambda plugin: [BrokerService(plugin), Probe(echo)]) as pair,
            pair.host.main_channel() as other,
        ):
            assert await call(other, "main") == "main back"
            assert await call(pair.channel, "main") == "main back"

    asyncio.run(main())


def test_a_host_hangs_up_on_a_stream_that_it_does_not_expect(tmp_path: Path) -> None:
    async def main() -> None:
        async with multiplexed(tmp_path) as pair:
            reader = asyncio.StreamReader()
            pair.sessions[1].open(lambda: asyncio.StreamReaderProtocol(reader))
            assert await reader.read() == b""

    asyncio.run(main())


# --- what does not come about ----------------------------------------------------------------------------------------


def test_a_dial_that_is_cancelled_when_its_stream_is_there_closes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        async with multiplexed(tmp_path) as pair, pair.host.accept_and_serve(1, [Probe(echo)]):
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
        async with multiplexed(tmp_path) as pair:
            async with pair.host.accept_and_serve(1, [Probe(echo)]):
                with pytest.raises(LocalProtocolError, match="accepted already"):
                    pair.host.accept_and_serve(1, [Probe(echo)])
            await pair.host.accept_and_serve(1, [Probe(echo)]).close()

    asyncio.run(main())


def test_a_stranger_is_not_called_and_not_served(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    stranger = Contexts(server_context(STRANGER, HOST.certificate), client_context(STRANGER, HOST.certificate))

    async def main() -> None:
        async with (
            multiplexed(tmp_path, host_tls=OF_HOST, plugin_tls=OF_PLUGIN) as pair,
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
def test_when_the_session_ends_everything_does(tmp_path: Path, accepting: str) -> None:
    async def main() -> None:
        async with multiplexed(tmp_path) as pair:
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
