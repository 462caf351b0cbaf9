"""The six examples behave as their twins in Go do, as far as a caller can tell."""
from __future__ import annotations

import importlib.util
import math
import os
import platform
import re
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from goplugin.core.errors import RemoteError
from goplugin.core.status import Code
from jsbridge.contract import ExportKind, InvokeRequest, InvokeResponse
from jsbridge.sdk import Module
from tests.support import requirement

DIRECTORY = Path(__file__).parents[2] / "examples" / "plugins"

# File -> module name, capabilities, exports; an object's exports are its methods with their tags.
SHAPES: dict[str, tuple[str, list[str], dict[str, dict[str, list[str]] | None]]] = {
    "greeter": (
        "plugin:examples:greeter",
        ["examples", "strings"],
        {"greet": None, "strings": {"upper": ["strings", "uppercase"], "lower": []}, "meta": {"pid": []}},
    ),
    "clock": (
        "plugin:examples:clock",
        ["examples", "metadata", "structured-results"],
        {"now": None, "utc": {"now": ["time", "utc"]}},
    ),
    "validator": (
        "plugin:examples:validator",
        ["examples", "call-helpers", "validation"],
        {"greet": None, "grade": None, "profiles": {"check": ["validation", "profiles"]}},
    ),
    "kv": (
        "plugin:examples:kv",
        ["examples", "stateful", "object-methods"],
        {
            "store": {
                "set": ["kv", "mutation"],
                "get": ["kv", "lookup"],
                "delete": ["kv", "mutation"],
                "keys": ["kv", "listing"],
                "clear": ["kv", "mutation"],
                "size": ["kv", "stats"],
            }
        },
    ),
    "system_info": (
        "plugin:examples:system-info",
        ["examples", "mixed-exports", "nested-results"],
        {"hostname": None, "envSummary": None, "runtime": {"snapshot": ["runtime", "process"]}},
    ),
    "failing": (
        "plugin:examples:failing",
        ["examples", "errors"],
        {"always": None, "sometimes": None, "checks": {"requirePositive": ["validation", "numbers"]}},
    ),
}


