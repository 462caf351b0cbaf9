from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jsbridge.contract import ExportKind, ExportSpec, ModuleManifest
from jsbridge.lookup import Lookup
from jsbridge.native import native_module
from jsbridge.registry import Invoke, ModuleRegistry, RegisteredModule
from jsbridge.resolution import RequireError


def invoke(export: str, method: str, args: list[Any], timeout: float | None) -> None: ...


def bind(module: str, invoke: Invoke, export: str, method: str) -> str:
    return f"{module} {export} {method}"


@pytest.fixture
def registry() -> ModuleRegistry:
    registry = ModuleRegistry()
    manifest = ModuleManifest("plugin:m", exports=(ExportSpec("f", ExportKind.FUNCTION),))
    registry.add(RegisteredModule(manifest, "/plugins/m", invoke))
    registry.natives.add("native", lambda: native_module("native", {"g": len, "k": 5}))
    return registry


def lookup(registry: ModuleRegistry, explain: Callable[[str], str] | None = None) -> Lookup:
    return Lookup(registry, bind, explain)


def test_a_registered_name_has_a_shape(registry: ModuleRegistry) -> None:
    assert lookup(registry).resolve("/", "plugin:m", []) == {"shape": [("f", "plugin:m f ")]}
    assert lookup(registry).resolve("/", "native", []) == {"shape": [("g", "native g "), ("k", {"value": 5})]}


@pytest.mark.parametrize("name", ["plugin:m", "native"])
def test_a_registered_name_is_itself_and_looked_for_nowhere(registry: ModuleRegistry, name: str) -> None:
    assert lookup(registry).find("/", name, []) == name
    assert lookup(registry).paths("/", name) is None


@pytest.mark.parametrize("name", ["native", "plugin:m"])
def test_a_registered_name_wins_over_a_package(registry: ModuleRegistry, tmp_path: Path, name: str) -> None:
    package = tmp_path / "node_modules" / name
    package.mkdir(parents=True)
    (package / "index.js").touch()

    assert "shape" in lookup(registry).resolve(str(tmp_path), name, [])


def test_a_plugins_name_is_never_a_file(registry: ModuleRegistry, tmp_path: Path) -> None:
    package = tmp_path / "node_modules" / "plugin:other"
    package.mkdir(parents=True)
    (package / "index.js").touch()

    with pytest.raises(RequireError, match="Cannot find module 'plugin:other'"):
        lookup(registry).resolve(str(tmp_path), "plugin:other", [])


def test_a_file_has_a_path(registry: ModuleRegistry, tmp_path: Path) -> None:
    (tmp_path / "x.js").touch()
    path = str(tmp_path.resolve() / "x.js")

    assert lookup(registry).resolve(str(tmp_path), "./x", []) == {"path": path, "directory": os.path.dirname(path)}
    assert lookup(registry).find(str(tmp_path), "./x", []) == path


def test_code_that_is_no_file_looks_from_the_working_directory(
    registry: ModuleRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "node_modules" / "x.js").touch()
    monkeypatch.chdir(tmp_path)

    assert lookup(registry).find(None, "x", []) == str(tmp_path.resolve() / "node_modules" / "x.js")
    assert lookup(registry).paths(None, "./x") == [os.getcwd()]


def test_directories_are_told(registry: ModuleRegistry) -> None:
    assert lookup(registry).paths("/a", "x") == ["/a/node_modules", "/node_modules"]
    assert lookup(registry).paths("/a", "./x") == ["/a"]


def test_an_error_has_the_files_that_required(registry: ModuleRegistry) -> None:
    with pytest.raises(RequireError) as caught:
        lookup(registry, str.upper).resolve("/", "nope", ["/b.js", "/a.js"])

    assert str(caught.value) == "Cannot find module 'nope'\nRequire stack:\n- /b.js\n- /a.js"
    assert caught.value.code == "MODULE_NOT_FOUND"
    assert caught.value.properties == {"requireStack": ["/b.js", "/a.js"]}


@pytest.mark.parametrize("name", ["fs", "node:fs", "fs/promises", "path"])
def test_a_module_of_nodes_own_is_known_as_such(registry: ModuleRegistry, name: str) -> None:
    with pytest.raises(RequireError) as caught:
        lookup(registry).resolve("/", name, ["/a.js"])

    assert str(caught.value) == (
        f"Cannot find module '{name}': Node's own modules are not there\nRequire stack:\n- /a.js"
    )


def test_a_package_may_have_the_name_of_one_of_nodes(registry: ModuleRegistry, tmp_path: Path) -> None:
    package = tmp_path / "node_modules" / "events"
    package.mkdir(parents=True)
    (package / "index.js").touch()

    assert lookup(registry).find(str(tmp_path), "events", []) == str(package.resolve() / "index.js")


def test_the_error_for_a_plugin_is_explained_instead(registry: ModuleRegistry) -> None:
    with pytest.raises(RequireError) as caught:
        lookup(registry, str.upper).resolve("/", "plugin:x", ["/a.js"])

    assert str(caught.value) == "Cannot find module 'plugin:x'\nPLUGIN:X"


def test_a_refused_name_says_why(registry: ModuleRegistry) -> None:
    registry.refuse("plugin:x", "not in the allowlist")

    with pytest.raises(RequireError, match=r"^not in the allowlist$") as caught:
        lookup(registry).find("/", "plugin:x", [])

    assert caught.value.code == "ERR_NOT_ALLOWED"


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("x.mjs", b"", "ERR_REQUIRE_ESM"),
        ("x.js", b"\xff", "EILSEQ"),
        ("gone.js", None, "ENOENT"),
        (".", None, "EISDIR"),
    ],
)
def test_a_file_that_cannot_be_a_script_says_why(
    registry: ModuleRegistry, tmp_path: Path, name: str, content: bytes | None, code: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(RequireError) as caught:
        lookup(registry).read(str(path))

    assert caught.value.code == code
    assert str(path) in str(caught.value)
