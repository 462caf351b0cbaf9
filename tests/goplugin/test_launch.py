"""What both runtimes' clients are made of, step by step, with programs that are hardly plugins."""
from __future__ import annotations

import logging
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from goplugin import ClientConfig, Code, ConfigError, IncompatibleVersionError, LaunchError, PluginError, RemoteError
from goplugin.core.errors import PluginLostError, RemoteProtocolError
from goplugin.core.messages import STDERR, STDOUT, StdioData
from goplugin.launch import ClientBase

from .harness import SECONDS, ProbePlugin, Sink, nothing_left_behind, probe_config, sh
from .plugins.contract import HANDSHAKE

LINE = "1|1|unix|/nowhere/plugin1|grpc|"


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    with nothing_left_behind():
        yield


def reaped(client: ClientBase) -> ClientBase:
    """The client, its process ended."""
    assert client._process is not None
    client._reap(client._process)
    return client


def config_of(script: str = f"echo '{LINE}'; exec sleep 60", **changes: object) -> ClientConfig:
    return probe_config(command=sh(script), **changes)


# --- the start ---------------------------------------------------------------------------------------------------


def test_before_the_start_nothing_is_known() -> None:
    client = ClientBase(config_of())

    assert (client.id, client.exited, client.exit_code, client.stderr_tail) == ("", False, None, "")
    assert (client.negotiated_version, client.protocol) == (0, "")


def test_a_launched_plugin_is_known_by_its_process_and_an_accepted_one_by_its_line() -> None:
    client = ClientBase(config_of("echo careful >&2; exec 2>&-; echo '1|1|unix|/nowhere/plugin1|grpc|'; exec sleep 60"))

    process = client._launch()
    assert client.id == process.id
    handshake = client._accept(process.handshake_line.result(SECONDS)).line

    assert (client.negotiated_version, client.protocol) == (1, "grpc")
    assert handshake.address == "/nowhere/plugin1"
    assert (client.exited, client.exit_code) == (False, None)
    assert (reaped(client).exited, client.exit_code) == (True, -9)
    assert client.stderr_tail == "careful"


def test_a_line_of_another_version_is_not_accepted() -> None:
    client = ClientBase(config_of("echo '1|2|unix|/nowhere/plugin1|grpc|'; exec sleep 60"))
    process = client._launch()

    with pytest.raises(IncompatibleVersionError):
        client._accept(process.handshake_line.result(SECONDS))

    assert reaped(client).negotiated_version == 0


def test_the_environment_is_the_protocols_and_the_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINE", "inherited")

    with_host = ClientBase(config_of(env={"OTHER": "given"}))._environment()
    without = ClientBase(config_of(skip_host_env=True, min_port=7, max_port=9))._environment()

    assert (with_host["MINE"], with_host["OTHER"], with_host["PROBE_PLUGIN"]) == ("inherited", "given", "hello")
    assert set(without) == {"PROBE_PLUGIN", "PLUGIN_MIN_PORT", "PLUGIN_MAX_PORT", "PLUGIN_PROTOCOL_VERSIONS"}
    assert (without["PLUGIN_MIN_PORT"], without["PLUGIN_MAX_PORT"]) == ("7", "9")


def test_what_came_too_late_is_told_with_the_end_of_stderr() -> None:
    client = ClientBase(config_of("exec sleep 60", start_timeout=0.5))
    process = client._launch()

    error = client._too_late(process)

    assert str(error).endswith("sh printed no handshake line within 0.5 s")
    reaped(client)


def test_a_plugin_is_that_of_the_accepted_version() -> None:
    plugin = ProbePlugin()
    client = ClientBase(config_of(plugins=None, versioned_plugins={1: {"one": plugin}, 2: {"two": ProbePlugin()}}))
    handshake = client._accept(client._launch().handshake_line.result(SECONDS)).line

    assert client._plugin(handshake, "one") is plugin
    with pytest.raises(PluginError, match=r"^unknown plugin type: two$"):
        client._plugin(handshake, "two")
    reaped(client)


# --- the end -----------------------------------------------------------------------------------------------------


def test_a_start_that_is_abandoned_hears_of_it_at_once() -> None:
    client = ClientBase(config_of("exec sleep 60"))
    process = client._launch()

    client._abandon_start()

    with pytest.raises(LaunchError, match=r"^sh was killed while it started$"):
        process.handshake_line.result(0)
    reaped(client)


def test_a_start_that_was_abandoned_before_the_process_was_seen_hears_of_it_too() -> None:
    client = ClientBase(config_of("exec sleep 60"))
    client._abandon_start()

    process = client._launch()

    with pytest.raises(LaunchError, match=r"^sh was killed while it started$"):
        process.handshake_line.result(0)
    reaped(client)


