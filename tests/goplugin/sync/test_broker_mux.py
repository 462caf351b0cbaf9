"""Two brokers over one yamux session: what one side accepts the other dials, whoever is the host."""
from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from goplugin.core import broker as core
from goplugin.core.environ import PluginEnvironment
from goplugin.core.errors import BrokerTimeout, LocalProtocolError, PluginLostError, RemoteError
from goplugin.core.status import Code
from goplugin.sync.broker_mux import MultiplexedBroker, accept_session, connect_session
from goplugin.sync.channel import Channel
from goplugin.sync.mux import Session
from goplugin.sync.server import Server
from goplugin.sync.services import BrokerService
from goplugin.tls import client_context, server_context
from goplugin.transport import listen
from tests.support import requirement

from ..tls_support import HOST, PLUGIN, STRANGER
from .support import SECONDS, Note, Probe, background, wait_until
from .test_broker import BROKERS, NO_TLS, Contexts, call, echo
from .test_broker_tls import OF_HOST, OF_PLUGIN


class Pair(NamedTuple):
    """The two sides of one plugin connection."""

    host: MultiplexedBroker
    plugin: MultiplexedBroker
    channel: Channel
    server: Server
    sessions: tuple[Session, Session]

    def sides(self, accepting: str) -> tuple[MultiplexedBroker, MultiplexedBroker]:
        """The broker that accepts, and the other."""
        return (self.host, self.plugin) if accepting == "host" else (self.plugin, self.host)


@contextlib.contextmanager
def connected(
    directory: Path, *services: Any, host_tls: Contexts = NO_TLS, plugin_tls: Contexts = NO_TLS
) -> Iterator[Pair]:
    """A host's broker and a plugin's; afterwards everything is closed, and no thread is left."""
    host = MultiplexedBroker(server_tls=host_tls.server, client_tls=host_tls.client)
    plugin = MultiplexedBroker(server_tls=plugin_tls.server, client_tls=plugin_tls.client)
    server = Server([BrokerService(plugin), *services], tls=plugin_tls.server)
    listener = listen(PluginEnvironment(socket_dir=str(directory)))
    near = connect_session(listener.network, listener.address)
    far = accept_session(listener, lambda: True)
    assert far is not None
    ended = threading.Event()
    plugin.start(far, server, on_end=ended.set)
    host.start(near)
    with host.main_channel() as channel:
        host.open(channel)
        try:
            yield Pair(host, plugin, channel, server, (near, far))
        finally:
            host.close()
            channel.close()
            plugin.close()
            server.stop(SECONDS)
            near.close()
            far.close()
    assert ended.wait(SECONDS)
    wait_until(lambda: not [name for name in names() if name.startswith(("goplugin-broker", "goplugin-mux"))])


