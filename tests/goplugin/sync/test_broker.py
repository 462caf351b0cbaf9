"""Two brokers over a real connection: what one side accepts the other dials, whoever is the host."""
from __future__ import annotations

import contextlib
import gc
import os
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from goplugin.core import broker as core
from goplugin.core.environ import PluginEnvironment
from goplugin.core.errors import BrokerTimeout, ConfigError, PluginLostError, RemoteError, RemoteProtocolError
from goplugin.core.messages import START_STREAM_PATH, ConnInfo, Knock
from goplugin.core.status import Code
from goplugin.plugin import Method, Streams
from goplugin.sync.broker import Broker
from goplugin.sync.broker_plain import PlainBroker
from goplugin.sync.channel import Channel, channel_to
from goplugin.sync.server import Server, serve_on
from goplugin.sync.services import BrokerService
from goplugin.transport import listen
from tests.support import requirement

from .support import SECONDS, UNARY, Note, Probe, background, wait_until

BROKERS = pytest.mark.parametrize("accepting", ["host", "plugin"])


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
    server: Server
    directory: Path
    address: str

    def sides(self, accepting: str) -> tuple[Broker, Broker]:
        """The broker that accepts, and the other."""
        return (self.host, self.plugin) if accepting == "host" else (self.plugin, self.host)

    @property
    def brokered(self) -> list[str]:
        """The sockets of what has been accepted."""
        return [str(path) for path in self.directory.iterdir() if str(path) != self.address]


@contextlib.contextmanager
def connected(
    directory: Path, *, service: Any = None, host_tls: Contexts = NO_TLS, plugin_tls: Contexts = NO_TLS
) -> Iterator[Pair]:
    """A host's broker and a plugin's; afterwards both are closed, and no thread of theirs is left."""
    environment = PluginEnvironment(socket_dir=str(directory))
    host = PlainBroker(environment, server_tls=host_tls.server, client_tls=host_tls.client)
    plugin = PlainBroker(environment, server_tls=plugin_tls.server, client_tls=plugin_tls.client)
    with listen(environment) as listener:
        server = serve_on(listener.socket, [BrokerService(plugin) if service is None else service])
        channel = channel_to("unix", listener.address)
        host.open(channel)
        try:
            yield Pair(host, plugin, channel, server, directory, listener.address)
        finally:
            host.close()
            channel.close()
            plugin.close()
            server.stop(SECONDS)
    wait_until(lambda: not broker_threads())


