"""The variables of the protocol, from a host's configuration to a plugin that goes by them."""
from __future__ import annotations

import ast
import os
import socket
import stat
import sys
from pathlib import Path

import pytest

from goplugin.core.environ import PROTOCOL_NAMES
from tests.support import requirement

from .harness import PLUGINS, PROBE, ProbePlugin
from .hosts import HOSTS, NewHost
from .plugins.contract import HANDSHAKE
from .sync.harness import cleanly
from .test_server import COOKIE, Plugin, environment

GROUP = str(os.getgid())
VARIABLES = "return {name: value for name, value in os.environ.items() if name.startswith(('PLUGIN_', 'PROBE_'))}"


# --- hosts -------------------------------------------------------------------------------------------------------


@requirement("gp.env")
@HOSTS
@cleanly
def test_a_plugin_gets_a_variable_for_everything_that_its_host_has_to_say(new_host: NewHost, tmp_path: Path) -> None:
    options = {
        "versioned_plugins": {version: {"probe": ProbePlugin()} for version in (1, 10, 3)},
        "min_port": 7,
        "max_port": 9,
        "auto_mtls": True,
        "multiplex": True,
        "socket_dir": str(tmp_path),
        "socket_group": GROUP,
    }
    with new_host(**options) as host:
        host.start()
        variables = ast.literal_eval(host.run(VARIABLES))

    assert set(variables) == {*PROTOCOL_NAMES, "PROBE_PLUGIN"}
    certificate = variables.pop("PLUGIN_CLIENT_CERT")
    assert certificate.startswith("-----BEGIN CERTIFICATE-----\n")
    assert certificate.endswith("\n-----END CERTIFICATE-----\n")
    assert variables == {
        "PROBE_PLUGIN": "hello",
        "PLUGIN_PROTOCOL_VERSIONS": "1,3,10",
        "PLUGIN_MIN_PORT": "7",
        "PLUGIN_MAX_PORT": "9",
        "PLUGIN_MULTIPLEX_GRPC": "true",
        "PLUGIN_UNIX_SOCKET_DIR": str(tmp_path),
        "PLUGIN_UNIX_SOCKET_GROUP": GROUP,
    }


PLAIN = {
    "PROBE_PLUGIN": "hello",
    "PLUGIN_PROTOCOL_VERSIONS": "1",
    "PLUGIN_MIN_PORT": "10000",
    "PLUGIN_MAX_PORT": "25000",
}


