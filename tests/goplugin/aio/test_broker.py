"""Two brokers over a real connection: what one side accepts the other dials, whoever is the host."""
from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import ssl
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from grpclib.exceptions import GRPCError, StreamTerminatedError

from goplugin.aio import Channel
from goplugin.aio.broker import Broker
from goplugin.aio.broker_plain import PlainBroker
from goplugin.aio.plugin_server import PluginServer
from goplugin.aio.services import BrokerService
from goplugin.core import broker as core
from goplugin.core.environ import PluginEnvironment
from goplugin.core.errors import BrokerTimeout, ConfigError, PluginLostError, RemoteProtocolError
from goplugin.core.messages import START_STREAM_PATH, ConnInfo, Knock
from goplugin.plugin import Method, Streams
from goplugin.transport import listen
from tests.support import requirement

from .support import Note, Probe, ProbeStub

BROKERS = pytest.mark.parametrize("accepting", ["host", "plugin"])
SECONDS = 20.0


class Contexts(NamedTuple):
    """One side's, for what it accepts and for what it dials."""

    server: ssl.SSLContext | None = None
    client: ssl.SSLContext | None = None


NO_TLS = Contexts()


class Pair(NamedTuple):
    """The two sides of one plugin connection; `directory` is where both listen, `address` the plugin's own socket."""

    host: Broker
    plugin: Broker
    channel: Channel
    server: PluginServer
    directory: Path
    address: str

    def sides(self, accepting: str) -> tuple[Broker, Broker]:
        """The broker that accepts, and the other."""
        return (self.host, self.plugin) if accepting == "host" else (self.plugin, self.host)

    @property
    def brokered(self) -> list[str]:
        """The sockets of what has been accepted."""
        return [str(path) for path in self.directory.iterdir() if str(path) != self.address]


@contextlib.asynccontextmanager
async def connected(
    directory: Path, *, services: list[Any] | None = None, host_tls: Contexts = NO_TLS, plugin_tls: Contexts = NO_TLS
) -> AsyncIterator[Pair]:
    """A host's broker and a plugin's; afterwards both are closed, and no task of theirs is left."""
    environment = PluginEnvironment(socket_dir=str(directory))
    host = PlainBroker(environment, server_tls=host_tls.server, client_tls=host_tls.client)
    plugin = PlainBroker(environment, server_tls=plugin_tls.server, client_tls=plugin_tls.client)
    with listen(environment) as listener:
        server = PluginServer([BrokerService(plugin)] if services is None else services)
        await server.start(sock=listener.socket)
        channel = Channel(path=listener.address)
        host.open(channel)
        try:
            yield Pair(host, plugin, channel, server, directory, listener.address)
        finally:
            await host.close()
            channel.close()
            await plugin.close()
            await server.end(SECONDS)
    await wait_until(lambda: len(asyncio.all_tasks()) == 1)


async def wait_until(condition: Callable[[], object]) -> None:
    """For what no event tells of."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.002)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits five seconds waits a tenth of one."""
    monkeypatch.setattr(core, "PENDING_SECONDS", 0.1)


class Plain(Probe):
    """A service with a plain method, which runs on a thread."""

    def Unary(self, request: Any, context: Any) -> Any:  # type: ignore[override]
        return Note(text=f"{request.text} back")


async def echo(stream: Any) -> None:
    request = await stream.recv_message()
    await stream.send_message(Note(text=f"{request.text} back"))


async def call(channel: Any, text: str) -> str:
    reply = await ProbeStub(channel).Unary(Note(text=text), timeout=SECONDS)
    return reply.text


# --- a connection ----------------------------------------------------------------------------------------------------


@requirement("gp.broker.plain", "gp.broker.callback")
@pytest.mark.parametrize("service", [Probe(echo), Plain()], ids=["coroutines", "plain"])
@BROKERS
def test_what_one_side_serves_the_other_calls(tmp_path: Path, accepting: str, service: Probe) -> None:
    async def main() -> None:
        async with connected(tmp_path) as pair:
            accepting_side, dialling_side = pair.sides(accepting)
            async with (
                accepting_side.accept_and_serve(accepting_side.next_id(), [service]) as served,
                await dialling_side.dial(served.service_id) as channel,
            ):
                assert served.service_id == 1
                assert await call(channel, "there") == "there back"

    asyncio.run(main())


@requirement("gp.broker.plain")
@BROKERS
def test_a_dial_may_come_before_the_other_side_accepts(tmp_path: Path, accepting: str) -> None:
    async def main() -> None:
        async with connected(tmp_path) as pair:
            accepting_side, dialling_side = pair.sides(accepting)
            dialling = asyncio.create_task(dialling_side.dial(7))
            await wait_until(lambda: dialling_side._dials)

            async with accepting_side.accept_and_serve(7, [Probe(echo)]), await dialling as channel:
                assert await call(channel, "late") == "late back"

    asyncio.run(main())