def test_a_line_that_is_there_is_not_taken_back() -> None:
    client = ClientBase(config_of())
    line = client._launch().handshake_line
    assert line.result(SECONDS) == LINE

    client._abandon_start()

    assert line.result() == LINE
    reaped(client)


def test_a_client_has_one_plugin_in_its_life() -> None:
    client = ClientBase(config_of())
    client._check_not_ended()

    client._abandon_start()

    with pytest.raises(ConfigError, match=r"^this client's plugin has ended; a new start takes a new Client$"):
        client._check_not_ended()


def test_there_is_a_plugin_from_the_launch_until_it_is_reaped() -> None:
    client = ClientBase(config_of())
    assert not client._has_plugin

    client._launch()
    assert client._has_plugin

    assert not reaped(client)._has_plugin


def test_the_socket_of_a_plugin_goes_with_it_even_if_nobody_took_its_line(tmp_path: Path) -> None:
    path = tmp_path / "plugin1"
    bind = f"import socket; s = socket.socket(socket.AF_UNIX); s.bind('{path}'); s.listen()"
    script = f"python3 -c \"{bind}; print('1|7|unix|{path}|grpc|', flush=True); import time; time.sleep(60)\""
    client = ClientBase(config_of(script))
    client._launch().handshake_line.result(SECONDS)
    assert os.listdir(tmp_path) == ["plugin1"]

    reaped(client)

    assert os.listdir(tmp_path) == []


SILENT = """
import goplugin
from goplugin import serving
from goplugin.{runtime} import serving as runtime

class Plugin(goplugin.GRPCPlugin):
    def grpc_server(self, server):
        pass

serving.announce_on = lambda *args: True
config = goplugin.ServeConfig(goplugin.HandshakeConfig{handshake}, {{"probe": Plugin()}})
serving.serve_with(config, goplugin.GRPCServer, lambda _: runtime.run)
"""
"""A plugin of ours that listens and does not say where."""


@pytest.mark.parametrize("command", ["exec {}", "{}; exit 3"])
@pytest.mark.parametrize("runtime", ["sync", "aio"])
def test_a_plugin_that_has_not_said_yet_where_it_listens_removes_its_socket_itself(
    tmp_path: Path, runtime: str, command: str
) -> None:
    program = tmp_path / "silent.py"
    program.write_text(SILENT.format(runtime=runtime, handshake=tuple(HANDSHAKE)))
    directory = tmp_path / "sockets"
    directory.mkdir()
    client = ClientBase(config_of(command.format(f"{sys.executable} {program}"), socket_dir=str(directory)))
    client._launch()
    deadline = time.monotonic() + SECONDS
    while not os.listdir(directory) and time.monotonic() < deadline:
        time.sleep(0.005)
    assert len(os.listdir(directory)) == 1

    client._abandon_start()
    reaped(client)

    assert os.listdir(directory) == []


def test_a_plugin_that_does_not_heed_the_request_to_end_is_killed_soon() -> None:
    stderr = Sink()
    client = ClientBase(config_of("trap '' TERM; echo deaf >&2; while true; do sleep 60; done", stderr=stderr))
    client._launch()
    stderr.wait("deaf")
    begin = time.monotonic()

    reaped(client)

    assert client.exit_code == -signal.SIGKILL
    assert time.monotonic() - begin < 3


# --- what the plugin prints --------------------------------------------------------------------------------------


def test_output_goes_to_the_sink_of_its_channel(caplog: pytest.LogCaptureFixture) -> None:
    stdout, stderr = Sink(), Sink()
    client = ClientBase(config_of(sync_stdout=stdout, sync_stderr=stderr))

    for channel in (STDOUT, STDERR, 7):
        client._receive_output(StdioData(channel, b"on %d" % channel))

    assert (stdout.text, stderr.text) == ("on 1", "on 2")
    assert [record.getMessage() for record in caplog.records] == ["unknown channel, dropping 4 bytes: 7"]


@pytest.mark.parametrize(
    ("error", "messages"),
    [
        (PluginLostError("EOF"), []),
        (RemoteError(Code.CANCELLED, ""), []),
        (RemoteError(Code.UNIMPLEMENTED, ""), ["stdio service not available, stdout/stderr syncing unavailable"]),
        (RemoteError(Code.INTERNAL, ""), ["error receiving data"]),
        (RemoteProtocolError("no message"), ["error receiving data"]),
    ],
)
def test_an_end_of_the_output_is_logged_unless_it_is_the_plugins(
    error: PluginError, messages: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)

    ClientBase(config_of())._output_failed(error)

    assert [record.getMessage() for record in caplog.records] == messages
