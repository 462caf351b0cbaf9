"""grpcurl, which knows nothing of a plugin but what server reflection tells it."""
from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from goplugin.core.handshake import parse_handshake
from jsbridge.contract import HANDSHAKE
from tests.support import requirement

from .judges import Judges

pytestmark = pytest.mark.go

PLUGINS = Path(__file__).parent / "plugins"
RUN = (sys.executable, "-m", "goplugin", "run")
KV_COOKIE = {"BASIC_PLUGIN": "hello"}
JS_COOKIE = {HANDSHAKE.magic_cookie_key: HANDSHAKE.magic_cookie_value}
EVERY_PLUGIN = {
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
    "plugin.GRPCBroker",
    "plugin.GRPCController",
    "plugin.GRPCStdio",
}

Grpcurl = Callable[..., str]


@pytest.fixture(
    params=[
        pytest.param((*RUN, PLUGINS / "echo.py"), id="module"),
        pytest.param((*RUN, PLUGINS / "counter.py", "sync"), id="counter-sync"),
        pytest.param((*RUN, PLUGINS / "counter.py", "aio"), id="counter-aio"),
    ]
)
def command(request: pytest.FixtureRequest) -> tuple[str, ...]:
    return request.param


@pytest.fixture
def grpcurl(judges: Judges, command: tuple[str, ...]) -> Iterator[Grpcurl]:
    """Runs grpcurl against a plugin and returns what it prints."""
    env = {**os.environ, **KV_COOKIE, **JS_COOKIE, "PLUGIN_PROTOCOL_VERSIONS": "1"}
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as plugin:
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
def test_it_lists_what_a_plugin_serves(grpcurl: Grpcurl, command: tuple[str, ...]) -> None:
    services = set(grpcurl("list").split())

    own = "hashiplugin.contract.v1.JSModuleService" if "echo" in str(command[4]) else "proto.Counter"
    assert services == EVERY_PLUGIN | {own}


@requirement("gp.grpc.reflection")
@pytest.mark.parametrize("service", sorted(EVERY_PLUGIN))
@pytest.mark.parametrize("command", [(*RUN, PLUGINS / "counter.py", "sync")], ids=["counter"])
def test_it_describes_the_services_of_every_plugin(grpcurl: Grpcurl, service: str) -> None:
    assert grpcurl("describe", service).startswith(f"{service} is a service:")


@requirement("gp.grpc.reflection")
def test_it_makes_a_call(grpcurl: Grpcurl, command: tuple[str, ...]) -> None:
    if "echo" in str(command[4]):
        request = json.dumps({"exportName": "math", "methodName": "add", "args": [1, 2]})
        method = "hashiplugin.contract.v1.JSModuleService/Invoke"
        assert json.loads(grpcurl(method, data=request)) == {"result": 3}
    else:
        assert json.loads(grpcurl("proto.Counter/Get", data='{"key": "x"}')) == {}


@pytest.mark.parametrize("command", [(*RUN, PLUGINS / "counter.py", "aio")], ids=["counter"])
def test_it_asks_for_the_health(grpcurl: Grpcurl) -> None:
    assert json.loads(grpcurl("grpc.health.v1.Health/Check", data='{"service": "plugin"}')) == {"status": "SERVING"}
