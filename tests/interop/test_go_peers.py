"""The Go programs among themselves: what the other tests measure Python against is known to be good."""
from __future__ import annotations

import json
from pathlib import Path

import pytest

from .driver import GoHost, HostError, JSHost, KVHost
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


TRANSPORTS = pytest.mark.parametrize("flags", [[], ["-automtls"], ["-multiplex"], ["-automtls", "-multiplex"]])


@TRANSPORTS
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


@TRANSPORTS
def test_everything_works_over_every_transport(go: GoPeers, private_tmpdir: dict[str, str], flags: list[str]) -> None:
    with GoHost(go.matrixhost, go.matrixplugin, flags=flags, env=private_tmpdir) as host:
        assert host.call("echo", text="x") == "x"
        assert host.call("echo", size=5 * MEBIBYTE) == 5 * MEBIBYTE
        assert host.call("join", texts=["a", "b"]) == ["ab"]
        assert host.call("split", texts=["a\nb"]) == ["a", "b"]
        assert host.call("chat", texts=["a", "b"]) == ["a", "b"]
        assert host.call("callback", text="back") == "back"
        assert host.call("offered", text="offered") == "offered"
        assert host.call("version") == "1"
        host.call("print", text="stdout hello")
        assert host.stdio(stdout="hello") == ("hello", "")
        with pytest.raises(HostError) as caught:
            host.call("exit", text="3")
        assert caught.value.code == "Unavailable"


def test_in_plain_mode_an_announcement_serves_one_dial(go: GoPeers, private_tmpdir: dict[str, str]) -> None:
    with (
        GoHost(go.matrixhost, go.matrixplugin, env=private_tmpdir) as host,
        pytest.raises(HostError, match="timeout waiting for connection info"),
    ):
        host.call("callback", text="back", times=2, timeout_ms=10_000)


def test_a_host_finds_the_plugin_that_another_has_left(go: GoPeers, private_tmpdir: dict[str, str]) -> None:
    with GoHost(go.matrixhost, go.matrixplugin, env=private_tmpdir) as host:
        running = json.dumps(host.launched["reattach"])
        host.call("detach")
    with GoHost(go.matrixhost, flags=["-reattach", running], env=private_tmpdir) as host:
        assert host.call("echo", text="still there") == "still there"
        host.kill()


def test_a_plugin_refuses_a_host_with_another_cookie(go: GoPeers, private_tmpdir: dict[str, str]) -> None:
    host = GoHost(go.matrixhost, go.matrixplugin, flags=["-cookie", "another"], env=private_tmpdir)
    with pytest.raises(HostError, match="Failed to read any lines from plugin's stdout"), host:
        pass
