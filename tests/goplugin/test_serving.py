"""Which runtime serves what; what both have in common is in test_server.py and test_stdio.py."""
from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from goplugin.core.environ import PluginEnvironment
from goplugin.core.errors import ConfigError
from goplugin.credentials import Credentials
from goplugin.plugin import GRPCServer, Method, Streams
from goplugin.server import _new_server, _runtime_for
from goplugin.serving import Serving
from goplugin.stdio import OutputCapture

from .harness import PLUGINS, SECONDS
from .plugins.contract import HANDSHAKE, Text

RUNTIMES = pytest.mark.parametrize("home", ["goplugin", "goplugin.sync"])
PROGRAM = """
import sys
sys.path.insert(0, {plugins!r})
from contract import ECHO_PATH, HANDSHAKE, Text
from goplugin.plugin import GRPCPlugin, Method, Streams
from {home} import ServeConfig, serve

class Service:
    def __mapping__(self):
        return {{ECHO_PATH: Method(self.echo, Streams(), Text, Text)}}
    {kind} echo(self, *arguments):
        pass

class Plugin(GRPCPlugin):
    def grpc_server(self, server):
        server.add_service(Service())

serve(ServeConfig(handshake=HANDSHAKE, plugins={{"probe": Plugin()}}))
sys.stderr.write("asyncio" if "asyncio" in sys.modules else "plain")
"""


class Servicer:
    def __init__(self, *methods: Any) -> None:
        self._methods = methods

    def __mapping__(self) -> dict[str, Method]:
        return {f"/test.Test/{index}": Method(each, Streams(), Text, Text) for index, each in enumerate(self._methods)}


def plain(request: Text, context: object) -> Text:
    return request


async def coroutine(stream: object) -> None:
    pass


def serving(server: GRPCServer, **changes: Any) -> Serving:
    values = (PluginEnvironment(), 1, server, Credentials(), OutputCapture())
    return Serving(*values, outlive_host=False, network=None, **changes)


class Callable:
    def __call__(self, request: Text, context: object) -> Text:
        return request


@pytest.mark.parametrize(
    ("servicers", "runtime"),
    [
        ([], "goplugin.sync.serving"),
        ([Servicer(plain, Callable())], "goplugin.sync.serving"),
        ([Servicer(plain, coroutine)], "goplugin.aio.serving"),
        ([Servicer(plain), Servicer(coroutine)], "goplugin.aio.serving"),
    ],
)
def test_one_coroutine_makes_it_asyncio(servicers: list[Servicer], runtime: str) -> None:
    server = GRPCServer()
    for servicer in servicers:
        server.add_service(servicer)

    assert _runtime_for(serving(server)).__module__ == runtime


@pytest.mark.parametrize(("hook", "runtime"), [(print, "goplugin.sync.serving"), (coroutine, "goplugin.aio.serving")])
def test_what_is_done_at_the_end_may_be_a_coroutine_too(hook: Any, runtime: str) -> None:
    assert _runtime_for(serving(GRPCServer(), on_shutdown=hook)).__module__ == runtime


def test_a_broker_decides_the_runtime_before_the_methods_do() -> None:
    for take, runtime in [("broker", "goplugin.aio.serving"), ("sync_broker", "goplugin.sync.serving")]:
        for method in (plain, coroutine):
            server = _new_server(PluginEnvironment(), Credentials())
            server.add_service(Servicer(method))
            assert getattr(server, take)

            assert _runtime_for(serving(server)).__module__ == runtime


@pytest.fixture
def orphan_stdout() -> Iterator[int]:
    """The stdout of a plugin whose host has died before it could read the line; such a plugin ends at once."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    yield write_end
    os.close(write_end)


def served(home: str, kind: str, stdout: int) -> tuple[int, str]:
    """The exit code and the stderr of a plugin."""
    source = PROGRAM.format(home=home, kind=kind, plugins=str(PLUGINS))
    env = os.environ | {HANDSHAKE.magic_cookie_key: HANDSHAKE.magic_cookie_value}
    result = subprocess.run(
        [sys.executable, "-c", source], env=env, stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=SECONDS,
        check=False,
    )
    return result.returncode, result.stderr


@RUNTIMES
def test_a_plain_plugin_never_imports_asyncio(home: str, orphan_stdout: int) -> None:
    assert served(home, "def", orphan_stdout) == (0, "plain")


def test_a_coroutine_is_served_by_asyncio(orphan_stdout: int) -> None:
    assert served("goplugin", "async def", orphan_stdout) == (0, "asyncio")


def test_the_blocking_runtime_refuses_a_coroutine(orphan_stdout: int) -> None:
    code, stderr = served("goplugin.sync", "async def", orphan_stdout)

    assert code == 1
    assert stderr.splitlines()[-1].startswith(f"{ConfigError.__module__}.ConfigError: /")
    assert "is asynchronous" in stderr
