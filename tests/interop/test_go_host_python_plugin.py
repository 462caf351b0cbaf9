"""A Go host, made of the published go-plugin module, with plugins written in Python."""
from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support import requirement

from .driver import HostError, JSHost, KVHost
from .echo_rules import GRACE_MS, MEBIBYTE, NOT_RUN_BY_HAND, EchoRules, last_log
from .gopeers import GoPeers

pytestmark = pytest.mark.go

PLUGINS = Path(__file__).parent / "plugins"
RUN = (sys.executable, "-m", "goplugin", "run")

SHAPES = {
    "clock": (
        ["now", "utc.now #time #utc"],
        ["examples", "metadata", "structured-results"],
    ),
    "failing": (
        ["always", "sometimes", "checks.requirePositive #validation #numbers"],
        ["examples", "errors"],
    ),
    "greeter": (
        ["greet", "strings.upper #strings #uppercase", "strings.lower", "meta.pid"],
        ["examples", "strings"],
    ),
    "kv": (
        [
            "store.set #kv #mutation",
            "store.get #kv #lookup",
            "store.delete #kv #mutation",
            "store.keys #kv #listing",
            "store.clear #kv #mutation",
            "store.size #kv #stats",
        ],
        ["examples", "stateful", "object-methods"],
    ),
    "system-info": (
        ["hostname", "envSummary", "runtime.snapshot #runtime #process"],
        ["examples", "mixed-exports", "nested-results"],
    ),
    "validator": (
        ["greet", "grade", "profiles.check #validation #profiles"],
        ["examples", "call-helpers", "validation"],
    ),
}


@pytest.fixture(scope="module")
def command() -> list[str | Path]:
    return [*RUN, PLUGINS / "echo.py"]


Launch = Callable[..., JSHost]


@pytest.fixture
def launch(go: GoPeers, installed_modules: Path) -> Iterator[Launch]:
    """Gives a host of the installed example with the given name; keywords are variables of its environment."""
    with contextlib.ExitStack() as hosts:

        def launch(name: str, **env: str) -> JSHost:
            return hosts.enter_context(JSHost(go.jshost, installed_modules / f"goja-plugin-examples-{name}", env=env))

        yield launch


def flat_exports(manifest: dict[str, Any]) -> Iterator[str]:
    """Functions as `name`, methods as `object.name #tag`."""
    for export in manifest["exports"]:
        if export["kind"] == "EXPORT_KIND_FUNCTION":
            yield export["name"]
        for method in export.get("methodSpecs", ()):
            yield " #".join([f"{export['name']}.{method['name']}", *method.get("tags", ())])


def refusal(host: JSHost, export: str, *args: object) -> str:
    """The text of the plain error that the call must end with."""
    with pytest.raises(HostError) as caught:
        host.invoke(export, *args)
    assert caught.value.code == "Unknown"
    return str(caught.value).removeprefix("rpc error: code = Unknown desc = ")


@requirement(
    *("gp.cross-language", "gp.cookie", "gp.grpc.health", "gp.grpc.controller", "gp.grpc.stdio"),
    *("gp.log.stdlib", "gp.log.structured", "jm.contract", "jm.sdk.serve"),
)
class TestPythonPluginInGoHost(EchoRules):
    @requirement("gp.grpc.limits")
    def test_an_argument_may_be_larger_than_grpcs_default_limit(self, host: JSHost) -> None:
        text = "x" * (5 * MEBIBYTE)

        assert host.invoke("ping", text) == text


@requirement("us.stdout-guard")
def test_what_a_plugin_prints_before_the_handshake_is_logged(go: GoPeers, tmp_path: Path) -> None:
    noisy = tmp_path / "noisy.py"
    echo = str(PLUGINS / "echo.py")
    noisy.write_text(f"import runpy\nprint('a word at start-up')\nrunpy.run_path({echo!r}, run_name='__main__')\n")

    with JSHost(go.jshost, *RUN, noisy) as host:
        assert host.invoke("ping", 1) == 1
        assert last_log(host, "a word at start-up")["@level"] == "debug"


@requirement("us.orphan")
def test_a_plugin_ends_when_its_host_was_killed(go: GoPeers, command: list[str | Path]) -> None:
    with JSHost(go.jshost, *command) as host:
        plugin = os.pidfd_open(host.plugin_pid)

        os.kill(host.pid, signal.SIGKILL)

        assert select.select([plugin], [], [], 10.0)[0]
        os.close(plugin)


BINARY = '''
from jsbridge.sdk import Module, serve_module

module = Module("plugin:binary")

@module.function
def reverse(data: bytes) -> bytes:
    return data[::-1]

serve_module(module)
'''


