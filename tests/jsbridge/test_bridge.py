from __future__ import annotations

import json
from typing import Any

import pytest

from goplugin.core.errors import PluginLostError
from jsbridge.bridge import Bridge
from jsbridge.contract import ExportKind, ExportSpec, ModuleManifest
from jsbridge.registry import ModuleRegistry, RegisteredModule


def bridge_for(invoke: Any) -> Bridge:
    registry = ModuleRegistry()
    manifest = ModuleManifest("plugin:m", exports=(ExportSpec("f", ExportKind.FUNCTION),))
    registry.add(RegisteredModule(manifest, "/plugins/m", invoke))
    return Bridge(registry, call_timeout=2.0, stdout=print, stderr=print, explain=None)


def ask(bridge: Bridge, name: str, argument: Any) -> Any:
    reply = bridge.dispatch(name.encode(), json.dumps([argument]).encode())
    return json.loads(reply) if reply is not None else json.loads(bridge.dispatch(b"outcome", b"[]") or b"")


def test_a_module_is_told_as_names_of_calls() -> None:
    bridge = bridge_for(lambda *call: list(call))
    ((export, call),) = ask(bridge, "resolve", [None, "plugin:m", []])["shape"]

    assert export == "f"
    assert ask(bridge, call, ["a", ["[1]"]]) == ["f", "", ["a", [1]], 2.0]


@pytest.mark.parametrize("error", [KeyboardInterrupt("x"), SystemExit(1), ValueError("a bug"), RecursionError()])
def test_any_exception_but_ours_waits_until_the_script_has_ended(error: BaseException) -> None:
    def fail(*call: object) -> None:
        raise error

    bridge = bridge_for(fail)
    ((_, call),) = ask(bridge, "resolve", [None, "plugin:m", []])["shape"]

    assert ask(bridge, call, []) == {"stop": type(error).__name__}
    assert bridge.stop is error


def test_a_request_that_nobody_knows_stops_the_script() -> None:
    bridge = bridge_for(print)

    assert ask(bridge, "nonsense", None) == {"stop": "KeyError"}


def test_an_error_of_ours_is_kept_by_its_number_and_found_by_its_text() -> None:
    def fail(*call: object) -> None:
        raise PluginLostError("gone")

    bridge = bridge_for(fail)
    ((_, call),) = ask(bridge, "resolve", [None, "plugin:m", []])["shape"]
    error = ask(bridge, call, [])["error"]

    assert error == {
        "name": "GoError",
        "message": "rpc error: code = Unavailable desc = gone",
        "code": "Unavailable",
        "details": [],
        "plugin": "plugin:m",
        "origin": 1,
    }
    assert isinstance(bridge.origin(1), PluginLostError)
    assert bridge.last_origin(error["message"]) == 1
    assert bridge.origin(2) is bridge.origin(None) is bridge.last_origin("other") is None
