"""Two brokers in multiplexed mode: their streams, and the session that carries them."""
from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from goplugin.core.environ import PluginEnvironment
from goplugin.core.errors import BrokerTimeout, LocalProtocolError, PluginLostError, RemoteError
from goplugin.sync.broker_mux import MultiplexedBroker, accept_session, connect_session
from goplugin.sync.services import BrokerService
from goplugin.tls import client_context, server_context
from goplugin.transport import listen
from tests.support import requirement

from ..broker_support import BROKERS, OF_HOST, Contexts, Pair
from ..tls_support import HOST, PLUGIN, STRANGER
from .broker_support import call, echo, multiplexed
from .support import Probe, wait_until


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with multiplexed(tmp_path) as made:
        yield made


# --- a connection ----------------------------------------------------------------------------------------------------


@requirement("gp.broker.mux")
@BROKERS
def test_an_id_may_be_dialled_again(pair: Pair, accepting: str) -> None:
    accepting_side, dialling_side = pair.sides(accepting)
    with accepting_side.accept_and_serve(1, [Probe(echo)]):
        for text in "first", "second", "third":
            with dialling_side.dial(1) as channel:
                assert call(channel, text) == f"{text} back"


def test_a_stream_that_nobody_knocked_for_is_another_main_connection(tmp_path: Path) -> None:
    with (
        multiplexed(tmp_path, lambda plugin: [BrokerService(plugin), Probe(echo)]) as pair,
        pair.host.main_channel() as other,
    ):
        assert call(other, "main") == "main back"
        assert call(pair.channel, "main") == "main back"


def test_a_host_hangs_up_on_a_stream_that_it_does_not_expect(pair: Pair) -> None:
    stream = pair.sessions[1].open()
    wait_until(lambda: stream.finished)
    stream.close()


# --- what does not come about ----------------------------------------------------------------------------------------


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
        multiplexed(tmp_path, host_tls=OF_HOST, plugin_tls=stranger) as pair,
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