@requirement("ow.bytes")
def test_bytes_are_base64_text_for_a_go_host(go: GoPeers, tmp_path: Path) -> None:
    plugin = tmp_path / "binary.py"
    plugin.write_text(BINARY)

    with JSHost(go.jshost, *RUN, plugin) as host:
        assert host.invoke("reverse", "AAH/") == "/wEA"
        assert host.manifest()["capabilities"] == ["goplugin.bytes/1:reverse"]


@requirement("gp.version.sets")
def test_a_go_host_and_a_python_plugin_agree_on_the_highest_common_version(go: GoPeers) -> None:
    with KVHost(go.kvhost, *RUN, PLUGINS / "kv.py", "3", "1", "2", flags=["-versions", "2,1,4"]) as host:
        host.put("key", "value")

        assert (host.version, host.get("version"), host.get("key")) == (2, "2", "value")
        with pytest.raises(HostError, match="code = NotFound desc = no such key: other"):
            host.get("other")


def test_a_go_host_refuses_a_python_plugin_without_a_common_version(
    go: GoPeers, private_tmpdir: dict[str, str]
) -> None:
    host = KVHost(go.kvhost, *RUN, PLUGINS / "kv.py", "2", "3", flags=["-versions", "7"], env=private_tmpdir)

    with pytest.raises(HostError) as caught, host:
        pass
    assert str(caught.value) == "incompatible API version with plugin. Plugin version: 2, Client versions: [7]"


# --- the six examples, as `make install-modules` installs them -------------------------------------------------------


@pytest.mark.parametrize("name", SHAPES)
def test_an_example_describes_itself_as_upstreams_does(launch: Launch, name: str) -> None:
    manifest = launch(name).manifest()

    assert (manifest["moduleName"], manifest["version"]) == (f"plugin:examples:{name}", "v1")
    assert (list(flat_exports(manifest)), manifest["capabilities"]) == SHAPES[name]
    assert manifest["doc"]


@pytest.mark.parametrize("name", SHAPES)
def test_an_example_ends_without_waiting_for_the_grace_period(launch: Launch, name: str) -> None:
    assert launch(name).kill() < GRACE_MS


@pytest.mark.parametrize("name", SHAPES)
def test_an_example_run_by_hand_explains_itself(installed_modules: Path, name: str) -> None:
    ended = subprocess.run([installed_modules / f"goja-plugin-examples-{name}"], capture_output=True, text=True)

    assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", NOT_RUN_BY_HAND)


@requirement("jm.example.greeter")
def test_the_greeter(launch: Launch) -> None:
    host = launch("greeter")

    assert [host.invoke("greet", *args) for args in ([], [""], [5], [None])] == ["hello, world"] * 4
    assert host.invoke("greet", "hello") == "hello, hello"
    assert host.invoke("strings.upper", "stra\u00dfe") == "STRA\u00dfE"
    assert host.invoke("strings.upper") == ""
    assert host.invoke("strings.lower", "\u00c0B") == "\u00e0b"
    assert host.invoke("meta.pid") == host.plugin_pid


@requirement("jm.example.clock")
@pytest.mark.parametrize(
    ("export", "zone", "offset"), [("now", "ABC", r"\+05:30"), ("utc.now", "UTC", "Z")]
)
def test_the_clock(launch: Launch, export: str, zone: str, offset: str) -> None:
    host = launch("clock", TZ="ABC-05:30")
    before = int(time.time())

    moment = host.invoke(export, "an argument that is ignored")

    text = moment["rfc3339"]
    assert re.fullmatch(rf"\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d{offset}", text)
    parsed = datetime.fromisoformat(text)
    assert before <= moment["unix"] <= time.time()
    assert 0 <= moment.pop("nanosecond") < 1_000_000_000
    assert moment == {
        "unix": parsed.timestamp(),
        "rfc3339": text,
        "date": text[:10],
        "time": text[11:19],
        "zone": zone,
        "weekday": f"{parsed:%A}",
    }


@requirement("jm.example.validator")
def test_the_validator(launch: Launch) -> None:
    host = launch("validator")

    assert host.invoke("greet", "Ann") == "hello, Ann"
    assert host.invoke("greet", "Ann", False) == "hello, Ann"
    assert host.invoke("greet", "Ann", True) == "hello, ANN!"
    assert refusal(host, "greet", "Ann", None) == "sdk call argument 1 expected bool, got <nil>"

    assert host.invoke("grade", 0.5) == {"score": 0.5, "strict": False, "passing": True}
    assert host.invoke("grade", 0.49, False) == {"score": 0.49, "strict": False, "passing": False}
    assert host.invoke("grade", 0.79, True) == {"score": 0.79, "strict": True, "passing": False}
    assert host.invoke("grade", 0.8, True) == {"score": 0.8, "strict": True, "passing": True}
    assert refusal(host, "grade") == "sdk call argument 0 out of range (have 0)"
    assert refusal(host, "grade", "1") == "sdk call argument 0 expected float64, got string"


