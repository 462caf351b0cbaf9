"""What a Go host may ask of a plugin beyond calls: certificates, and a broker both ways; in either runtime."""
from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from goplugin.sync import ServeConfig, serve_test
from tests.support import requirement

from .driver import CounterHost, JSHost, KVHost
from .echo_rules import GRACE_MS
from .gopeers import GoPeers
from .plugins.kv import HANDSHAKE, KVPlugin

pytestmark = pytest.mark.go

PLUGINS = Path(__file__).parent / "plugins"
RUN = (sys.executable, "-m", "goplugin", "run")
COUNTER = (*RUN, PLUGINS / "counter.py")
FLAGS = {
    "plain": (),
    "automtls": ("-automtls",),
    "multiplexed": ("-multiplex",),
    "both": ("-automtls", "-multiplex"),
}


@pytest.fixture(params=["sync", "aio"])
def runtime(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=FLAGS)
def counter(request: pytest.FixtureRequest, go: GoPeers, runtime: str) -> Iterator[CounterHost]:
    with CounterHost(go.counterhost, *COUNTER, runtime, flags=FLAGS[request.param]) as host:
        yield host


@requirement("gp.broker.plain", "gp.broker.mux", "gp.broker.callback", "gp.tls.auto")
def test_a_plugin_calls_back_what_its_go_host_announces_for_a_call(counter: CounterHost) -> None:
    for value in (3, 4, -2):
        counter.put("key", value)

    assert (counter.get("key"), counter.get("other")) == (5, 0)


def test_a_plugin_with_a_broker_ends_without_waiting_for_the_grace_period(counter: CounterHost) -> None:
    counter.put("key", 1)

    assert counter.kill() < GRACE_MS


TRANSPORTS = pytest.mark.parametrize("flags", FLAGS.values(), ids=FLAGS)


@requirement("gp.tls.auto")
@TRANSPORTS
def test_a_plugin_without_a_broker_of_its_own_is_served_all_the_same(go: GoPeers, flags: tuple[str, ...]) -> None:
    with JSHost(go.jshost, *RUN, PLUGINS / "echo.py", flags=flags) as host:
        host.invoke("print", "out", "err")

        assert host.invoke("math.add", 1, 2) == 3
        assert host.stdio("out", "err") == ("out", "err")
        assert host.kill() < GRACE_MS


@requirement("nd.create", "nd.server", "nd.start", "nd.close", "nd.console")
@TRANSPORTS
def test_the_imperative_server_serves_a_go_host(go: GoPeers, flags: tuple[str, ...]) -> None:
    with KVHost(go.kvhost, *RUN, PLUGINS / "imperative.py", flags=flags) as host:
        host.put("key", "value")

        assert host.get("key") == "value"
        assert host.stdio("out", "err") == ("out\n", "err\n")
        host.ping()
        assert host.kill() < GRACE_MS


@requirement("gp.test-mode")
def test_a_go_host_reattaches_to_what_a_test_serves_and_does_not_end_it(go: GoPeers) -> None:
    with serve_test(ServeConfig(handshake=HANDSHAKE, versioned_plugins={1: {"kv": KVPlugin(1)}})) as reattach:
        found = json.dumps(
            {
                "Protocol": reattach.protocol,
                "Version": reattach.protocol_version,
                "Pid": reattach.pid,
                "Address": reattach.address,
                "Test": reattach.test,
            }
        )
        for _ in range(2):
            with KVHost(go.kvhost, flags=["-reattach", found]) as host:
                host.put("key", "value")
                assert host.get("key") == "value"
