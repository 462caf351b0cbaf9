"""Two brokers over a real connection, in both modes: what one side accepts the other dials, whoever is the host."""
from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from goplugin.core.errors import BrokerTimeout, PluginLostError, RemoteError
from goplugin.core.status import Code
from goplugin.sync.services import BrokerService
from tests.support import requirement

from ..broker_support import BROKERS, NOBODY_ACCEPTS, OF_HOST, OF_PLUGIN, Pair
from .broker_support import CONNECTED, Connected, call, echo, has_asked, named
from .support import Note, Probe, background, wait_until


@pytest.fixture(params=CONNECTED)
def mode(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def connected(mode: str) -> Connected:
    return CONNECTED[mode]


@pytest.fixture
def pair(tmp_path: Path, connected: Connected) -> Iterator[Pair]:
    with connected(tmp_path) as made:
        yield made


# --- a connection ----------------------------------------------------------------------------------------------------


@requirement("gp.broker.plain", "gp.broker.mux", "gp.broker.callback")
@BROKERS
def test_what_one_side_serves_the_other_calls(pair: Pair, accepting: str) -> None:
    accepting_side, dialling_side = pair.sides(accepting)
    with (
        accepting_side.accept_and_serve(accepting_side.next_id(), [Probe(echo)]) as served,
        dialling_side.dial(served.service_id) as channel,
    ):
        assert served.service_id == 1
        assert call(channel, "there") == "there back"


@requirement("gp.tls.auto", "gp.broker.plain", "gp.broker.mux")
@BROKERS
def test_with_certificates_both_ends_of_a_brokered_connection_prove_who_they_are(
    tmp_path: Path, connected: Connected, accepting: str
) -> None:
    with connected(tmp_path, host_tls=OF_HOST, plugin_tls=OF_PLUGIN) as pair:
        accepting_side, dialling_side = pair.sides(accepting)
        with accepting_side.accept_and_serve(1, [Probe(echo)]), dialling_side.dial(1) as channel:
            assert call(channel, "safe") == "safe back"


@requirement("gp.broker.plain", "gp.broker.mux")
@BROKERS
def test_a_dial_may_come_before_the_other_side_accepts(pair: Pair, accepting: str) -> None:
    accepting_side, dialling_side = pair.sides(accepting)
    dialling = background(dialling_side.dial, 7)
    wait_until(lambda: has_asked(dialling_side, accepting_side, 7))

    with accepting_side.accept_and_serve(7, [Probe(echo)]), dialling.result() as channel:
        assert call(channel, "late") == "late back"


@requirement("gp.broker.callback")
def test_a_method_of_the_plugin_calls_the_host_back_while_it_runs(tmp_path: Path, connected: Connected) -> None:
    def services(plugin: Any) -> list[Any]:
        def call_back(request: Any, context: Any) -> Any:
            with plugin.dial(int(request.text)) as channel:
                return Note(text=call(channel, "from the plugin"))

        return [BrokerService(plugin), Probe(call_back)]

    with (
        connected(tmp_path, services) as pair,
        pair.host.accept_and_serve(pair.host.next_id(), [Probe(echo)]) as served,
    ):
        assert call(pair.channel, str(served.service_id)) == "from the plugin back"


@requirement("gp.broker.plain", "gp.broker.mux")
def test_many_dials_at_once_are_told_apart(pair: Pair) -> None:
    with contextlib.ExitStack() as stack:
        dialling = []
        for accepting_side, dialling_side in (pair.sides("host"), pair.sides("plugin")):
            ids = [accepting_side.next_id() for _ in range(10)]
            for service_id in ids:
                stack.enter_context(accepting_side.accept_and_serve(service_id, [named(str(service_id))]))
            dialling += [(service_id, background(dialling_side.dial, service_id)) for service_id in reversed(ids)]
        for service_id, channel in dialling:
            assert call(stack.enter_context(channel.result()), "?") == str(service_id)


# --- what does not come about ----------------------------------------------------------------------------------------


@requirement("gp.broker.plain", "gp.broker.mux")
@BROKERS
def test_a_dial_that_nobody_accepts_times_out(pair: Pair, mode: str, accepting: str, impatient: None) -> None:
    _, dialling_side = pair.sides(accepting)

    with pytest.raises(BrokerTimeout, match=NOBODY_ACCEPTS[mode]):
        dialling_side.dial(1)


# --- the end ---------------------------------------------------------------------------------------------------------


@requirement("gp.broker.close")
@BROKERS
def test_closing_what_is_served_hangs_up_and_takes_no_more(pair: Pair, accepting: str, impatient: None) -> None:
    accepting_side, dialling_side = pair.sides(accepting)
    served = accepting_side.accept_and_serve(1, [Probe(echo)])
    with dialling_side.dial(1) as channel:
        call(channel, "x")
        assert len(pair.brokered) == (0 if pair.sessions else 1)

        served.close()
        served.close()

        assert pair.brokered == []
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
        wait_until(lambda: pair.brokered == [] and not accepting_side._served)
        for broker in pair.sides(accepting):
            with pytest.raises(PluginLostError, match="broker closed"):
                broker.accept_and_serve(3, [Probe(echo)])


@requirement("gp.broker.close")
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
    before, threads = pair.resources(), threading.active_count()
    for _ in range(20):
        connect_both_ways()

    wait_until(lambda: pair.resources() <= before and threading.active_count() <= threads)
    assert pair.resources() <= before
