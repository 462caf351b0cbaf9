from __future__ import annotations

from typing import Any

import pytest

from goplugin.core.errors import ConfigError
from jsbridge.contract import ModuleManifest
from jsbridge.manifest import ManifestError
from jsbridge.native import native_module
from jsbridge.registry import ModuleRegistry, NativeModule, NativeRegistry, RegisteredModule
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


def native(name: str) -> NativeModule:
    return native_module(name, {"f": len})


def test_a_native_module_is_made_when_it_is_asked_for() -> None:
    made: list[NativeModule] = []

    def make() -> NativeModule:
        made.append(native("files"))
        return made[-1]

    natives = NativeRegistry()
    natives.add("files", make)

    assert "files" in natives
    assert list(natives) == ["files"]
    assert made == []
    assert natives.get("files") is natives.get("files")
    assert len(made) == 1
    assert natives.get("other") is None


@requirement("jm.native")
@pytest.mark.parametrize("name", ["plugin:x", "plugin:", "", "./x", "../x", "/x", ".", ".x"])
def test_a_name_that_means_something_else_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="native module"):
        NativeRegistry().add(name, lambda: native("x"))


@requirement("jm.native")
def test_a_name_that_is_taken_is_refused() -> None:
    natives = NativeRegistry()
    natives.add("files", lambda: native("files"))

    with pytest.raises(ConfigError, match='native module "files" is registered already'):
        natives.add("files", lambda: native("files"))


def test_a_registry_may_be_given_its_native_modules() -> None:
    natives = NativeRegistry()

    assert ModuleRegistry(natives).natives is natives
    assert list(ModuleRegistry().natives) == []
