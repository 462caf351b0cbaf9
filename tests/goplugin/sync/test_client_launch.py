"""What a host that blocks may want of a launch: a checksum, an explanation, to hear of the end."""
from __future__ import annotations

import hashlib
import os
import queue
from pathlib import Path

import pytest

from goplugin import ChecksumError, IncompatibleVersionError, PluginError, PluginLostError, SecureConfig
from goplugin.core.handshake import UnrecognizedLineError
from goplugin.sync import Client, cleanup_clients
from tests.support import requirement

from ..harness import PROBE, SECONDS, Sink, python, sh
from .harness import cleanly, probe_config, running_probe
from .support import background

DEAD = "1|1|unix|/nowhere/plugin1|grpc|"


@requirement("gp.secure.checksum")
@cleanly
def test_an_executable_is_checked_before_it_is_launched(tmp_path: Path) -> None:
    plugin, witness = tmp_path / "plugin", tmp_path / "ran"
    plugin.write_text(f"#!/bin/sh\necho ran >{witness}\necho '{DEAD}'\nexec sleep 60\n")
    plugin.chmod(0o755)
    digest = hashlib.sha256(plugin.read_bytes()).digest()

    with pytest.raises(ChecksumError, match=r"^checksums did not match$"):
        Client(probe_config(command=[str(plugin)], secure=SecureConfig(bytes(32)))).start()
    assert not witness.exists()

    client = Client(probe_config(command=[str(plugin)], secure=SecureConfig(digest)))
    client.start()
    client.kill(grace=0.0)
    assert witness.exists()


@requirement("gp.handshake.diagnosis")
@cleanly
def test_a_line_that_is_none_is_followed_by_a_look_at_the_file() -> None:
    with pytest.raises(UnrecognizedLineError) as caught:
        Client(probe_config(command=sh("echo hello; sleep 60"))).start()

    first, usually, *notes = str(caught.value).splitlines()
    assert (first, usually) == ("Unrecognized remote plugin message: hello", "This usually means")
    assert "  Path: /bin/sh" in notes


@requirement("gp.listen.unix")
@cleanly
def test_where_paths_are_too_long_a_plugin_gets_a_short_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / ("x" * 100)
    directory.mkdir()
    monkeypatch.setenv("TMPDIR", str(directory))
    with running_probe() as (client, probe):
        short = probe.run("return os.environ['PLUGIN_UNIX_SOCKET_DIR']")
        assert len(os.listdir(short)) == 1
        with client.broker.accept(client.broker.next_id()) as listener:
            assert os.path.dirname(listener.address) == short

    assert not os.path.exists(short)


@requirement("gp.managed")
@cleanly
def test_managed_clients_are_ended_together() -> None:
    managed = [Client(probe_config(managed=True)) for _ in range(2)]
    with Client(probe_config()) as other:
        for client in managed:
            client.start()

        cleanup_clients()
        cleanup_clients()

        assert [client.exit_code for client in managed] == [0, 0]
        assert not other.exited


@cleanly
def test_a_thread_hears_of_an_exit() -> None:
    heard: queue.Queue[int] = queue.Queue()
    with running_probe(on_exit=heard.put) as (_, probe):
        with pytest.raises(PluginLostError):
            probe.run("os._exit(3)")

        assert heard.get(timeout=SECONDS) == 3
    assert heard.empty()


# --- the plugin's own version ------------------------------------------------------------------------------------


@requirement("gp.version.semantic")
@cleanly
def test_a_plugin_of_a_version_that_will_do_is_started() -> None:
    with Client(probe_config(command=[*PROBE, "1.2.0"], require_version=">= 1.2, < 2.0")) as client:
        client.ping()


@requirement("gp.version.semantic", "gp.version.human")
@pytest.mark.parametrize(
    ("arguments", "text"), [([], "it has no version"), (["1.1.9"], "its version is 1.1.9"), (["2.0.0"], "2.0.0, and")]
)
@cleanly
def test_a_plugin_of_another_version_is_refused_and_ended(arguments: list[str], text: str) -> None:
    client = Client(probe_config(command=[*PROBE, *arguments], require_version=">= 1.2, < 2.0"))

    with pytest.raises(IncompatibleVersionError, match=rf"^incompatible plugin: .*{text}.* requires >= 1.2, < 2.0$"):
        client.start()

    assert client.exited


@cleanly
def test_a_plugin_that_cannot_be_asked_for_its_version_is_lost() -> None:
    client = Client(probe_config(command=sh(f"echo '{DEAD}'; exec sleep 60"), require_version=">= 1"))

    with pytest.raises(PluginLostError, match="connection error"):
        client.start()

    assert client.exited


# --- plugins that say nothing ------------------------------------------------------------------------------------

SILENT = """
import os, signal, socket
sock = socket.socket(socket.AF_UNIX)
path = os.environ["TMPDIR"] + "/plugin123"
sock.bind(path)
sock.listen()
print(f"1|1|unix|{path}|grpc||true", flush=True)
connection, _ = sock.accept()
connection.recv(1)
os.write(2, b"connected\\n")
signal.pause()
"""


@requirement("gp.tls.auto", "gp.kill")
@pytest.mark.parametrize(
    "options", [{"auto_mtls": True}, {"auto_mtls": True, "multiplex": True}, {"require_version": "1.0.0"}]
)
@cleanly
def test_a_kill_ends_a_start_that_waits_for_a_plugin_that_says_nothing(
    options: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    stderr = Sink()
    client = Client(probe_config(command=python(SILENT), stderr=stderr, **options))
    start = background(client.start)
    stderr.wait("connected")

    client.kill()

    assert client.exited
    with pytest.raises(PluginError):
        start.result()
    assert os.listdir(tmp_path) == []
