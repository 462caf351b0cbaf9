"""Modules that are no plugin's: native ones, and the documentation of all; see host/runtime.py."""
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from goplugin.core.errors import ConfigError
from host import Runtime
from jsbridge.dochub import Entry, Ref, Source
from jsbridge.sdk import Module
from tests.host.plugins import add_echo
from tests.support import requirement


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    """One runtime with one plugin, `plugin:echo`."""
    directory = tmp_path_factory.mktemp("plugins")
    add_echo(directory, "echo", "plugin:echo")
    runtime = Runtime([str(directory)])
    runtime.register_native("early", {"double": lambda number: number * 2})
    with runtime:
        yield runtime


@requirement("jm.native")
def test_a_native_module_works_beside_those_of_plugins(runtime: Runtime) -> None:
    code = "require('early').double(require('plugin:echo').ping(21))"

    assert runtime.eval(code) == 42


@requirement("jm.native")
def test_a_native_module_may_come_while_the_runtime_runs(runtime: Runtime) -> None:
    runtime.register_native("late", {"eval": runtime.eval})

    assert runtime.eval("require('late').eval('1 + 1')") == 2


@requirement("jm.native")
def test_a_module_of_the_sdk_is_native_or_a_plugin_by_where_it_is_registered(runtime: Runtime) -> None:
    module = Module("plugin:shared")
    module.function(lambda text: len(text), name="size")
    runtime.register_native("shared", module)

    assert runtime.eval("require('shared').size('abc')") == 3


@requirement("jm.native")
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("early", 'native module "early" is registered already'),
        ("docs", 'native module "docs" is registered already'),
        ("plugin:mine", 'native module "plugin:mine" must not use namespace "plugin:"'),
        ("./mine", 'native module "./mine" has a name that stands for a file'),
    ],
)
def test_a_name_that_is_taken_is_refused(runtime: Runtime, name: str, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        runtime.register_native(name, {})

    assert str(caught.value) == text


@requirement("jm.docs-hub")
def test_the_plugins_are_documented_in_code_without_a_file(runtime: Runtime) -> None:
    entry = runtime.eval("require('docs').byID('plugin-manifests', 'plugin-method', 'plugin:echo/strings.upper')")

    assert (entry["title"], entry["summary"], entry["tags"]) == ("strings.upper", "Make it louder.", ["case"])
    assert entry["path"].endswith("goja-plugin-echo")
    assert runtime.eval("require('docs').sources().map(function (source) { return source.id })") == [
        "default-help", "plugin-manifests",
    ]


@requirement("jm.docs-hub")
def test_and_in_a_script(runtime: Runtime, tmp_path: Path) -> None:
    seen: list[object] = []
    runtime.register_native("seen", {"add": seen.append})
    (tmp_path / "script.js").write_text("""
        require('seen').add(require('docs').search({text: 'louder'}).map(function (entry) { return entry.ref.id }));
    """)

    runtime.run_file(tmp_path / "script.js")

    assert seen == [["plugin:echo/strings.upper"]]


@requirement("jm.docs-hub")
def test_python_has_the_same_documentation(runtime: Runtime) -> None:
    entry = runtime.docs.by_id("plugin-manifests", "plugin-module", "plugin:echo")

    assert entry is not None
    assert entry.summary == "Answers tests."


@requirement("jm.docs-hub")
def test_help_pages_are_documentation_too(runtime: Runtime) -> None:
    page = runtime.eval("require('docs').bySlug('default-help', 'goja-plugin-user-guide')")

    assert page["title"] == "Using plugins from JavaScript"
    assert page["summary"].startswith("A plugin is a program")


def test_a_host_may_add_documentation_of_its_own(runtime: Runtime) -> None:
    entry = Entry(Ref("mine", "note", "n"), "A note")
    runtime.docs.add(Source("mine", "notes", "Mine", "", lambda: [entry]))

    assert runtime.eval("require('docs').byID('mine', 'note', 'n').title") == "A note"


def test_there_is_documentation_without_plugins(tmp_path: Path) -> None:
    with Runtime([str(tmp_path)]) as runtime:
        assert runtime.docs.search(source_ids=["plugin-manifests"]) == []
        assert runtime.eval("require('docs').search({sourceIds: ['plugin-manifests']})") == []


def test_a_script_that_exits_raises_what_ends_a_program(runtime: Runtime, tmp_path: Path) -> None:
    (tmp_path / "exits.js").write_text("try { process.exit(3) } finally { require('early').double(1) }")

    with pytest.raises(SystemExit) as caught:
        runtime.run_file(tmp_path / "exits.js")

    assert caught.value.code == 3
    assert runtime.eval("require('early').double(1)") == 2


def test_packages_are_found_beside_a_script(runtime: Runtime, tmp_path: Path) -> None:
    package = tmp_path / "node_modules" / "shout"
    package.mkdir(parents=True)
    (package / "index.js").write_text("module.exports = require('plugin:echo').strings.upper")
    (tmp_path / "script.js").write_text("globalThis.loud = require('shout')('quiet')")

    runtime.run_file(tmp_path / "script.js")

    assert runtime.eval("loud") == "QUIET"