@requirement("jm.example.validator")
def test_the_validators_profiles(launch: Launch) -> None:
    host = launch("validator")

    checked = {"name": "Ann", "tagCount": 2, "validated": True}
    assert host.invoke("profiles.check", {"name": " Ann "}, ["x", "admin"]) == {**checked, "hasAdmin": True}
    assert host.invoke("profiles.check", {"name": "Ann"}, ["Admin", 1]) == {**checked, "hasAdmin": False}
    for profile in ({}, {"name": " "}, {"name": 5}):
        assert refusal(host, "profiles.check", profile) == "profile.name must be a non-empty string"
    assert refusal(host, "profiles.check", []) == "sdk call argument 0 expected map[string]any, got []interface {}"
    assert refusal(host, "profiles.check", {"name": "Ann"}) == "sdk call argument 1 out of range (have 1)"


@requirement("jm.example.kv")
def test_the_store(launch: Launch) -> None:
    host = launch("kv")

    assert host.invoke("store.set", "z", "1") == {"key": "z", "value": "1", "size": 1}
    assert host.invoke("store.set", "\u00e9", "2") == {"key": "\u00e9", "value": "2", "size": 2}
    assert host.invoke("store.set", "Z", "3") == {"key": "Z", "value": "3", "size": 3}
    assert host.invoke("store.set", "z", "4") == {"key": "z", "value": "4", "size": 3}
    assert host.invoke("store.keys") == ["Z", "z", "\u00e9"]
    assert [host.invoke("store.get", key) for key in ("z", "nothing")] == ["4", None]
    assert host.invoke("store.delete", "z") == {"deleted": True, "size": 2}
    assert host.invoke("store.delete", "z") == {"deleted": False, "size": 2}
    assert host.invoke("store.clear") == {"cleared": 2}
    assert host.invoke("store.size") == 0
    assert refusal(host, "store.set", "key", 5) == "sdk call argument 1 expected string, got float64"


@requirement("jm.example.kv")
def test_each_process_has_a_store_of_its_own(launch: Launch) -> None:
    first, second = launch("kv"), launch("kv")

    first.invoke("store.set", "key", "value")

    assert second.invoke("store.size") == 0


@requirement("jm.example.system-info")
def test_the_system_info(launch: Launch) -> None:
    host = launch("system-info", GO_TEST="a=b", OTHER_TEST="c")

    assert host.invoke("hostname") == socket.gethostname()
    other = {"prefix": "OTHER_TEST", "count": 1, "values": {"OTHER_TEST": "c"}}
    assert host.invoke("envSummary", "OTHER_TEST") == other
    summary = host.invoke("envSummary")
    assert (summary["prefix"], summary["count"]) == ("GO", len(summary["values"]))
    assert summary["values"]["GO_TEST"] == "a=b"
    assert all(name.startswith("GO") for name in summary["values"])

    snapshot = host.invoke("runtime.snapshot")
    assert snapshot.keys() == {"goVersion", "goos", "goarch", "cpus", "pid", "cwd", "executable", "timestamp"}
    assert (snapshot["pid"], snapshot["cwd"], snapshot["cpus"]) == (host.plugin_pid, os.getcwd(), os.cpu_count())
    assert Path(snapshot["executable"]["path"]).is_file()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", snapshot["timestamp"])


@requirement("jm.example.failing")
def test_the_failing_one(launch: Launch) -> None:
    host = launch("failing")

    assert refusal(host, "always") == "always failed: forced failure"
    assert refusal(host, "always", "x") == "always failed: x"
    assert host.invoke("sometimes") == {"ok": True, "mode": "ok"}
    assert host.invoke("sometimes", "other") == {"ok": True, "mode": "other"}
    assert refusal(host, "sometimes", "fail") == 'sometimes failed because mode="fail"'
    assert host.invoke("checks.requirePositive", 0.5) == {"value": 0.5, "ok": True}
    for value, text in [(0, "0"), (-1, "-1"), (-1.5, "-1.5"), (-1e21, "-1e+21")]:
        assert refusal(host, "checks.requirePositive", value) == f"value must be positive, got {text}"
    assert refusal(host, "checks.requirePositive") == "sdk call argument 0 out of range (have 0)"
