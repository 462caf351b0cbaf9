"""Two brokers in plain mode: what is announced, and where it leads."""
from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import Any

import pytest
from grpclib.config import Configuration
from grpclib.exceptions import StreamTerminatedError

from goplugin.aio import Channel
from goplugin.aio.broker_plain import PlainBroker
from goplugin.aio.services import BrokerService
from goplugin.core.environ import PluginEnvironment
from goplugin.core.errors import BrokerTimeout, ConfigError, PluginLostError, RemoteProtocolError
from goplugin.core.messages import START_STREAM_PATH, ConnInfo, Knock
from goplugin.plugin import Method, Streams
from goplugin.reach import Reach
from goplugin.tls import NAME, client_context
from tests.support import requirement

from ..broker_support import OF_HOST, OF_PLUGIN
from ..tls_support import HOST, PLUGIN, STRANGER
from .broker_support import SECONDS, call, echo, plain, wait_until
from .support import Probe


def test_a_bare_listener_is_the_callers(tmp_path: Path) -> None:
    async def main() -> None:
        async with plain(tmp_path) as pair:
            with pair.host.accept(3) as listener:
                listener.socket.setblocking(False)
                channel = await pair.plugin.dial(3)
                calling = asyncio.create_task(call(channel, "x"))
                connection, _ = await asyncio.get_running_loop().sock_accept(listener.socket)
                with connection:
                    assert await asyncio.get_running_loop().sock_recv(connection, 3) == b"PRI"
                channel.close()
                with pytest.raises(StreamTerminatedError):
                    await calling

    asyncio.run(main())


@requirement("gp.broker.plain")
def test_an_announcement_serves_one_dial(tmp_path: Path, impatient: None) -> None:
    async def main() -> None:
        async with plain(tmp_path) as pair, pair.host.accept_and_serve(1, [Probe(echo)]):
            (await pair.plugin.dial(1)).close()
            with pytest.raises(BrokerTimeout):
                await pair.plugin.dial(1)

    asyncio.run(main())


@requirement("gp.tls.auto")
def test_a_stranger_is_not_served_and_not_called(tmp_path: Path) -> None:
    async def main() -> None:
        async with (
            plain(tmp_path, host_tls=OF_HOST, plugin_tls=OF_PLUGIN) as pair,
            pair.host.accept_and_serve(1, [Probe(echo)]),
        ):
            [address] = pair.brokered
            config = Configuration(ssl_target_name_override=NAME)
            async with Channel(
                path=address, ssl=client_context(STRANGER, HOST.certificate), config=config
            ) as stranger:
                with pytest.raises((StreamTerminatedError, OSError)):
                    await call(stranger, "let me in")
            async with Channel(path=address, ssl=client_context(PLUGIN, STRANGER.certificate), config=config) as wary:
                with pytest.raises(ssl.SSLCertVerificationError):
                    await call(wary, "who are you?")

    asyncio.run(main())


# --- what does not come about ----------------------------------------------------------------------------------------


class Foreign:
    """Another side's StartStream, which says what a test wants, and stays, or ends if there is nothing."""

    def __init__(self, *messages: ConnInfo) -> None:
        self._messages = messages

    def __mapping__(self) -> dict[str, Method]:
        return {START_STREAM_PATH: Method(self.start_stream, Streams(True, True), ConnInfo, ConnInfo)}

    async def start_stream(self, stream: Any) -> None:
        for message in self._messages:
            await stream.send_message(message)
        if self._messages:
            await asyncio.Event().wait()


def test_an_announcement_that_makes_no_sense_fails_the_dial(tmp_path: Path) -> None:
    async def main() -> None:
        async with plain(tmp_path, lambda plugin: [Foreign(ConnInfo(1, "udp", "host:1"))]) as pair:
            with pytest.raises(RemoteProtocolError, match=r"^unknown address type: host:1$"):
                await pair.host.dial(1)

    asyncio.run(main())


def test_an_announcement_where_nobody_listens_fails_the_first_call(tmp_path: Path) -> None:
    async def main() -> None:
        messages = ConnInfo(1, "unix", str(tmp_path / "nobody")), ConnInfo(2, "tcp", "[::1]:1")
        async with plain(tmp_path, lambda plugin: [Foreign(*messages)]) as pair:
            for service_id in 1, 2:
                async with await pair.host.dial(service_id) as channel:
                    with pytest.raises(OSError):
                        await call(channel, "x")

    asyncio.run(main())


def test_a_peer_that_breaks_the_protocol_loses_the_broker_and_nothing_else(tmp_path: Path) -> None:
    async def main() -> None:
        services = [Foreign(ConnInfo(1, "unix", "/" * 5000)), Probe(echo)]
        async with plain(tmp_path, lambda plugin: services) as pair:
            with pytest.raises(PluginLostError, match="broker closed"):
                await pair.host.dial(1)
            assert await call(pair.channel, "still there?") == "still there? back"

    asyncio.run(main())


