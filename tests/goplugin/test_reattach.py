"""Plugins that another host has started: found, called, and ended or left."""
from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from goplugin import (
    Client,
    ConfigError,
    IncompatibleVersionError,
    LaunchError,
    PluginError,
    PluginLostError,
    ReattachConfig,
    SecureConfig,
    UnsupportedProtocolError,
)
from tests.support import requirement

from .harness import PROBE, SECONDS, Probe, ProbePlugin, Sink, asynchronous, has_ended, probe_config
from .plugins.contract import HANDSHAKE

ROOT = Path(__file__).parents[2]
LASTING = (*PROBE, "outlive")


def attaching(config: ReattachConfig, **changes: object) -> Client:
    return Client(probe_config(command=(), reattach=config, **changes))


async def probe_of(client: Client) -> Probe:
    probe = await client.dispense("probe")
    assert isinstance(probe, Probe)
    return probe


async def left_running() -> ReattachConfig:
    """A probe that its host has left."""
    client = Client(probe_config(command=LASTING))
    await client.start()
    return await client.detach()


@pytest.fixture
def sleeper() -> Iterator[int]:
    """A process that is no plugin."""
    with subprocess.Popen(["sleep", "60"]) as process:
        try:
            yield process.pid
            assert process.poll() is None
        finally:
            process.kill()


# --- found -------------------------------------------------------------------------------------------------------


@requirement("gp.reattach")
@asynchronous
async def test_a_running_plugin_says_how_it_is_found() -> None:
    client = Client(probe_config(command=LASTING))
    assert client.reattach_config() is None

    line = await client.start()

    assert client.reattach_config() == ReattachConfig("unix", line.address, int(client.id), "grpc", 1)
    await client.kill()
    assert client.reattach_config() is None


@requirement("gp.reattach", "gp.reattach.upgrade")
@asynchronous
async def test_a_plugin_that_was_left_is_found_called_and_ended_by_the_next_client() -> None:
    first = Client(probe_config(command=LASTING))
    probe = await probe_of(first)
    await probe.run("global kept; kept = 'kept'")
    config = await first.detach()
    with pytest.raises(ConfigError, match=r"^the plugin is not running"):
        _ = first.channel
    assert not has_ended(config.pid)

    async with attaching(ReattachConfig.from_json(config.to_json())) as client:
        probe = await probe_of(client)
        assert await probe.run("return kept") == "kept"
        assert (client.id, client.negotiated_version, client.protocol) == (str(config.pid), 1, "grpc")
        assert client.reattach_config() == config
        await client.ping(timeout=SECONDS)

    assert (client.exited, client.exit_code) == (True, None)
    assert has_ended(config.pid)
    assert not os.path.exists(config.address)  # noqa: ASYNC240


