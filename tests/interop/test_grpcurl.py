"""grpcurl, which knows nothing of a plugin but what server reflection tells it."""
from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from goplugin.core.handshake import parse_handshake
from jsbridge import contract
from tests.support import requirement

from .conftest import ROOT
from .judges import Judges
from .plugins import kv, matrix

pytestmark = pytest.mark.go

PLUGINS = Path(__file__).parent / "plugins"
RUN = (sys.executable, "-m", "goplugin", "run")
HANDSHAKES = (contract.HANDSHAKE, kv.HANDSHAKE, matrix.HANDSHAKE)
COOKIES = {handshake.magic_cookie_key: handshake.magic_cookie_value for handshake in HANDSHAKES}
EVERY_PLUGIN = {
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
    "plugin.GRPCBroker",
    "plugin.GRPCController",
    "plugin.GRPCStdio",
}

Grpcurl = Callable[..., str]


class Served(NamedTuple):
    """A plugin, the service of its own, and a call that it answers."""

    command: tuple[str | Path, ...]
    service: str
    call: str
    request: dict[str, Any]
    reply: dict[str, Any]


MODULE = Served(
    (*RUN, PLUGINS / "echo.py"),
    "hashiplugin.contract.v1.JSModuleService",
    "hashiplugin.contract.v1.JSModuleService/Invoke",
    {"exportName": "math", "methodName": "add", "args": [1, 2]},
    {"result": 3},
)
COUNTER = Served(
    (*RUN, ROOT / "examples" / "counter" / "plugin.py"),
    "proto.Counter",
    "proto.Counter/Get",
    {"key": "x"},
    {"value": "3"},
)
MATRIX = Served(
    (sys.executable, "-m", "tests.interop.plugins.matrix_served", "aio"),
    "matrix.v1.Matrix",
    "grpc.health.v1.Health/Check",
    {"service": "plugin"},
    {"status": "SERVING"},
)


@pytest.fixture(params=[MODULE, COUNTER, MATRIX], ids=["module", "blocking", "asyncio"])
def served(request: pytest.FixtureRequest) -> Served:
    return request.param


@pytest.fixture
def grpcurl(judges: Judges, served: Served, tmp_path: Path) -> Iterator[Grpcurl]:
    """Runs grpcurl against a plugin and returns what it prints."""
    (tmp_path / "kv_x").write_text('{"Value": 3}')      # a count of the example's
    env = {**os.environ, **COOKIES, "PLUGIN_PROTOCOL_VERSIONS": "1", "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(served.command, env=env, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as plugin:
        assert plugin.stdout is not None
        line = parse_handshake(plugin.stdout.readline(), versions=range(10), allowed_protocols=["grpc"])

        def grpcurl(*arguments: str, data: str | None = None) -> str:
            options = ["-plaintext", "-unix", *(() if data is None else ("-d", data))]
            return subprocess.run(
                [judges.grpcurl, *options, line.address, *arguments], check=True, stdout=subprocess.PIPE, text=True
            ).stdout

        try:
            yield grpcurl
        finally:
            plugin.terminate()


@requirement("gp.grpc.reflection")
def test_it_lists_what_a_plugin_serves(grpcurl: Grpcurl, served: Served) -> None:
    assert set(grpcurl("list").split()) == EVERY_PLUGIN | {served.service}


@requirement("gp.grpc.reflection")
@pytest.mark.parametrize("service", sorted(EVERY_PLUGIN))
@pytest.mark.parametrize("served", [COUNTER], ids=["blocking"])
def test_it_describes_the_services_of_every_plugin(grpcurl: Grpcurl, service: str) -> None:
    assert grpcurl("describe", service).startswith(f"{service} is a service:")


@requirement("gp.grpc.reflection")
def test_it_makes_a_call(grpcurl: Grpcurl, served: Served) -> None:
    assert json.loads(grpcurl(served.call, data=json.dumps(served.request))) == served.reply
