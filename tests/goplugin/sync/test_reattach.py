"""Plugins that another host has started, for hosts that block."""
from __future__ import annotations

import os
import queue
import signal
from pathlib import Path

import pytest

from goplugin import ConfigError, LaunchError, PluginLostError, ReattachConfig, ServeConfig
from goplugin.plugin import GRPCPlugin, GRPCServer, Method, Streams
from goplugin.sync import Client, serve_test
from tests.support import requirement

from ..harness import PROBE, SECONDS, Sink, has_ended, wait_for_exit
from ..plugins.contract import ECHO_PATH, HANDSHAKE, Text
from .harness import Probe, cleanly, probe_config
from .support import background, wait_until

LASTING = (*PROBE, "outlive")


def attaching(config: ReattachConfig, **changes: object) -> Client:
    return Client(probe_config(command=(), reattach=config, **changes))


def probe_of(client: Client) -> Probe:
    probe = client.dispense("probe")
    assert isinstance(probe, Probe)
    return probe


def left_running() -> ReattachConfig:
    """A probe that its host has left."""
    client = Client(probe_config(command=LASTING))
    client.start()
    return client.detach()


@requirement("gp.reattach", "gp.reattach.upgrade")
@cleanly
def test_a_plugin_that_was_left_is_found_called_and_ended_by_the_next_client() -> None:
    first = Client(probe_config(command=LASTING))
    assert first.reattach_config() is None
    probe = probe_of(first)
    probe.run("global kept; kept = 'kept'")
    config = first.detach()
    with pytest.raises(PluginLostError):
        probe.echo("")
    with pytest.raises(ConfigError, match=r"^the plugin is not running"):
        first.detach()
    first.kill()
    assert not has_ended(config.pid)
    stdout = Sink()

    with attaching(ReattachConfig.from_json(config.to_json()), sync_stdout=stdout) as client:
        probe = probe_of(client)
        assert probe.run("print('for the next host', flush=True); return kept") == "kept"
        stdout.wait("for the next host")
        assert (client.id, client.negotiated_version, client.protocol) == (str(config.pid), 1, "grpc")
        client.ping(timeout=SECONDS)

    assert (client.exited, client.exit_code) == (True, None)
    assert has_ended(config.pid)
    assert not os.path.exists(config.address)


@requirement("gp.reattach", "gp.kill")
@cleanly
def test_an_attached_plugin_that_does_not_obey_is_killed_with_its_children() -> None:
    config = left_running()
    with attaching(config) as client:
        probe = probe_of(client)
        child = int(probe.run("return subprocess.Popen(['sleep', '60']).pid"))
        stuck = background(probe.run, "os.kill(os.getpid(), signal.SIGSTOP)")
        wait_until(lambda: is_stopped(config.pid))
        client.kill(grace=0.1)

    assert has_ended(config.pid)
    assert wait_for_exit(child)
    with pytest.raises(PluginLostError):
        stuck.result()


@requirement("gp.reattach", "gp.crash")
@cleanly
def test_the_exit_of_an_attached_plugin_is_noticed() -> None:
    config = left_running()
    heard: queue.Queue[int | None] = queue.Queue()
    with attaching(config, on_exit=heard.put) as client:
        os.kill(config.pid, signal.SIGKILL)

        assert heard.get(timeout=SECONDS) is None
        assert client.exited


@requirement("gp.reattach")
@cleanly
def test_where_nobody_listens_nobody_is_killed(tmp_path: Path) -> None:
    config = left_running()

    with pytest.raises(LaunchError, match=r"^reattachment process not found: .*/none: no such file or directory$"):
        attaching(config._replace(address=f"{tmp_path}/none")).start()

    assert not has_ended(config.pid)
    with attaching(config):
        pass


def is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2].startswith(b"T")


# --- a test's ----------------------------------------------------------------------------------------------------


class EchoPlugin(GRPCPlugin):
    def grpc_server(self, server: GRPCServer) -> None:
        server.add_service(Echo())


class Echo:
    def __mapping__(self) -> dict[str, Method]:
        return {ECHO_PATH: Method(self.echo, Streams(), Text, Text)}

    def echo(self, request: Text, context: object) -> Text:
        return request


@requirement("gp.reattach", "gp.test-mode")
@cleanly
def test_a_plugin_in_this_process_is_called_like_any_other_and_survives_its_clients() -> None:
    with serve_test(ServeConfig(handshake=HANDSHAKE, plugins={"probe": EchoPlugin()})) as config:
        for _ in range(2):
            with attaching(config) as client:
                assert probe_of(client).echo("hello") == "hello"
                assert client.id == str(os.getpid())
            assert not client.exited