def names() -> list[str]:
    return [thread.name for thread in threading.enumerate()]


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with connected(tmp_path) as made:
        yield made


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits five seconds waits a tenth of one."""
    monkeypatch.setattr(core, "PENDING_SECONDS", 0.1)


# --- a connection ----------------------------------------------------------------------------------------------------


@requirement("gp.broker.mux", "gp.broker.callback")
@BROKERS
def test_what_one_side_serves_the_other_calls(pair: Pair, accepting: str) -> None:
    accepting_side, dialling_side = pair.sides(accepting)
    with (
        accepting_side.accept_and_serve(accepting_side.next_id(), [Probe(echo)]) as served,
        dialling_side.dial(served.service_id) as channel,
    ):
        assert served.service_id == 1
        assert call(channel, "there") == "there back"


@requirement("gp.broker.mux")
@BROKERS
def test_with_certificates_both_ends_of_every_stream_prove_who_they_are(tmp_path: Path, accepting: str) -> None:
    with connected(tmp_path, host_tls=OF_HOST, plugin_tls=OF_PLUGIN) as pair:
        accepting_side, dialling_side = pair.sides(accepting)
        with accepting_side.accept_and_serve(1, [Probe(echo)]), dialling_side.dial(1) as channel:
            assert call(channel, "safe") == "safe back"


@requirement("gp.broker.mux")
@BROKERS
def test_an_id_may_be_dialled_again(pair: Pair, accepting: str) -> None:
    accepting_side, dialling_side = pair.sides(accepting)
    with accepting_side.accept_and_serve(1, [Probe(echo)]):
        for text in "first", "second", "third":
            with dialling_side.dial(1) as channel:
                assert call(channel, text) == f"{text} back"


@BROKERS
def test_a_dial_may_come_before_the_other_side_accepts(pair: Pair, accepting: str) -> None:
    accepting_side, dialling_side = pair.sides(accepting)
    dialling = background(dialling_side.dial, 7)
    wait_until(lambda: 7 in accepting_side._multiplexed._knocks)

    with accepting_side.accept_and_serve(7, [Probe(echo)]), dialling.result() as channel:
        assert call(channel, "late") == "late back"


@requirement("gp.broker.mux")
def test_many_dials_at_once_are_told_apart(pair: Pair) -> None:
    def named(name: str) -> Probe:
        return Probe(lambda request, context: Note(text=name))

    with contextlib.ExitStack() as stack:
        dialling = []
        for accepting_side, dialling_side in (pair.sides("host"), pair.sides("plugin")):
            ids = [accepting_side.next_id() for _ in range(10)]
            for service_id in ids:
                stack.enter_context(accepting_side.accept_and_serve(service_id, [named(str(service_id))]))
            dialling += [(service_id, background(dialling_side.dial, service_id)) for service_id in reversed(ids)]
        for service_id, channel in dialling:
            assert call(stack.enter_context(channel.result()), "?") == str(service_id)


def test_a_stream_that_nobody_knocked_for_is_another_main_connection(tmp_path: Path) -> None:
    with connected(tmp_path, Probe(echo)) as pair, pair.host.main_channel() as other:
        assert call(other, "main") == "main back"
        assert call(pair.channel, "main") == "main back"


def test_a_host_hangs_up_on_a_stream_that_it_does_not_expect(pair: Pair) -> None:
    stream = pair.sessions[1].open()
    wait_until(lambda: stream.finished)
    stream.close()


# --- what does not come about ----------------------------------------------------------------------------------------


@requirement("gp.broker.mux")
@BROKERS
def test_a_dial_that_nobody_accepts_times_out(pair: Pair, accepting: str, impatient: None) -> None:
    _, dialling_side = pair.sides(accepting)
    text = "^failed to knock before dialling client: timeout waiting for multiplexing knock handshake on id 1$"
    with pytest.raises(BrokerTimeout, match=text):
        dialling_side.dial(1)


def interrupt(broker: MultiplexedBroker, monkeypatch: pytest.MonkeyPatch, when: Callable[[], object]) -> None:
    """A dial on the main thread is interrupted as soon as this is so."""
    wait = broker._wait

    def interrupted() -> None:
        if threading.current_thread() is not threading.main_thread():
            wait()
            return
        broker._changed.wait(0.002)
        if when():
            raise KeyboardInterrupt

    monkeypatch.setattr(broker, "_wait", interrupted)


@BROKERS
def test_the_stream_of_a_dial_that_was_interrupted_is_opened_and_closed(
    pair: Pair, accepting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    accepting_side, dialling_side = pair.sides(accepting)
    with monkeypatch.context() as patch:
        interrupt(dialling_side, patch, lambda: dialling_side._multiplexed._knock)
        with pytest.raises(KeyboardInterrupt):
            dialling_side.dial(1)

    with accepting_side.accept_and_serve(1, [Probe(echo)]), dialling_side.dial(1) as channel:
        assert call(channel, "next") == "next back"


def test_a_dial_that_is_interrupted_when_its_stream_is_there_closes_it(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt(pair.plugin, monkeypatch, lambda: pair.plugin._granted)
    with pair.host.accept_and_serve(1, [Probe(echo)]), pytest.raises(KeyboardInterrupt):
        pair.plugin.dial(1)

    assert not pair.plugin._granted
    wait_until(lambda: len(pair.sessions[1]._streams) == 1)


def test_an_id_is_accepted_once_at_a_time(pair: Pair) -> None:
    with (
        pair.host.accept_and_serve(1, [Probe(echo)]),
        pytest.raises(LocalProtocolError, match="accepted already"),
    ):
        pair.host.accept_and_serve(1, [Probe(echo)])
    pair.host.accept_and_serve(1, [Probe(echo)]).close()


def test_a_stranger_is_not_called_and_not_served(tmp_path: Path) -> None:
    stranger = Contexts(server_context(PLUGIN, HOST.certificate), client_context(STRANGER, HOST.certificate))
    with (
        connected(tmp_path, host_tls=OF_HOST, plugin_tls=stranger) as pair,
        pair.host.accept_and_serve(1, [Probe(echo)]),
        pytest.raises(PluginLostError),
        pair.plugin.dial(1) as channel,
    ):
        call(channel, "let me in")


def test_a_plugin_whose_host_does_not_come_gives_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("goplugin.sync.broker_mux.CONNECT_SECONDS", 0.05)
    listener = listen(PluginEnvironment(socket_dir=str(tmp_path)))

    with pytest.raises(BrokerTimeout, match="timed out waiting for connection to be established"):
        accept_session(listener, lambda: True)
    assert not os.path.exists(listener.address)


def test_a_plugin_that_is_told_to_stop_waits_for_no_host(tmp_path: Path) -> None:
    listener = listen(PluginEnvironment(socket_dir=str(tmp_path)))

    assert accept_session(listener, lambda: False) is None
    assert not os.path.exists(listener.address)


def test_a_host_whose_plugin_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(PluginLostError, match=r"connection error: dial unix .*: No such file or directory"):
        connect_session("unix", str(tmp_path / "nobody"))


# --- the end ---------------------------------------------------------------------------------------------------------


@requirement("gp.broker.close")
@BROKERS
def test_closing_what_is_served_hangs_up_and_takes_no_more(pair: Pair, accepting: str, impatient: None) -> None:
    accepting_side, dialling_side = pair.sides(accepting)
    served = accepting_side.accept_and_serve(1, [Probe(echo)])
    with dialling_side.dial(1) as channel:
        call(channel, "x")

        served.close()
        served.close()

        with pytest.raises(RemoteError) as caught:
            call(channel, "x")
        assert caught.value.code is Code.UNAVAILABLE
        with pytest.raises(BrokerTimeout):
            dialling_side.dial(1)


@requirement("gp.broker.close")
@BROKERS
def test_with_the_host_goes_what_both_sides_serve(pair: Pair, accepting: str) -> None:
    accepting_side, dialling_side = pair.sides(accepting)
    accepting_side.accept_and_serve(1, [Probe(echo)])
    with dialling_side.dial(1):
        dialling = background(dialling_side.dial, 2)
        wait_until(lambda: dialling_side._outcomes)

        pair.host.close()

        with pytest.raises(PluginLostError, match="broker closed"):
            dialling.result()
        wait_until(lambda: not accepting_side._served)
        for broker in pair.sides(accepting):
            with pytest.raises(PluginLostError, match="broker closed"):
                broker.accept_and_serve(3, [Probe(echo)])


@requirement("gp.broker.close")
@BROKERS
def test_when_the_session_ends_everything_does(pair: Pair, accepting: str) -> None:
    accepting_side, dialling_side = pair.sides(accepting)
    accepting_side.accept_and_serve(1, [Probe(echo)])
    with dialling_side.dial(1) as channel:
        pair.sessions[accepting == "host"].close()

        with pytest.raises(RemoteError):
            call(channel, "x")
        wait_until(lambda: not accepting_side._served)
        with pytest.raises(PluginLostError):
            dialling_side.dial(1)
        with pytest.raises(PluginLostError, match="connection error"):
            pair.host.main_channel()


def test_nothing_is_left_of_many_connections(pair: Pair) -> None:
    def connect_both_ways() -> None:
        for side in "host", "plugin":
            accepting_side, dialling_side = pair.sides(side)
            with (
                accepting_side.accept_and_serve(accepting_side.next_id(), [Probe(echo)]) as served,
                dialling_side.dial(served.service_id) as channel,
            ):
                call(channel, "x")

    connect_both_ways()
    before = threading.active_count()
    for _ in range(20):
        connect_both_ways()

    wait_until(lambda: threading.active_count() <= before)
    for session in pair.sessions:
        wait_until(lambda session=session: len(session._streams) == 1)
