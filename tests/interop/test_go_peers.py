"""The Go programs among themselves: what the other tests measure Python against is known to be good."""
from __future__ import annotations

from pathlib import Path

import pytest

from .driver import HostError, JSHost, KVHost
from .echo_rules import MEBIBYTE, EchoRules
from .gopeers import GoPeers

pytestmark = pytest.mark.go


@pytest.fixture(scope="module")
def command(go: GoPeers) -> list[Path]:
    return [go.jsplugin]


class TestGoPluginInGoHost(EchoRules):
    def test_an_argument_may_not_be_larger_than_grpcs_default_limit(self, host: JSHost) -> None:
        with pytest.raises(HostError, match="received message larger than max") as caught:
            host.invoke("ping", "x" * (5 * MEBIBYTE))

        assert caught.value.code == "ResourceExhausted"

    def test_the_deadline_of_a_call_reaches_the_plugin(self, host: JSHost) -> None:
        assert 0 < host.invoke("deadline", timeout=5.0) <= 5000


@pytest.mark.parametrize("flags", [[], ["-automtls"], ["-multiplex"], ["-automtls", "-multiplex"]])
def test_the_store_works_over_every_transport(go: GoPeers, private_tmpdir: dict[str, str], flags: list[str]) -> None:
    with KVHost(go.kvhost, go.kvplugin, flags=flags, env=private_tmpdir) as host:
        host.put("key", "value")

        assert host.get("key") == "value"
        with pytest.raises(HostError, match="no such key: other") as caught:
            host.get("other")
        assert caught.value.code == "NotFound"


def test_the_highest_common_version_is_served(go: GoPeers) -> None:
    with KVHost(go.kvhost, go.kvplugin, "-versions", "3,1,2", flags=["-versions", "2,1,4"]) as host:
        assert (host.version, host.get("version")) == (2, "2")


def test_a_host_refuses_a_plugin_without_a_common_version(go: GoPeers, private_tmpdir: dict[str, str]) -> None:
    host = KVHost(go.kvhost, go.kvplugin, flags=["-versions", "7"], env=private_tmpdir)

    with pytest.raises(HostError) as caught, host:
        pass
    assert str(caught.value) == "incompatible API version with plugin. Plugin version: 1, Client versions: [7]"


def test_a_host_says_what_came_instead_of_a_handshake(go: GoPeers) -> None:
    text = "Unrecognized remote plugin message: hello"

    with pytest.raises(HostError, match=text), KVHost(go.kvhost, "echo", "hello"):
        pass


def test_a_host_does_not_know_every_command(go: GoPeers) -> None:
    with KVHost(go.kvhost, go.kvplugin) as host, pytest.raises(HostError, match='unknown op "jump"'):
        host.call("jump")