@requirement("gp.broker.callback")
def test_a_method_of_the_plugin_calls_the_host_back_while_it_runs(tmp_path: Path) -> None:
    class Callback(Probe):
        async def Unary(self, stream: Any) -> None:
            request = await stream.recv_message()
            async with await plugin.dial(int(request.text)) as channel:
                await stream.send_message(Note(text=await call(channel, "from the plugin")))

    async def main() -> None:
        nonlocal plugin
        plugin = PlainBroker(PluginEnvironment(socket_dir=str(tmp_path)))
        async with (
            connected(tmp_path, services=[BrokerService(plugin), Callback()]) as pair,
            pair.host.accept_and_serve(pair.host.next_id(), [Probe(echo)]) as served,
        ):
            assert await call(pair.channel, str(served.service_id)) == "from the plugin back"

    plugin: Any = None
    asyncio.run(main())


@requirement("gp.broker.plain")
@BROKERS
def test_many_connections_are_told_apart(tmp_path: Path, accepting: str) -> None:
    def named(name: str) -> Probe:
        async def method(stream: Any) -> None:
            await stream.recv_message()
            await stream.send_message(Note(text=name))

        return Probe(method)

    async def main() -> None:
        async with connected(tmp_path) as pair, contextlib.AsyncExitStack() as stack:
            accepting_side, dialling_side = pair.sides(accepting)
            ids = [accepting_side.next_id() for _ in range(10)]
            for service_id in ids:
                await stack.enter_async_context(accepting_side.accept_and_serve(service_id, [named(str(service_id))]))
            for service_id in reversed(ids):
                channel = await stack.enter_async_context(await dialling_side.dial(service_id))
                assert await call(channel, "?") == str(service_id)

    asyncio.run(main())


def test_a_bare_listener_is_the_callers(tmp_path: Path) -> None:
    async def main() -> None:
        async with connected(tmp_path) as pair:
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


# --- what does not come about ----------------------------------------------------------------------------------------


@requirement("gp.broker.plain")
@BROKERS
def test_a_dial_that_nobody_accepts_times_out(tmp_path: Path, accepting: str, impatient: None) -> None:
    async def main() -> None:
        async with connected(tmp_path) as pair:
            _, dialling_side = pair.sides(accepting)
            with pytest.raises(BrokerTimeout, match=r"^timeout waiting for connection info$"):
                await dialling_side.dial(1)

    asyncio.run(main())


@requirement("gp.broker.plain")
def test_an_announcement_serves_one_dial(tmp_path: Path, impatient: None) -> None:
    async def main() -> None:
        async with connected(tmp_path) as pair, pair.host.accept_and_serve(1, [Probe(echo)]):
            (await pair.plugin.dial(1)).close()
            with pytest.raises(BrokerTimeout):
                await pair.plugin.dial(1)

    asyncio.run(main())


def test_a_cancelled_dial_leaves_the_announcement_to_the_next(tmp_path: Path) -> None:
    async def main() -> None:
        async with connected(tmp_path) as pair:
            dialling = asyncio.create_task(pair.plugin.dial(1))
            await wait_until(lambda: pair.plugin._dials)
            dialling.cancel()
            await asyncio.wait([dialling])

            async with pair.host.accept_and_serve(1, [Probe(echo)]), await pair.plugin.dial(1) as channel:
                assert await call(channel, "x") == "x back"

    asyncio.run(main())


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
        async with connected(tmp_path, services=[Foreign(ConnInfo(1, "udp", "host:1"))]) as pair:
            with pytest.raises(RemoteProtocolError, match=r"^unknown address type: host:1$"):
                await pair.host.dial(1)

    asyncio.run(main())


def test_an_announcement_where_nobody_listens_fails_the_first_call(tmp_path: Path) -> None:
    async def main() -> None:
        messages = ConnInfo(1, "unix", str(tmp_path / "nobody")), ConnInfo(2, "tcp", "[::1]:1")
        async with connected(tmp_path, services=[Foreign(*messages)]) as pair:
            for service_id in 1, 2:
                async with await pair.host.dial(service_id) as channel:
                    with pytest.raises(OSError):
                        await call(channel, "x")

    asyncio.run(main())


def test_a_peer_that_breaks_the_protocol_loses_the_broker_and_nothing_else(tmp_path: Path) -> None:
    async def main() -> None:
        services = [Foreign(ConnInfo(1, "unix", "/" * 5000)), Probe(echo)]
        async with connected(tmp_path, services=services) as pair:
            with pytest.raises(PluginLostError, match="broker closed"):
                await pair.host.dial(1)
            assert await call(pair.channel, "still there?") == "still there? back"

    asyncio.run(main())