def broker_threads() -> list[str]:
    names = [thread.name for thread in threading.enumerate()]
    return [name for name in names if name in ("goplugin-broker", "goplugin-accept")]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def pair(directory: Path) -> Iterator[Pair]:
    with connected(directory) as made:
        yield made


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits five seconds waits a tenth of one."""
    monkeypatch.setattr(core, "PENDING_SECONDS", 0.1)


def echo(request: Any, context: Any) -> Any:
    return Note(text=f"{request.text} back")


def call(channel: Channel, text: str) -> str:
    reply = channel.unary(UNARY, Note(text=text).SerializeToString(), timeout=SECONDS)
    return Note.FromString(reply.message or b"").text


# --- a connection ----------------------------------------------------------------------------------------------------


@requirement("gp.broker.plain", "gp.broker.callback")
@BROKERS
def test_what_one_side_serves_the_other_calls(pair: Pair, accepting: str) -> None:
    accepting_side, dialling_side = pair.sides(accepting)
    service_id = accepting_side.next_id()

    with (
        accepting_side.accept_and_serve(service_id, [Probe(echo)]) as served,
        contextlib.closing(dialling_side.dial(served.service_id)) as channel,
    ):
        assert call(channel, "there") == "there back"

    assert service_id == 1


@requirement("gp.broker.plain")
@BROKERS
def test_a_dial_may_come_before_the_other_side_accepts(pair: Pair, accepting: str) -> None:
    accepting_side, dialling_side = pair.sides(accepting)

    dialling = background(dialling_side.dial, 7)
    wait_until(lambda: dialling_side._outcomes)

    with accepting_side.accept_and_serve(7, [Probe(echo)]), contextlib.closing(dialling.result()) as channel:
        assert call(channel, "late") == "late back"


@requirement("gp.broker.callback")
def test_a_method_of_the_plugin_calls_the_host_back_while_it_runs(directory: Path) -> None:
    plugin = PlainBroker(PluginEnvironment(socket_dir=str(directory)))

    def put(request: Any, context: Any) -> Any:
        with contextlib.closing(plugin.dial(int(request.text))) as channel:
            return Note(text=call(channel, "from the plugin"))

    host = PlainBroker(PluginEnvironment(socket_dir=str(directory)))
    with listen(PluginEnvironment(socket_dir=str(directory))) as listener:
        server = serve_on(listener.socket, [BrokerService(plugin), Probe(put)])
        channel = channel_to("unix", listener.address)
        host.open(channel)
        with host.accept_and_serve(host.next_id(), [Probe(echo)]) as served:
            assert call(channel, str(served.service_id)) == "from the plugin back"
        host.close()
        channel.close()
        server.stop(SECONDS)


@requirement("gp.broker.plain")
@BROKERS
def test_many_connections_are_told_apart(pair: Pair, accepting: str) -> None:
    accepting_side, dialling_side = pair.sides(accepting)

    def named(name: str) -> Probe:
        return Probe(lambda request, context: Note(text=name))

    with contextlib.ExitStack() as stack:
        ids = [accepting_side.next_id() for _ in range(10)]
        for service_id in ids:
            stack.enter_context(accepting_side.accept_and_serve(service_id, [named(str(service_id))]))
        for service_id in reversed(ids):
            channel = stack.enter_context(contextlib.closing(dialling_side.dial(service_id)))
            assert call(channel, "?") == str(service_id)


def test_a_bare_listener_is_the_callers(pair: Pair) -> None:
    with pair.host.accept(3) as listener:
        assert listener.network == "unix"
        with contextlib.closing(pair.plugin.dial(3)):
            connection, _ = listener.socket.accept()
            with connection:
                assert connection.recv(3) == b"PRI"


# --- what does not come about ----------------------------------------------------------------------------------------


@requirement("gp.broker.plain")
@BROKERS
def test_a_dial_that_nobody_accepts_times_out(pair: Pair, accepting: str, impatient: None) -> None:
    _, dialling_side = pair.sides(accepting)

    with pytest.raises(BrokerTimeout, match=r"^timeout waiting for connection info$"):
        dialling_side.dial(1)


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
    directory: Path, message: ConnInfo, kind: type[Exception], text: str
) -> None:
    with connected(directory, service=Foreign(message)) as pair, pytest.raises(kind, match=text):
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


def test_a_peer_that_breaks_the_protocol_loses_the_broker_and_nothing_else(directory: Path) -> None:
    with connected(directory, service=Foreign(ConnInfo(1, "unix", "/" * 5000))) as pair:
        with pytest.raises(PluginLostError, match="broker closed"):
            pair.host.dial(1)
        with pytest.raises(RemoteError) as caught:
            call(pair.channel, "still there?")
        assert caught.value.code is Code.UNIMPLEMENTED


@pytest.mark.parametrize("service", [Probe(echo), Foreign()], ids=["none", "one that ends"])
def test_a_plugin_without_a_broker_is_no_trouble_until_somebody_uses_it(directory: Path, service: Any) -> None:
    with connected(directory, service=service) as pair:
        with pytest.raises(PluginLostError, match="broker closed"):
            pair.host.dial(1)
        wait_until(lambda: "goplugin-broker" not in broker_threads())
        with pytest.raises(PluginLostError, match="broker closed"):
            pair.host.accept_and_serve(1, [Probe(echo)])
        assert pair.brokered == []


def test_nobody_hears_a_knock(directory: Path, impatient: None) -> None:
    foreign = Foreign(ConnInfo(1, knock=Knock(knock=True)))
    with connected(directory, service=foreign) as pair, pytest.raises(BrokerTimeout):
        pair.host.dial(1)


def test_what_cannot_be_served_is_not_announced(pair: Pair, impatient: None) -> None:
    class Asynchronous(Probe):
        async def Unary(self, request: Any, context: Any) -> Any:
            raise AssertionError

    with pytest.raises(ConfigError, match="asynchronous"):
        pair.host.accept_and_serve(1, [Asynchronous()])
    with pytest.raises(BrokerTimeout):
        pair.plugin.dial(1)


def test_where_nothing_can_listen_nothing_is_announced(directory: Path) -> None:
    broker = PlainBroker(PluginEnvironment(socket_dir=str(directory / "nowhere")))

    with pytest.raises(ConfigError, match="no such file or directory"):
        broker.accept_and_serve(1, [Probe(echo)])
    broker.close()


# --- the end ---------------------------------------------------------------------------------------------------------


@requirement("gp.broker.close")
@BROKERS
def test_closing_what_is_served_hangs_up_and_removes_its_socket(pair: Pair, accepting: str) -> None:
    accepting_side, dialling_side = pair.sides(accepting)
    served = accepting_side.accept_and_serve(1, [Probe(echo)])
    with contextlib.closing(dialling_side.dial(1)) as channel:
        call(channel, "x")
        assert len(pair.brokered) == 1

        served.close()
        served.close()

        assert pair.brokered == []
        with pytest.raises(RemoteError) as caught:
            call(channel, "x")
        assert caught.value.code is Code.UNAVAILABLE


@requirement("gp.broker.close")
@BROKERS
def test_with_the_host_goes_what_both_sides_serve(pair: Pair, accepting: str) -> None:
    accepting_side, dialling_side = pair.sides(accepting)
    accepting_side.accept_and_serve(1, [Probe(echo)])
    with contextlib.closing(dialling_side.dial(1)):
        dialling = background(dialling_side.dial, 2)
        wait_until(lambda: dialling_side._outcomes)

        pair.host.close()

        with pytest.raises(PluginLostError, match="broker closed"):
            dialling.result()
        wait_until(lambda: pair.brokered == [])
        for broker in pair.sides(accepting):
            with pytest.raises(PluginLostError, match="broker closed"):
                broker.accept(3)


@requirement("gp.broker.close")
def test_a_plugin_that_dies_closes_the_hosts_broker(pair: Pair) -> None:
    pair.host.accept_and_serve(1, [Probe(echo)])
    dialling = background(pair.host.dial, 1)
    wait_until(lambda: pair.host._outcomes)

    pair.server.stop(SECONDS)

    with pytest.raises(PluginLostError, match="broker closed"):
        dialling.result()
    wait_until(lambda: pair.brokered == [])


def test_a_broker_that_was_never_connected_can_be_closed_and_what_it_serves_ends(directory: Path) -> None:
    broker = PlainBroker(PluginEnvironment(socket_dir=str(directory)))
    broker.accept_and_serve(1, [Probe(echo)])

    broker.close()
    broker.close()

    assert list(directory.iterdir()) == []
    assert not broker_threads()


def test_what_was_accepted_before_the_host_came_is_announced_to_it(directory: Path) -> None:
    environment = PluginEnvironment(socket_dir=str(directory))
    plugin, host = PlainBroker(environment), PlainBroker(environment)
    with plugin.accept_and_serve(1, [Probe(echo)]), listen(environment) as listener:
        server = serve_on(listener.socket, [BrokerService(plugin)])
        with contextlib.closing(channel_to("unix", listener.address)) as main:
            host.open(main)
            with contextlib.closing(host.dial(1)) as channel:
                assert call(channel, "early") == "early back"
            host.close()
        server.stop(SECONDS)


@requirement("gp.broker.close")
def test_a_second_host_takes_the_place_of_the_first(pair: Pair) -> None:
    of_the_first = pair.plugin.accept_and_serve(pair.plugin.next_id(), [Probe(echo)])
    pair.host.dial(1).close()
    host = PlainBroker(PluginEnvironment(socket_dir=str(pair.directory)))

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


def test_nothing_is_left_of_many_connections(pair: Pair) -> None:
    def open_files() -> int:
        gc.collect()
        return len(os.listdir("/proc/self/fd"))

    def connect_both_ways() -> None:
        for side in "host", "plugin":
            accepting_side, dialling_side = pair.sides(side)
            with (
                accepting_side.accept_and_serve(accepting_side.next_id(), [Probe(echo)]) as served,
                contextlib.closing(dialling_side.dial(served.service_id)) as channel,
            ):
                call(channel, "x")

    connect_both_ways()
    before = open_files(), threading.active_count()
    for _ in range(20):
        connect_both_ways()

    wait_until(lambda: open_files() <= before[0])
    wait_until(lambda: threading.active_count() <= before[1])
