"""What a plugin has imported by its first reply; docs/start-up.md has the budget, and what each of them costs.

A Go tool launches a plugin several times per command, so every module here is time that a person waits: a new one needs
a reason.
"""
from __future__ import annotations

import subprocess
import sys

import pytest

from host import Runtime
from scripts.install_modules import install

PLUGIN = """
import sys

from jsbridge.sdk import Call, Module, serve_module

module = Module("plugin:start-up")


@module.function
def modules(call: Call) -> list[str]:
    return list(sys.modules)


if __name__ == "__main__":
    serve_module(module)
"""

# Beyond what a bare interpreter has, and without private modules, which differ from version to version.
STANDARD_LIBRARY = """
    __future__ array binascii collections contextlib copyreg enum errno functools gc importlib itertools keyword math
    operator re reprlib runpy select selectors signal socket struct threading types typing warnings
"""
OURS = """
    goplugin goplugin.context goplugin.crashes goplugin.credentials goplugin.details goplugin.loghook goplugin.plugin
    goplugin.server goplugin.services goplugin.serving goplugin.stdio goplugin.transport goplugin.workers
    goplugin.core goplugin.core.environ goplugin.core.errors goplugin.core.handshake goplugin.core.messages
    goplugin.core.protowire goplugin.core.status goplugin.core.versions
    goplugin.core.http2 goplugin.core.http2.calls goplugin.core.http2.client goplugin.core.http2.connection
    goplugin.core.http2.events goplugin.core.http2.faults goplugin.core.http2.frames goplugin.core.http2.headers
    goplugin.core.http2.hpack goplugin.core.http2.huffman goplugin.core.http2.messages goplugin.core.http2.metadata
    goplugin.core.http2.outbox goplugin.core.http2.requests goplugin.core.http2.responses goplugin.core.http2.server
    goplugin.core.http2.settings goplugin.core.http2.stream
    goplugin.sync goplugin.sync.connection goplugin.sync.link goplugin.sync.methods goplugin.sync.relief
    goplugin.sync.server goplugin.sync.server_call goplugin.sync.services goplugin.sync.serving goplugin.sync.stream
    jsbridge jsbridge.binary jsbridge.call jsbridge.contract jsbridge.manifest jsbridge.plugin jsbridge.sdk
    jsbridge.signature jsbridge.value_decoder jsbridge.values
"""


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """What a plugin of the SDK, installed as users install theirs, has loaded and a bare interpreter has not."""
    directory = tmp_path_factory.mktemp("start-up")
    source = directory / "source.py"
    source.write_text(PLUGIN, "utf-8")
    plugins = directory / "plugins"
    plugins.mkdir()
    install(source, plugins / "goja-plugin-start-up", sys.executable)
    with Runtime(plugin_dirs=[str(plugins)]) as runtime:
        loaded = runtime.call("plugin:start-up", "modules")
    bare = subprocess.run([sys.executable, "-c", "import sys; print(*sys.modules)"], stdout=subprocess.PIPE, check=True)
    assert isinstance(loaded, list)
    return set(map(str, loaded)) - set(bare.stdout.decode().split())


def test_a_plugin_imports_no_more_of_the_standard_library_than_it_needs(imported: set[str]) -> None:
    tops = {name.partition(".")[0] for name in imported} & sys.stdlib_module_names

    assert sorted(top for top in tops if top == "__future__" or not top.startswith("_")) == STANDARD_LIBRARY.split()


def test_a_plugin_imports_no_more_of_ours_than_it_needs(imported: set[str]) -> None:
    assert {name for name in imported if name.startswith(("goplugin", "jsbridge", "host"))} == set(OURS.split())


def test_a_plugin_imports_nothing_else(imported: set[str]) -> None:
    assert {name.partition(".")[0] for name in imported} - sys.stdlib_module_names == {"goplugin", "jsbridge"}