@requirement("gp.reattach.upgrade", "us.reattach-stderr")
@asynchronous
async def test_a_plugin_goes_on_when_its_host_has_ended_and_prints_for_the_next_one() -> None:
    host = subprocess.run(  # noqa: ASYNC221
        [sys.executable, "-m", "tests.goplugin.detaching_host"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    config = ReattachConfig.from_json(host.stdout)
    stdout = Sink()

    async with attaching(config, sync_stdout=stdout) as client:
        probe = await probe_of(client)
        await probe.run("logging.getLogger().warning('for nobody'); print('for the next host', flush=True)")
        await stdout.wait_for("for the next host")
        assert await probe.echo("still here") == "still here"

    assert has_ended(config.pid)


@requirement("gp.reattach", "gp.kill")
@asynchronous
async def test_an_attached_plugin_that_does_not_obey_is_killed_with_its_children() -> None:
    config = await left_running()
    async with attaching(config) as client:
        probe = await probe_of(client)
        child = int(await probe.run("return subprocess.Popen(['sleep', '60']).pid"))
        stuck = asyncio.create_task(probe.run_async("time.sleep(60)"))
        await asyncio.sleep(0.1)
        await client.kill(grace=0.1)

    assert has_ended(config.pid)
    assert has_ended(child)
    with pytest.raises(PluginLostError):
        await stuck


@requirement("gp.reattach", "gp.crash")
@asynchronous
async def test_the_exit_of_an_attached_plugin_is_noticed() -> None:
    config = await left_running()
    heard: asyncio.Queue[int | None] = asyncio.Queue()
    async with attaching(config, on_exit=heard.put_nowait) as client:
        os.kill(config.pid, signal.SIGKILL)

        assert await heard.get() is None
        assert client.exited
        with pytest.raises(PluginLostError):
            await client.ping(timeout=SECONDS)


# --- left alone --------------------------------------------------------------------------------------------------


@requirement("gp.reattach")
@asynchronous
async def test_where_nobody_listens_nobody_is_killed(sleeper: int, tmp_path: Path) -> None:
    client = attaching(ReattachConfig("unix", f"{tmp_path}/none", sleeper))

    with pytest.raises(LaunchError, match=r"^reattachment process not found: .*/none: no such file or directory$"):
        await client.start()

    await client.kill()


@requirement("gp.reattach")
@asynchronous
async def test_a_process_that_has_no_part_in_the_plugin_is_not_killed(sleeper: int) -> None:
    config = await left_running()
    wrong = config._replace(pid=sleeper)

    with pytest.raises(LaunchError, match=rf"^reattachment process not found: at .* process {config.pid} listens"):
        await attaching(wrong).start()

    async with attaching(config):
        pass


@requirement("gp.reattach")
@asynchronous
async def test_a_process_that_is_gone_is_not_found(tmp_path: Path) -> None:
    with subprocess.Popen(["true"]) as ended:  # noqa: ASYNC220
        pass
    with socket.socket(socket.AF_INET) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        address = "{}:{}".format(*sock.getsockname())

        with pytest.raises(LaunchError, match=rf"^reattachment process not found: there is no process {ended.pid}$"):
            await attaching(ReattachConfig("tcp", address, ended.pid)).start()


@asynchronous
async def test_a_host_does_not_reattach_to_itself() -> None:
    with pytest.raises(ConfigError, match=r"which is this process itself$"):
        await attaching(ReattachConfig("unix", "/nowhere", os.getpid())).start()


# --- refused -----------------------------------------------------------------------------------------------------

SOMEWHERE = ReattachConfig("unix", "/nowhere", 1, "grpc", 1)


@requirement("gp.reattach")
@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"command": PROBE}, "exactly one of Cmd, or Reattach, or RunnerFunc must be set"),
        ({"secure": SecureConfig(bytes(32))}, "only one of Reattach or SecureConfig can be set"),
        ({"multiplex": True}, "gRPC broker multiplexing is not supported with Reattach config"),
        ({"auto_mtls": True}, "AutoMTLS is not supported with Reattach config: no other host has the keys"),
        ({"reattach": SOMEWHERE._replace(pid=0)}, "Pid is 0, but has to be from 1 to 2147483647"),
    ],
)
def test_what_cannot_be_reattached_to_is_refused(changes: dict[str, object], text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        probe_config(**({"command": (), "reattach": SOMEWHERE} | changes))
    assert str(caught.value) == text


@requirement("gp.reattach")
@pytest.mark.parametrize("option", ["auto_mtls", "multiplex"])
@asynchronous
async def test_what_nobody_else_could_speak_to_is_not_left(option: str) -> None:
    async with Client(probe_config(**{option: True})) as client:
        with pytest.raises(ConfigError, match=r"^a plugin with AutoMTLS or multiplexing cannot be left"):
            await client.detach()
        await client.ping(timeout=SECONDS)


@asynchronous
async def test_what_does_not_run_cannot_be_left() -> None:
    with pytest.raises(ConfigError, match=r"^the plugin is not running: start the client first$"):
        await Client(probe_config()).detach()


# --- versions ----------------------------------------------------------------------------------------------------


@requirement("us.reattach-version")
@asynchronous
async def test_the_version_of_the_config_says_which_set_is_dispensed() -> None:
    config = await left_running()
    sets = {1: {"one": ProbePlugin()}, 2: {"two": ProbePlugin()}}
    options = {"plugins": None, "versioned_plugins": sets}
    for version, name, other in ((1, "one", "two"), (2, "two", "one")):
        client = attaching(config._replace(protocol_version=version), **options)
        assert isinstance(await client.dispense(name), Probe)
        assert client.negotiated_version == version
        with pytest.raises(PluginError, match=rf"^unknown plugin type: {other}$"):
            await client.dispense(other)
        await client.detach()
    with pytest.raises(IncompatibleVersionError, match=r"Plugin version: 3, Client versions: \[1 2\]$"):
        await attaching(config._replace(protocol_version=3), **options).start()

    async with attaching(config):
        pass


@requirement("us.reattach-version")
@asynchronous
async def test_a_config_without_a_version_means_the_plugins_that_were_given_without_one() -> None:
    config = (await left_running())._replace(protocol_version=0)
    handshake = HANDSHAKE._replace(protocol_version=7)

    async with attaching(config, handshake=handshake) as client:
        assert client.negotiated_version == 7


@requirement("gp.reattach", "gp.version.semantic")
@asynchronous
async def test_a_plugin_that_will_not_do_is_left_alone() -> None:
    config = await left_running()

    with pytest.raises(IncompatibleVersionError, match="it has no version"):
        await attaching(config, require_version=">= 1").start()

    assert not has_ended(config.pid)
    async with attaching(config):
        pass


@requirement("gp.reattach", "gp.allowed-protocols")
@asynchronous
async def test_a_protocol_that_is_not_allowed_is_refused() -> None:
    with pytest.raises(UnsupportedProtocolError, match=r'^unsupported plugin protocol "netrpc". Supported: \[grpc\]$'):
        await attaching(SOMEWHERE._replace(protocol="netrpc")).start()


# --- a test's ----------------------------------------------------------------------------------------------------


@requirement("gp.reattach")
@asynchronous
async def test_to_kill_the_plugin_of_a_test_is_to_leave_it() -> None:
    config = (await left_running())._replace(test=True)

    async with attaching(config) as client:
        assert await (await probe_of(client)).echo("hello") == "hello"

    assert not client.exited
    assert not has_ended(config.pid)
    async with attaching(config._replace(test=False)):
        pass
