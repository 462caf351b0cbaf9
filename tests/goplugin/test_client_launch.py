"""What a host may want of a launch: a checksum, a place to listen, an explanation, to hear of the end."""
from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import stat
from pathlib import Path

import pytest

from goplugin import (
    ChecksumError,
    Client,
    ConfigError,
    IncompatibleVersionError,
    LaunchError,
    PluginLostError,
    SecureConfig,
    cleanup_clients,
)
from goplugin.core.handshake import UnrecognizedLineError
from tests.support import requirement

from .harness import PROBE, asynchronous, probe_config, running_probe, sh

DEAD = "1|1|unix|/nowhere/plugin1|grpc|"


def digest_of(path: str | Path) -> bytes:
    return hashlib.sha256(Path(path).read_bytes()).digest()


def private_directories() -> list[str]:
    return [str(path) for path in Path("/tmp").glob("plugin-dir*")]


@requirement("gp.secure.checksum")
@asynchronous
async def test_an_executable_is_checked_before_it_is_launched(tmp_path: Path) -> None:
    plugin, witness = tmp_path / "plugin", tmp_path / "ran"
    plugin.write_text(f"#!/bin/sh\necho ran >{witness}\necho '{DEAD}'\nexec sleep 60\n")
    plugin.chmod(0o755)
    digest = digest_of(plugin)

    with pytest.raises(ChecksumError, match=r"^checksums did not match$"):
        await Client(probe_config(command=[str(plugin)], secure=SecureConfig(bytes(32)))).start()
    assert not witness.exists()

    client = Client(probe_config(command=[str(plugin)], secure=SecureConfig(digest)))
    await client.start()
    await client.kill(grace=0.0)
    assert witness.exists()


@requirement("gp.secure.checksum")
@asynchronous
async def test_what_is_found_in_path_is_what_is_checked_and_executed(monkeypatch: pytest.MonkeyPatch) -> None:
    found = shutil.which("sh")
    assert found is not None
    digest = digest_of(found)
    command = ["sh", "-c", f"echo '{DEAD}'; exec sleep 60"]
    monkeypatch.chdir("/")
    client = Client(probe_config(command=command, secure=SecureConfig(digest)))

    await client.start()

    await client.kill(grace=0.0)


@requirement("gp.handshake.diagnosis")
@pytest.mark.parametrize("script", ["echo hello; sleep 60", "printf hello"])
@asynchronous
async def test_a_line_that_is_none_is_followed_by_a_look_at_the_file(script: str) -> None:
    client = Client(probe_config(command=sh(script)))

    with pytest.raises(UnrecognizedLineError) as caught:
        await client.start()

    first, usually, *notes = str(caught.value).splitlines()
    assert (first, usually) == ("Unrecognized remote plugin message: hello", "This usually means")
    assert "  Path: /bin/sh" in notes


@requirement("gp.listen.unix")
@asynchronous
async def test_a_plugin_listens_where_it_is_told_to(tmp_path: Path) -> None:
    group = os.getgid()
    async with running_probe(socket_dir=str(tmp_path), socket_group=str(group)) as (client, probe):
        [name] = os.listdir(tmp_path)
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o660
        names = "('PLUGIN_UNIX_SOCKET_DIR', 'PLUGIN_UNIX_SOCKET_GROUP')"
        variables = await probe.run(f"return tuple(map(os.environ.get, {names}))")
        assert variables == str((str(tmp_path), str(group)))
        with client.broker.accept(client.broker.next_id()) as listener:
            assert os.path.dirname(listener.address) == str(tmp_path)

    assert os.listdir(tmp_path) == []


@requirement("gp.listen.unix")
@asynchronous
async def test_where_paths_are_too_long_a_plugin_gets_a_short_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / ("x" * 100)
    directory.mkdir()
    monkeypatch.setenv("TMPDIR", str(directory))
    async with running_probe() as (_, probe):
        short = await probe.run("return os.environ['PLUGIN_UNIX_SOCKET_DIR']")
        assert stat.S_IMODE(os.stat(short).st_mode) == 0o700
        assert len(os.listdir(short)) == 1

    assert short not in private_directories()


@asynchronous
async def test_a_launch_that_fails_leaves_no_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", "/" + "x" * 100)
    before = private_directories()

    with pytest.raises(LaunchError, match=r"^fork/exec "):
        await Client(probe_config(command=[str(tmp_path / "none")])).start()

    assert set(private_directories()) <= set(before)


@requirement("gp.managed")
@asynchronous
async def test_managed_clients_are_ended_together() -> None:
    managed = [Client(probe_config(managed=True)) for _ in range(2)]
    async with Client(probe_config()) as other:
        await asyncio.gather(*(client.start() for client in managed))

        await cleanup_clients()
        await cleanup_clients()

        assert [client.exit_code for client in managed] == [0, 0]
        assert not other.exited


@pytest.mark.parametrize(("end", "code"), [("os._exit(3)", 3), ("os.kill(os.getpid(), signal.SIGKILL)", -9)])
@asynchronous
async def test_the_loop_hears_of_an_exit(end: str, code: int) -> None:
    heard: asyncio.Queue[int] = asyncio.Queue()
    async with running_probe(on_exit=heard.put_nowait) as (_, probe):
        with pytest.raises(PluginLostError):
            await probe.run(end)

        assert await heard.get() == code
    assert heard.empty()


# --- the plugin's own version ------------------------------------------------------------------------------------

UNVERSIONED = "incompatible plugin: it has no version, and this host requires >= 1.2, < 2.0"
OLD = "incompatible plugin: its version is 1.1.9, and this host requires >= 1.2, < 2.0"


@requirement("gp.version.semantic")
@asynchronous
async def test_a_plugin_of_a_version_that_will_do_is_started() -> None:
    config = probe_config(command=[*PROBE, "1.2.0"], require_version=">= 1.2, < 2.0")

    async with Client(config) as client:
        await client.ping()


@requirement("gp.version.semantic", "gp.version.human")
@pytest.mark.parametrize(("arguments", "text"), [([], UNVERSIONED), (["1.1.9"], OLD)])
@asynchronous
async def test_a_plugin_of_another_version_is_refused_and_ended(arguments: list[str], text: str) -> None:
    client = Client(probe_config(command=[*PROBE, *arguments], require_version=">= 1.2, < 2.0"))

    with pytest.raises(IncompatibleVersionError) as caught:
        await client.start()

    assert str(caught.value) == text
    assert client.exited


@requirement("gp.version.semantic")
def test_a_constraint_that_is_none_is_refused_before_the_launch() -> None:
    with pytest.raises(ConfigError, match=r"^not a version constraint"):
        probe_config(require_version="new")


@asynchronous
async def test_a_plugin_that_cannot_be_asked_for_its_version_is_lost() -> None:
    client = Client(probe_config(command=sh(f"echo '{DEAD}'; exec sleep 60"), require_version=">= 1"))

    with pytest.raises(PluginLostError, match="connection error"):
        await client.start()

    assert client.exited
