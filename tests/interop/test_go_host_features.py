"""What the matrix does not ask of a plugin with a Go host: other ways of serving, over every transport."""
from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from goplugin.sync import ServeConfig, serve_test
from tests.support import requirement

from .driver import JSHost, KVHost
from .echo_rules import GRACE_MS
from .gopeers import GoPeers
from .plugins.kv import HANDSHAKE, KVPlugin

pytestmark = pytest.mark.go

PLUGINS = Path(__file__).parent / "plugins"
RUN = (sys.executable, "-m", "goplugin", "run")
FLAGS = {
    "plain": (),
    "automtls": ("-automtls",),
    "multiplexed": ("-multiplex",),
    "both": ("-automtls", "-multiplex"),
}


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