@requirement("gp.env")
@HOSTS
@cleanly
def test_what_the_host_itself_was_told_is_not_passed_on(new_host: NewHost, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROTOCOL_NAMES:
        monkeypatch.setenv(name, "of the host's own host")
    monkeypatch.setenv("PLUGIN_CACHE", "the application's")

    with new_host() as host:
        host.start()

        assert ast.literal_eval(host.run(VARIABLES)) == PLAIN | {"PLUGIN_CACHE": "the application's"}


@requirement("gp.env")
@HOSTS
@cleanly
def test_the_plugin_of_a_plugin_is_asked_for_nothing_that_its_own_host_does_not_want(new_host: NewHost) -> None:
    with new_host(auto_mtls=True, multiplex=True) as host:
        host.start()
        variables = host.run(
            f"""
            from contract import HANDSHAKE, RUN_PATH
            from goplugin import GRPCPlugin
            from goplugin.sync import Client, ClientConfig

            class Inner(GRPCPlugin):
                def grpc_client(self, client):
                    return client.channel

            config = ClientConfig(handshake=HANDSHAKE, command={PROBE!r}, plugins={{"probe": Inner()}})
            with Client(config) as client:
                assert client.start().server_cert is None
                return client.dispense("probe").unary(RUN_PATH, {VARIABLES!r}.encode()).message.decode()
            """
        )

    assert ast.literal_eval(variables) == PLAIN


@requirement("gp.env")
@HOSTS
@cleanly
def test_the_hosts_environment_comes_before_the_plugins_own_or_not_at_all(
    new_host: NewHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINE", "inherited")
    own = {"MINE": "given", "TMPDIR": os.environ["TMPDIR"], "PROBE_PLUGIN": "given"}
    found: list[tuple[str, bool]] = []
    for skip in (False, True):
        with new_host(env=own, skip_host_env=skip) as host:
            host.start()
            found.append(ast.literal_eval(host.run("return os.environ['MINE'], 'PATH' in os.environ")))

    assert found == [("inherited", True), ("given", False)]


# --- plugins -----------------------------------------------------------------------------------------------------

SERVE = f"""
import sys
sys.path.insert(0, {str(PLUGINS)!r})
from probe import *
plugin = ProbePlugin(PlainServicer if sys.argv[1] == "sync" else ProbeServicer)
serve(ServeConfig(handshake=HANDSHAKE, plugins={{"probe": plugin}}, network=sys.argv[2]))
"""
RUNTIMES = pytest.mark.parametrize("runtime", ["sync", "aio"])


@requirement("gp.env", "gp.listen.unix")
@RUNTIMES
@cleanly
def test_a_plugin_listens_in_the_directory_and_for_the_group_that_it_is_told(runtime: str, tmp_path: Path) -> None:
    variables = {"PLUGIN_UNIX_SOCKET_DIR": str(tmp_path), "PLUGIN_UNIX_SOCKET_GROUP": GROUP}
    plugin = Plugin((sys.executable, "-c", SERVE, runtime, "unix"), environment(**COOKIE, **variables))

    path = Path(plugin.handshake().address)
    status = path.stat()
    plugin.process.terminate()

    assert path.parent == tmp_path
    assert (stat.S_IMODE(status.st_mode), status.st_gid) == (0o660, os.getgid())
    assert plugin.end()[0] == 0
    assert list(tmp_path.iterdir()) == []


@requirement("gp.env", "gp.listen.tcp")
@RUNTIMES
@cleanly
def test_a_plugin_takes_the_first_free_port_of_those_that_it_is_told(runtime: str) -> None:
    taken, first = consecutive_ports()
    with taken:
        variables = {"PLUGIN_MIN_PORT": str(first), "PLUGIN_MAX_PORT": str(first + 1)}
        plugin = Plugin((sys.executable, "-c", SERVE, runtime, "tcp"), environment(**COOKIE, **variables))

        handshake = plugin.handshake()
        plugin.process.terminate()

    assert (handshake.network, handshake.address) == ("tcp", f"127.0.0.1:{first + 1}")
    assert plugin.end()[0] == 0


def consecutive_ports() -> tuple[socket.socket, int]:
    """A port that is taken by the socket, and has one behind it that is free."""
    while True:
        taken = socket.create_server(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port + 1))
            except (OSError, OverflowError):
                taken.close()
            else:
                return taken, port


@requirement("gp.env")
@RUNTIMES
@cleanly
def test_a_plugin_goes_by_the_versions_and_the_wishes_of_its_host(runtime: str) -> None:
    variables = {
        "PLUGIN_PROTOCOL_VERSIONS": f"7,abc,{HANDSHAKE.protocol_version}",
        "PLUGIN_MULTIPLEX_GRPC": "false",
        "PLUGIN_CLIENT_CERT": "",
        "PLUGIN_MIN_PORT": "no number, and no matter for a unix socket",
    }
    plugin = Plugin((sys.executable, "-c", SERVE, runtime, "unix"), environment(**COOKIE, **variables))

    fields = plugin.line.split("|")
    plugin.process.terminate()

    assert (fields[:3], fields[4:]) == (["1", "1", "unix"], ["grpc", "", "true"])
    code, stdout, stderr = plugin.end()
    assert (code, stdout, stderr) == (0, "", 'server sent invalid plugin version "abc"\n')