class Plugin:
    """An example, freshly loaded and called in this process; arguments and results cross the wire all the same."""

    def __init__(self, name: str) -> None:
        spec = importlib.util.spec_from_file_location(f"example_{name}", DIRECTORY / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        namespace = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(namespace)
        self.module: Module = namespace.module

    def __call__(self, path: str, *args: Any) -> Any:
        export, _, method = path.partition(".")
        request = InvokeRequest.FromString(InvokeRequest(export, method, args).SerializeToString())
        return InvokeResponse.FromString(self.module.invoke(request).SerializeToString()).result

    def error(self, path: str, *args: Any) -> str:
        with pytest.raises(RemoteError) as caught:
            self(path, *args)
        assert caught.value.code is Code.UNKNOWN
        return caught.value.message


@pytest.fixture
def greeter() -> Plugin:
    return Plugin("greeter")


@pytest.fixture
def clock() -> Plugin:
    return Plugin("clock")


@pytest.fixture
def validator() -> Plugin:
    return Plugin("validator")


@pytest.fixture
def kv() -> Plugin:
    return Plugin("kv")


@pytest.fixture
def system_info() -> Plugin:
    return Plugin("system_info")


@pytest.fixture
def failing() -> Plugin:
    return Plugin("failing")


@pytest.mark.parametrize("name", SHAPES)
def test_the_manifest_has_the_shape_of_the_one_in_go(name: str) -> None:
    manifest = Plugin(name).module.manifest()
    module_name, capabilities, exports = SHAPES[name]

    assert (manifest.module_name, manifest.version) == (module_name, "v1")
    assert list(manifest.capabilities) == capabilities
    assert {
        export.name: {method.name: list(method.tags) for method in export.method_specs} or None
        for export in manifest.exports
    } == exports
    assert [export.name for export in manifest.exports] == list(exports)
    for export in manifest.exports:
        assert export.kind == (ExportKind.OBJECT if export.method_specs else ExportKind.FUNCTION)


@pytest.mark.parametrize("name", SHAPES)
def test_everything_with_tags_is_documented(name: str) -> None:
    manifest = Plugin(name).module.manifest()

    assert manifest.doc
    assert all(export.doc for export in manifest.exports)
    for method in (method for export in manifest.exports for method in export.method_specs if method.tags):
        assert method.summary
        assert method.summary == method.doc


# --- greeter -------------------------------------------------------------------------------------------------------


@requirement("jm.example.greeter")
@pytest.mark.parametrize("args", [(), ("",), (5,), (None,), (["a"],), ("world", "ignored")])
def test_whoever_is_not_named_is_the_world(greeter: Plugin, args: tuple[Any, ...]) -> None:
    assert greeter("greet", *args) == "hello, world"
    assert greeter("greet", "hello") == "hello, hello"


@requirement("jm.example.greeter")
@pytest.mark.parametrize(
    ("text", "upper"),
    [("hello", "HELLO"), ("straße", "STRAßE"), ("àb", "ÀB"), ("", ""), ("ﬁ ᾳ ŉ ÿ", "ﬁ ᾼ ŉ Ÿ")],
)
def test_capitals_are_made_letter_by_letter(greeter: Plugin, text: str, upper: str) -> None:
    assert greeter("strings.upper", text) == upper


@requirement("jm.example.greeter")
@pytest.mark.parametrize(("text", "lower"), [("ÀB", "àb"), ("ΟΔΟΣ", "οδοσ"), ("İ", "i"), ("ẞ", "ß")])
def test_small_letters_are_made_letter_by_letter(greeter: Plugin, text: str, lower: str) -> None:
    assert greeter("strings.lower", text) == lower


@requirement("jm.example.greeter")
def test_without_a_text_there_is_no_text(greeter: Plugin) -> None:
    assert (greeter("strings.upper"), greeter("strings.lower", 5)) == ("", "")


@requirement("jm.example.greeter")
def test_the_greeter_knows_its_process(greeter: Plugin) -> None:
    assert greeter("meta.pid", "ignored") == os.getpid()


# --- clock ---------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["UTC0", "IST-5:30", "<-03>3", "GMT0BST,M3.5.0/1,M10.5.0"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@requirement("jm.example.clock")
@pytest.mark.usefixtures("zone")
@pytest.mark.parametrize("export", ["now", "utc.now"])
def test_all_parts_are_of_the_same_moment(clock: Plugin, export: str) -> None:
    before = time.time_ns()
    parts = clock(export, "ignored", 1)
    after = time.time_ns()

    assert before <= int(parts["unix"]) * 1_000_000_000 + int(parts["nanosecond"]) <= after
    broken_down = time.localtime(parts["unix"]) if export == "now" else time.gmtime(parts["unix"])
    assert parts["date"] == time.strftime("%Y-%m-%d", broken_down)
    assert parts["time"] == time.strftime("%H:%M:%S", broken_down)
    assert parts["weekday"] == time.strftime("%A", broken_down)
    assert parts["zone"] == (time.strftime("%Z", broken_down) if export == "now" else "UTC")
    assert parts["rfc3339"].startswith(f"{parts['date']}T{parts['time']}")
    assert datetime.fromisoformat(parts["rfc3339"]).timestamp() == parts["unix"]
    assert parts["rfc3339"].endswith("Z") == (broken_down.tm_gmtoff == 0)
    assert re.fullmatch(r"Z|[+-]\d\d:\d\d", parts["rfc3339"][19:])


@requirement("jm.example.clock")
def test_the_parts_have_their_order(clock: Plugin) -> None:
    keys = ["unix", "rfc3339", "date", "time", "zone", "weekday", "nanosecond"]

    assert list(clock("now")) == keys
    assert list(clock("utc.now")) == keys


# --- validator -----------------------------------------------------------------------------------------------------


@requirement("jm.example.validator")
def test_a_greeting_may_be_loud(validator: Plugin) -> None:
    assert validator("greet") == "hello, world"
    assert validator("greet", "you", False) == "hello, you"
    assert validator("greet", "straße", True) == "hello, STRAßE!"
    assert validator("greet", 5, True) == "hello, WORLD!"
    assert validator.error("greet", "you", None) == "sdk call argument 1 expected bool, got <nil>"
    assert validator.error("greet", "you", 1) == "sdk call argument 1 expected bool, got float64"


@requirement("jm.example.validator")
@pytest.mark.parametrize(
    ("args", "strict", "passing"),
    [((0.5,), False, True), ((0.49,), False, False), ((0.8, True), True, True), ((0.79, True), True, False)],
)
def test_a_grade_passes_from_its_limit_on(
    validator: Plugin, args: tuple[Any, ...], strict: bool, passing: bool
) -> None:
    assert validator("grade", *args) == {"score": args[0], "strict": strict, "passing": passing}


@requirement("jm.example.validator")
def test_a_grade_needs_a_number(validator: Plugin) -> None:
    assert validator.error("grade") == "sdk call argument 0 out of range (have 0)"
    assert validator.error("grade", "1") == "sdk call argument 0 expected float64, got string"
    assert validator.error("grade", 1, "yes") == "sdk call argument 1 expected bool, got string"


@requirement("jm.example.validator")
def test_a_profile_needs_a_name_and_a_list_of_tags(validator: Plugin) -> None:
    check = "profiles.check"

    assert validator(check, {"name": " Ada "}, ["admin", 1]) == {
        "name": "Ada",
        "tagCount": 2,
        "hasAdmin": True,
        "validated": True,
    }
    assert validator(check, {"name": "Ada"}, ["Admin"])["hasAdmin"] is False
    assert validator.error(check, "Ada") == "sdk call argument 0 expected map[string]any, got string"
    for nameless in ({}, {"name": " "}, {"name": 5}):
        assert validator.error(check, nameless, "tags") == "profile.name must be a non-empty string"
    assert validator.error(check, {"name": "Ada"}) == "sdk call argument 1 out of range (have 1)"
    assert validator.error(check, {"name": "Ada"}, {}) == (
        "sdk call argument 1 expected []any, got map[string]interface {}"
    )


# --- kv ------------------------------------------------------------------------------------------------------------


@requirement("jm.example.kv")
def test_the_store_remembers(kv: Plugin) -> None:
    assert kv("store.size") == 0
    assert kv("store.set", "role", "admin") == {"key": "role", "value": "admin", "size": 1}
    assert kv("store.set", "name", "Ada") == {"key": "name", "value": "Ada", "size": 2}
    assert kv("store.set", "name", "") == {"key": "name", "value": "", "size": 2}
    assert kv("store.get", "role") == "admin"
    assert kv("store.get", "nobody") is None
    assert kv("store.delete", "name") == {"deleted": True, "size": 1}
    assert kv("store.delete", "name") == {"deleted": False, "size": 1}
    assert kv("store.clear") == {"cleared": 1}
    assert kv("store.keys") == []


@requirement("jm.example.kv")
def test_keys_are_listed_in_the_order_of_their_bytes(kv: Plugin) -> None:
    for key in ("é", "z", "Z", "\U0001f600", "\uffff", ""):
        kv("store.set", key, "")

    assert kv("store.keys") == ["", "Z", "z", "é", "\uffff", "\U0001f600"]


@requirement("jm.example.kv")
def test_the_store_takes_texts_only(kv: Plugin) -> None:
    assert kv.error("store.set", 1, "x") == "sdk call argument 0 expected string, got float64"
    assert kv.error("store.set", "x", {}) == "sdk call argument 1 expected string, got map[string]interface {}"
    assert kv.error("store.set", "x") == "sdk call argument 1 out of range (have 1)"
    assert kv.error("store.get") == "sdk call argument 0 out of range (have 0)"
    assert kv("store.size") == 0


# --- system_info ---------------------------------------------------------------------------------------------------


@requirement("jm.example.system-info")
def test_the_environment_is_filtered_by_prefix(system_info: Plugin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GO_EXAMPLE", "a=b")
    monkeypatch.setenv("MY_ONE", "1")
    monkeypatch.setenv("MY_TWO", "")

    assert system_info("envSummary", "MY_") == {"prefix": "MY_", "count": 2, "values": {"MY_ONE": "1", "MY_TWO": ""}}
    for args in ((), ("",), (5,)):
        summary = system_info("envSummary", *args)
        assert summary["prefix"] == "GO"
        assert summary["values"]["GO_EXAMPLE"] == "a=b"
        assert summary["count"] == len(summary["values"])
        assert all(name.startswith("GO") for name in summary["values"])


@requirement("jm.example.system-info")
def test_the_snapshot_describes_this_process(system_info: Plugin) -> None:
    before = int(time.time())
    snapshot = system_info("runtime.snapshot")

    assert list(snapshot) == ["goVersion", "goos", "goarch", "cpus", "pid", "cwd", "executable", "timestamp"]
    assert snapshot["goVersion"] == f"python{platform.python_version()}"
    assert snapshot["goos"] == platform.system().lower()
    assert {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine()) in (None, snapshot["goarch"])
    assert (snapshot["cpus"], snapshot["pid"], snapshot["cwd"]) == (os.cpu_count(), os.getpid(), os.getcwd())
    assert snapshot["executable"] == {"path": sys.executable}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", snapshot["timestamp"])
    assert before <= datetime.fromisoformat(snapshot["timestamp"]).timestamp() <= time.time()


@requirement("jm.example.system-info")
def test_the_machine_has_a_name(system_info: Plugin) -> None:
    assert system_info("hostname") == platform.node() != ""


# --- failing -------------------------------------------------------------------------------------------------------


@requirement("jm.example.failing")
def test_an_error_carries_its_reason(failing: Plugin) -> None:
    assert failing.error("always") == "always failed: forced failure"
    assert failing.error("always", "x") == "always failed: x"
    assert failing.error("always", "") == "always failed: forced failure"


@requirement("jm.example.failing")
def test_only_one_mode_fails(failing: Plugin) -> None:
    assert failing("sometimes") == {"ok": True, "mode": "ok"}
    assert failing("sometimes", "slow") == {"ok": True, "mode": "slow"}
    assert failing.error("sometimes", "fail") == 'sometimes failed because mode="fail"'


@requirement("jm.example.failing")
@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (-1, "-1"), (-1.5, "-1.5"), (-1e21, "-1e+21"), (-math.inf, "-Inf")]
)
def test_a_number_that_is_not_positive_is_refused(failing: Plugin, value: float, text: str) -> None:
    assert failing.error("checks.requirePositive", value) == f"value must be positive, got {text}"


@requirement("jm.example.failing")
def test_a_positive_number_comes_back(failing: Plugin) -> None:
    assert failing("checks.requirePositive", 0.5) == {"value": 0.5, "ok": True}
    assert failing.error("checks.requirePositive", "1") == "sdk call argument 0 expected float64, got string"
    assert failing.error("checks.requirePositive") == "sdk call argument 0 out of range (have 0)"
