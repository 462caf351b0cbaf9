"""Two brokers in plain mode: what is announced, and where it leads."""
from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from goplugin.core.environ import PluginEnvironment
from goplugin.core.errors import BrokerTimeout, ConfigError, PluginLostError, RemoteError, RemoteProtocolError
from goplugin.core.messages import START_STREAM_PATH, ConnInfo, Knock
from goplugin.core.status import Code
from goplugin.plugin import Method, Streams
from goplugin.reach import Reach
from goplugin.sync.broker_plain import PlainBroker
from goplugin.sync.channel import channel_to
from goplugin.sync.services import BrokerService
from goplugin.tls import client_context
from tests.support import requirement

from ..broker_support import OF_HOST, OF_PLUGIN, Pair
from ..tls_support import HOST, PLUGIN, STRANGER
from .broker_support import broker_threads, call, echo, plain
from .support import SECONDS, Probe, background, wait_until


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with plain(tmp_path) as made:
        yield made


def test_a_bare_listener_is_the_callers(pair: Pair) -> None:
    with pair.host.accept(3) as listener:
        assert listener.network == "unix"
        with contextlib.closing(pair.plugin.dial(3)):
            connection, _ = listener.socket.accept()
            with connection:
                assert connection.recv(3) == b"PRI"


@requirement("gp.tls.auto")
def test_a_stranger_is_not_served_and_not_called(tmp_path: Path) -> None:
    with (
        plain(tmp_path, host_tls=OF_HOST, plugin_tls=OF_PLUGIN) as pair,
        pair.host.accept_and_serve(1, [Probe(echo)]),
    ):
        [address] = pair.brokered
        stranger = channel_to("unix", address, tls=client_context(STRANGER, HOST.certificate))
        with contextlib.closing(stranger), pytest.raises(PluginLostError):
            call(stranger, "let me in")
        with pytest.raises(PluginLostError, match="certificate signed by unknown authority"):
            channel_to("unix", address, tls=client_context(PLUGIN, STRANGER.certificate))


# --- what does not come about ----------------------------------------------------------------------------------------


@requirement("gp.broker.plain")
def test_an_announcement_serves_one_dial(pair: Pair, impatient: None) -> None:
    with pair.host.accept_and_serve(1, [Probe(echo)]):
        pair.plugin.dial(1).close()
        with pytest.raises(BrokerTimeout):
            pair.plugin.dial(1)


def test_several_dials_that_wait_do_not_keep_each_other_busy(pair: Pair, impatient: None) -> None:
    began = time.process_time()

    for dial in [background(pair.plugin.dial, service_id) for service_id in range(4)]:
        with pytest.raises(BrokerTimeout):
            dial.result()

    assert time.process_time() - began < 0.09


@pytest.mark.parametrize(
    ("message", "kind", "text"),
    [
        (ConnInfo(1, "udp", "host:1"), RemoteProtocolError, "unknown address type: host:1"),
        (ConnInfo(1, "unix", "/nowhere/at/all"), PluginLostError, "dial unix /nowhere/at/all: No such file"),
        (ConnInfo(1, "unix", "/" + "x" * 200), PluginLostError, "AF_UNIX path too long"),
    ],
)
def test_an_announcement_that_leads_nowhere_fails_the_dial(
    tmp_path: Path, message: ConnInfo, kind: type[Exception], text: str
) -> None:
    with plain(tmp_path, lambda plugin: [Foreign(message)]) as pair, pytest.raises(kind, match=text):
        pair.host.dial(1)


class Foreign:
    """Another side's StartStream, which says what a test wants, and stays, or ends if there is nothing."""

    def __init__(self, *messages: ConnInfo) -> None:
        self._messages = messages

    def __mapping__(self) -> dict[str, Method]:
        return {START_STREAM_PATH: Method(self.start_stream, Streams(True, True), ConnInfo, ConnInfo)}

    def start_stream(self, requests: Any, context: Any) -> Iterator[ConnInfo]:
        yield from self._messages
        if self._messages:
            context.wait_cancelled()


