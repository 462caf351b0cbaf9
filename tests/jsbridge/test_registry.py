from __future__ import annotations

from typing import Any

import pytest

from jsbridge.contract import ModuleManifest
from jsbridge.manifest import ManifestError
from jsbridge.registry import ModuleRegistry, RegisteredModule
from tests.support import requirement


def module(name: str, path: str = "/plugins/p") -> RegisteredModule:
    def invoke(export: str, method: str, args: list[Any], timeout: float | None) -> None:
        return None

    return RegisteredModule(ModuleManifest(module_name=name), path, invoke)


def test_a_module_is_found_by_the_name_in_its_manifest() -> None:
    registry = ModuleRegistry()
    clock = module("plugin:clock")
    registry.add(clock)

    assert registry.get("plugin:clock") is clock
    assert registry.get("plugin:kv") is None


@pytest.mark.parametrize("other", ["plugin:Clock", " plugin:clock", "plugin:clock/", "plugin:x/../clock"])
def test_names_are_compared_verbatim(other: str) -> None:
    registry = ModuleRegistry()
    registry.add(module("plugin:clock"))

    assert registry.get(other) is None


def test_modules_are_listed_in_the_order_they_were_added() -> None:
    registry = ModuleRegistry()
    modules = [module("plugin:b"), module("plugin:a")]
    for each in modules:
        registry.add(each)

    assert list(registry) == modules
    assert len(registry) == 2


@requirement("jm.unique")
def test_a_second_module_of_the_same_name_is_refused_with_both_paths() -> None:
    registry = ModuleRegistry()
    first = module("plugin:clock", "/a/clock")
    registry.add(first)

    with pytest.raises(ManifestError) as caught:
        registry.add(module("plugin:clock", "/b/clock"))

    assert str(caught.value) == 'duplicate plugin module "plugin:clock" discovered at "/a/clock" and "/b/clock"'
    assert list(registry) == [first]


def test_a_refused_name_has_its_reason() -> None:
    registry = ModuleRegistry()
    registry.refuse("plugin:clock", "because")

    assert registry.refusal("plugin:clock") == "because"
    assert registry.refusal("plugin:kv") is None
    assert registry.get("plugin:clock") is None