@pytest.mark.parametrize("service", [Probe(echo), Foreign()], ids=["none", "one that ends"])
def test_a_plugin_without_a_broker_is_no_trouble_until_somebody_uses_it(tmp_path: Path, service: Any) -> None:
    async def main() -> None:
        async with connected(tmp_path, services=[service]) as pair:
            with pytest.raises(PluginLostError, match="broker closed"):
                await pair.host.dial(1)
            with pytest.raises(PluginLostError, match="broker closed"):
                pair.host.accept_and_serve(1, [Probe(echo)])
            assert pair.brokered == []

    asyncio.run(main())


def test_a_plugin_that_cannot_be_reached_has_no_broker(tmp_path: Path) -> None:
    async def main() -> None:
        broker = PlainBroker(PluginEnvironment(socket_dir=str(tmp_path)))
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
        async with connected(tmp_path, services=[foreign]) as pair:
            with pytest.raises(BrokerTimeout):
                await pair.host.dial(1)

    asyncio.run(main())


def test_where_nothing_can_listen_nothing_is_announced(tmp_path: Path) -> None:
    async def main() -> None:
        broker = PlainBroker(PluginEnvironment(socket_dir=str(tmp_path / "nowhere")))
        with pytest.raises(ConfigError, match="no such file or directory"):
            broker.accept_and_serve(1, [Probe(echo)])
        await broker.close()

    asyncio.run(main())


# --- the end ---------------------------------------------------------------------------------------------------------


@requirement("gp.broker.close")
@BROKERS
def test_closing_what_is_served_hangs_up_and_removes_its_socket(tmp_path: Path, accepting: str) -> None:
    async def main() -> None:
        async with connected(tmp_path) as pair:
            accepting_side, dialling_side = pair.sides(accepting)
            served = accepting_side.accept_and_serve(1, [Probe(echo)])
            async with await dialling_side.dial(1) as channel:
                await call(channel, "x")
                assert len(pair.brokered) == 1

                await served.close()
                await served.close()

                assert pair.brokered == []
                with pytest.raises((OSError, StreamTerminatedError, GRPCError)):
                    await call(channel, "x")

    asyncio.run(main())


def test_what_is_served_ends_although_whoever_closes_it_is_cancelled(tmp_path: Path) -> None:
    async def main() -> None:
        async with connected(tmp_path) as pair:
            served = pair.host.accept_and_serve(1, [Probe(echo)])
            closing = asyncio.create_task(served.close())
            await asyncio.sleep(0)
            closing.cancel()
            await asyncio.wait([closing])
            await wait_until(lambda: not pair.host._served)
            assert pair.brokered == []

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
                await wait_until(lambda: pair.brokered == [])
                for broker in pair.sides(accepting):
                    with pytest.raises(PluginLostError, match="broker closed"):
                        broker.accept(3)

    asyncio.run(main())


@requirement("gp.broker.close")
def test_a_plugin_that_dies_closes_the_hosts_broker(tmp_path: Path) -> None:
    async def main() -> None:
        async with connected(tmp_path) as pair:
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
        broker = PlainBroker(PluginEnvironment(socket_dir=str(tmp_path)))
        broker.accept_and_serve(1, [Probe(echo)])

        await broker.close()
        await broker.close()

    asyncio.run(main())

    assert list(tmp_path.iterdir()) == []


def test_what_was_accepted_before_the_host_came_is_announced_to_it(tmp_path: Path) -> None:
    async def main() -> None:
        plugin = PlainBroker(PluginEnvironment(socket_dir=str(tmp_path)))
        async with (
            plugin.accept_and_serve(1, [Probe(echo)]),
            connected(tmp_path, services=[BrokerService(plugin)]) as pair,
            await pair.host.dial(1) as channel,
        ):
            assert await call(channel, "early") == "early back"

    asyncio.run(main())


@requirement("gp.broker.close")
def test_a_second_host_takes_the_place_of_the_first(tmp_path: Path) -> None:
    async def main() -> None:
        async with connected(tmp_path) as pair:
            pair.plugin.accept_and_serve(pair.plugin.next_id(), [Probe(echo)])
            (await pair.host.dial(1)).close()
            host = PlainBroker(PluginEnvironment(socket_dir=str(tmp_path)))
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


def test_nothing_is_left_of_many_connections(tmp_path: Path) -> None:
    def open_files() -> int:
        gc.collect()
        return len(os.listdir("/proc/self/fd"))

    async def connect_both_ways(pair: Pair) -> None:
        for side in "host", "plugin":
            accepting_side, dialling_side = pair.sides(side)
            async with (
                accepting_side.accept_and_serve(accepting_side.next_id(), [Probe(echo)]) as served,
                await dialling_side.dial(served.service_id) as channel,
            ):
                await call(channel, "x")

    async def main() -> None:
        async with connected(tmp_path) as pair:
            await connect_both_ways(pair)
            before = open_files(), len(asyncio.all_tasks())
            for _ in range(20):
                await connect_both_ways(pair)

            await wait_until(lambda: open_files() <= before[0])
            await wait_until(lambda: len(asyncio.all_tasks()) <= before[1])

    asyncio.run(main())