@pytest.mark.parametrize("service", [Probe(echo), Foreign()], ids=["none", "one that ends"])
def test_a_plugin_without_a_broker_is_no_trouble_until_somebody_uses_it(tmp_path: Path, service: Any) -> None:
    async def main() -> None:
        async with plain(tmp_path, lambda plugin: [service]) as pair:
            with pytest.raises(PluginLostError, match="broker closed"):
                await pair.host.dial(1)
            with pytest.raises(PluginLostError, match="broker closed"):
                pair.host.accept_and_serve(1, [Probe(echo)])
            assert pair.brokered == []

    asyncio.run(main())


def test_a_plugin_that_cannot_be_reached_has_no_broker(tmp_path: Path) -> None:
    async def main() -> None:
        broker = PlainBroker(Reach(PluginEnvironment(socket_dir=str(tmp_path))))
        channel = Channel(path=str(tmp_path / "nobody"))
        broker.open(channel)
        with pytest.raises(PluginLostError, match="broker closed"):
            await broker.dial(1)
        await broker.close()
        channel.close()

    asyncio.run(main())


def test_nobody_hears_a_knock(tmp_path: Path, impatient: None) -> None:
    async def main() -> None:
        foreign = Foreign(ConnInfo(1, knock=Knock(knock=True)))
        async with plain(tmp_path, lambda plugin: [foreign]) as pair:
            with pytest.raises(BrokerTimeout):
                await pair.host.dial(1)

    asyncio.run(main())


def test_where_nothing_can_listen_nothing_is_announced(tmp_path: Path) -> None:
    async def main() -> None:
        broker = PlainBroker(Reach(PluginEnvironment(socket_dir=str(tmp_path / "nowhere"))))
        with pytest.raises(ConfigError, match="no such file or directory"):
            broker.accept_and_serve(1, [Probe(echo)])
        await broker.close()

    asyncio.run(main())


# --- the end ---------------------------------------------------------------------------------------------------------


def test_what_is_served_ends_although_whoever_closes_it_is_cancelled(tmp_path: Path) -> None:
    async def main() -> None:
        async with plain(tmp_path) as pair:
            served = pair.host.accept_and_serve(1, [Probe(echo)])
            closing = asyncio.create_task(served.close())
            await asyncio.sleep(0)
            closing.cancel()
            await asyncio.wait([closing])
            await wait_until(lambda: not pair.host._served)
            assert pair.brokered == []

    asyncio.run(main())


@requirement("gp.broker.close")
def test_a_plugin_that_dies_closes_the_hosts_broker(tmp_path: Path) -> None:
    async def main() -> None:
        async with plain(tmp_path) as pair:
            pair.host.accept_and_serve(1, [Probe(echo)])
            (await pair.plugin.dial(1)).close()
            dialling = asyncio.create_task(pair.host.dial(1))
            await wait_until(lambda: pair.host._dials)

            await pair.server.end(SECONDS)

            with pytest.raises(PluginLostError, match="broker closed"):
                await dialling
            await wait_until(lambda: pair.brokered == [])

    asyncio.run(main())


def test_a_broker_that_was_never_connected_can_be_closed_and_what_it_serves_ends(tmp_path: Path) -> None:
    async def main() -> None:
        broker = PlainBroker(Reach(PluginEnvironment(socket_dir=str(tmp_path))))
        broker.accept_and_serve(1, [Probe(echo)])

        await broker.close()
        await broker.close()

    asyncio.run(main())

    assert list(tmp_path.iterdir()) == []


def test_what_was_accepted_before_the_host_came_is_announced_to_it(tmp_path: Path) -> None:
    async def main() -> None:
        def services(plugin: Any) -> list[Any]:
            plugin.accept_and_serve(1, [Probe(echo)])
            return [BrokerService(plugin)]

        async with plain(tmp_path, services) as pair, await pair.host.dial(1) as channel:
            assert await call(channel, "early") == "early back"

    asyncio.run(main())


@requirement("gp.broker.close")
def test_a_second_host_takes_the_place_of_the_first(tmp_path: Path) -> None:
    async def main() -> None:
        async with plain(tmp_path) as pair:
            pair.plugin.accept_and_serve(pair.plugin.next_id(), [Probe(echo)])
            (await pair.host.dial(1)).close()
            host = PlainBroker(Reach(PluginEnvironment(socket_dir=str(tmp_path))))
            async with Channel(path=pair.address) as main_channel:
                host.open(main_channel)
                with pytest.raises(PluginLostError, match="broker closed"):
                    await pair.host.dial(99)
                await wait_until(lambda: pair.brokered == [] and not pair.plugin._machine.closed)
                async with pair.plugin.accept_and_serve(pair.plugin.next_id(), [Probe(echo)]) as served:
                    assert served.service_id == 2
                    async with await host.dial(2) as channel:
                        assert await call(channel, "new") == "new back"
                await host.close()

    asyncio.run(main())
