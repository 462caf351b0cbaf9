from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from goplugin import Code, PluginLostError, RemoteError
from host.errors import LoadError
from host.launcher import PluginProcesses

from .plugins import add_echo, add_shell, children


@pytest.fixture
def processes() -> Iterator[PluginProcesses]:
    processes = PluginProcesses(start_timeout=10, call_timeout=5)
    yield processes
    processes.close()
    assert children() == set()


def test_a_start_gives_a_running_plugin(processes: PluginProcesses, tmp_path: Path) -> None:
    plugin = processes.start(add_echo(tmp_path, "echo", "plugin:echo")).result()

    assert plugin.manifest.module_name == "plugin:echo"
    assert children() == {plugin.pid}
    assert plugin.invoke("process", "pid", [], 5) == plugin.pid


def test_a_closed_plugin_is_gone_and_the_others_are_not(processes: PluginProcesses, tmp_path: Path) -> None:
    # All files first: a program that is being launched has its host's open files for a moment, to write among them.
    paths = [add_echo(tmp_path, name, f"plugin:{name}") for name in ("a", "b")]
    first, second = (start.result() for start in [processes.start(path) for path in paths])

    first.close()
    first.close()

    assert children() == {second.pid}
    with pytest.raises(RemoteError) as caught:
        first.invoke("ping", "", [], 5)
    assert caught.value.code in (Code.UNAVAILABLE, Code.CANCELLED)


def test_closing_ends_what_is_still_starting(processes: PluginProcesses, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "started")
    start = processes.start(add_shell(tmp_path, "slow", f"echo > '{tmp_path}/started'; exec sleep 60"))
    (tmp_path / "started").read_text()  # the script runs

    processes.close()

    assert children() == set()
    with pytest.raises(LoadError, match=r"was killed while it started$"):
        start.result()


def test_what_a_plugin_writes_to_stderr_is_kept(processes: PluginProcesses, tmp_path: Path) -> None:
    path = add_echo(tmp_path, "echo", "plugin:echo", before="os.write(2, b'from the process\\n')")
    plugin = processes.start(path).result()

    plugin.close()

    assert plugin.stderr_tail() == "from the process"


def test_a_lost_plugin_is_told_with_the_way_it_ended(processes: PluginProcesses, tmp_path: Path) -> None:
    plugin = processes.start(add_echo(tmp_path, "echo", "plugin:echo")).result()

    with pytest.raises(PluginLostError) as caught:
        plugin.invoke("process", "crash", ["oh"], 5)

    assert "process: ended with code 7" in caught.value.__notes__


def test_what_a_lost_plugin_has_logged_reads_like_text(processes: PluginProcesses, tmp_path: Path) -> None:
    before = """os.write(2, b'{"@level":"warn","@message":"low on disk","free":7}\\n')"""
    plugin = processes.start(add_echo(tmp_path, "echo", "plugin:echo", before=before)).result()

    with pytest.raises(PluginLostError) as caught:
        plugin.invoke("process", "crash", ["oh"], 5)

    assert "plugin stderr: [WARN] low on disk free=7\noh" in caught.value.__notes__