def test_a_peer_that_breaks_the_protocol_loses_the_broker_and_nothing_else(tmp_path: Path) -> None:
    with plain(tmp_path, lambda plugin: [Foreign(ConnInfo(1, "unix", "/" * 5000))]) as pair:
        with pytest.raises(PluginLostError, match="broker closed"):
            pair.host.dial(1)
        with pytest.raises(RemoteError) as caught:
            call(pair.channel, "still there?")
        assert caught.value.code is Code.UNIMPLEMENTED


@pytest.mark.parametrize("service", [Probe(echo), Foreign()], ids=["none", "one that ends"])
def test_a_plugin_without_a_broker_is_no_trouble_until_somebody_uses_it(tmp_path: Path, service: Any) -> None:
    with plain(tmp_path, lambda plugin: [service]) as pair:
        with pytest.raises(PluginLostError, match="broker closed"):
            pair.host.dial(1)
        wait_until(lambda: "goplugin-broker" not in broker_threads())
        with pytest.raises(PluginLostError, match="broker closed"):
            pair.host.accept_and_serve(1, [Probe(echo)])
        assert pair.brokered == []


def test_nobody_hears_a_knock(tmp_path: Path, impatient: None) -> None:
    foreign = Foreign(ConnInfo(1, knock=Knock(knock=True)))
    with plain(tmp_path, lambda plugin: [foreign]) as pair, pytest.raises(BrokerTimeout):
        pair.host.dial(1)


def test_what_cannot_be_served_is_not_announced(pair: Pair, impatient: None) -> None:
    class Asynchronous(Probe):
        async def Unary(self, request: Any, context: Any) -> Any:
            raise AssertionError

    with pytest.raises(ConfigError, match="asynchronous"):
        pair.host.accept_and_serve(1, [Asynchronous()])
    with pytest.raises(BrokerTimeout):
        pair.plugin.dial(1)


def test_where_nothing_can_listen_nothing_is_announced(tmp_path: Path) -> None:
    broker = PlainBroker(Reach(PluginEnvironment(socket_dir=str(tmp_path / "nowhere"))))

    with pytest.raises(ConfigError, match="no such file or directory"):
        broker.accept_and_serve(1, [Probe(echo)])
    broker.close()


# --- the end ---------------------------------------------------------------------------------------------------------


@requirement("gp.broker.close")
def test_a_plugin_that_dies_closes_the_hosts_broker(pair: Pair) -> None:
    pair.host.accept_and_serve(1, [Probe(echo)])
    dialling = background(pair.host.dial, 1)
    wait_until(lambda: pair.host._outcomes)

    pair.server.stop(SECONDS)

    with pytest.raises(PluginLostError, match="broker closed"):
        dialling.result()
    wait_until(lambda: pair.brokered == [])


def test_a_broker_that_was_never_connected_can_be_closed_and_what_it_serves_ends(tmp_path: Path) -> None:
    broker = PlainBroker(Reach(PluginEnvironment(socket_dir=str(tmp_path))))
    broker.accept_and_serve(1, [Probe(echo)])

    broker.close()
    broker.close()

    assert list(tmp_path.iterdir()) == []
    assert not broker_threads()


def test_what_was_accepted_before_the_host_came_is_announced_to_it(tmp_path: Path) -> None:
    def services(plugin: Any) -> list[Any]:
        plugin.accept_and_serve(1, [Probe(echo)])
        return [BrokerService(plugin)]

    with plain(tmp_path, services) as pair, pair.host.dial(1) as channel:
        assert call(channel, "early") == "early back"


@requirement("gp.broker.close")
def test_a_second_host_takes_the_place_of_the_first(pair: Pair) -> None:
    of_the_first = pair.plugin.accept_and_serve(pair.plugin.next_id(), [Probe(echo)])
    pair.host.dial(1).close()
    host = PlainBroker(Reach(PluginEnvironment(socket_dir=str(pair.directory))))

    with contextlib.closing(channel_to("unix", pair.address)) as main:
        host.open(main)
        # The first host hears of it.
        with pytest.raises(PluginLostError, match="broker closed"):
            pair.host.dial(99)
        wait_until(lambda: pair.brokered == [] and not pair.plugin._machine.closed)
        of_the_first.close()
        with pair.plugin.accept_and_serve(pair.plugin.next_id(), [Probe(echo)]) as served:
            assert served.service_id == 2
            with contextlib.closing(host.dial(2)) as channel:
                assert call(channel, "new") == "new back"
        host.close()
