"""Uncaught exceptions, by the stderr of processes."""
from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from goplugin import Client, LaunchError
from tests.support import requirement

from .harness import Sink, asynchronous, probe_config, running_probe

RUN = (sys.executable, "-m", "goplugin", "run")


def script(tmp_path: Path, source: str) -> Path:
    path = tmp_path / "script.py"
    path.write_text(source, "utf-8")
    return path


def entries(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@requirement("gp.log.structured")
def test_what_a_script_raises_is_one_error_entry(tmp_path: Path) -> None:
    path = script(tmp_path, "def fail():\n    raise ValueError('<no> such luck')\nfail()\n")

    result = subprocess.run([*RUN, path], capture_output=True, text=True, check=False)

    [entry] = entries(result.stderr)
    assert (result.returncode, result.stdout) == (1, "")
    assert (entry["@level"], entry["@module"]) == ("error", "goplugin")
    assert entry["@message"] == "ValueError: <no> such luck"
    assert entry["traceback"].startswith("Traceback (most recent call last):\n")
    assert "in fail\n    raise ValueError" in entry["traceback"]


def test_a_syntax_error_is_one_too(tmp_path: Path) -> None:
    result = subprocess.run([*RUN, script(tmp_path, "def")], capture_output=True, text=True, check=False)

    [entry] = entries(result.stderr)
    assert entry["@message"] == "SyntaxError: invalid syntax"


def test_an_entry_is_short_enough_for_a_go_host(tmp_path: Path) -> None:
    source = "def fail(n):\n    raise ValueError('\\xe9' * 100_000)\nfail(1)\n"
    result = subprocess.run([*RUN, script(tmp_path, source)], capture_output=True, text=True, check=False)

    assert len(result.stderr) < 64 * 1024
    assert entries(result.stderr)[0]["traceback"].endswith("\xe9\xe9\n")


def test_ctrl_c_is_no_crash(tmp_path: Path) -> None:
    result = subprocess.run(
        [*RUN, script(tmp_path, "raise KeyboardInterrupt")], capture_output=True, text=True, check=False
    )

    assert result.stderr.endswith("KeyboardInterrupt\n")
    assert "{" not in result.stderr


def test_at_a_terminal_the_report_is_the_interpreters(tmp_path: Path) -> None:
    ours, terminal = pty.openpty()
    process = subprocess.Popen([*RUN, script(tmp_path, "raise ValueError('x')")], stderr=terminal)
    os.close(terminal)

    text = b""
    try:
        while data := os.read(ours, 4096):
            text += data
    except OSError:     # how a terminal's end looks on Linux
        pass
    os.close(ours)

    assert process.wait() == 1
    assert text.startswith(b"Traceback (most recent call last):")


@requirement("gp.log.structured")
@asynchronous
async def test_a_thread_of_a_served_plugin_that_raises_is_one_entry() -> None:
    log = Sink()
    body = "thread = threading.Thread(target=lambda: 1 / 0, name='worker'); thread.start(); thread.join()"
    async with running_probe(stderr=log) as (_, probe):
        await probe.run(body)
        await log.wait_for("ZeroDivisionError")

    [entry] = entries(log.text)
    assert (entry["@message"], entry["thread"]) == ("ZeroDivisionError: division by zero", "worker")


@asynchronous
async def test_a_thread_may_exit() -> None:
    log = Sink()
    async with running_probe(stderr=log) as (_, probe):
        await probe.run("thread = threading.Thread(target=sys.exit); thread.start(); thread.join()")

    assert log.text == ""


@requirement("gp.log.structured")
@asynchronous
async def test_a_task_that_raises_is_one_entry() -> None:
    log = Sink()
    async with running_probe(stderr=log) as (_, probe):
        await probe.run_async("async def fail(): 1 / 0\nasyncio.create_task(fail())\nawait asyncio.sleep(0)")
        await probe.run("import gc; gc.collect()")
        await log.wait_for("ZeroDivisionError")

    [entry] = entries(log.text)
    assert (entry["@level"], entry["@module"]) == ("error", "asyncio")
    assert entry["@message"].startswith("Task exception was never retrieved")
    assert entry["traceback"].endswith("ZeroDivisionError: division by zero")


@asynchronous
async def test_a_host_in_python_shows_the_traceback_of_a_plugin_that_does_not_start(tmp_path: Path) -> None:
    path = script(tmp_path, "import nowhere")

    with pytest.raises(LaunchError) as caught:
        await Client(probe_config(command=(*RUN, str(path)))).start()

    assert caught.value.stderr.startswith("Traceback (most recent call last):\n")
    assert caught.value.stderr.endswith("\nModuleNotFoundError: No module named 'nowhere'")
