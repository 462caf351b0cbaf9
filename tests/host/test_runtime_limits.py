"""Limits on scripts, in library use and on the command line; tests/jsbridge/test_worker.py has the engine's own."""
from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from goplugin import RemoteError
from host import Runtime
from jsbridge.engine import JSError
from jsbridge.worker import MemoryLimitError, TimeLimitError
from tests.support import requirement

from .plugins import add_echo, children

HOST = [sys.executable, "-m", "host"]
BOMB = "{ let list = []; for (;;) list.push({}) }"


@pytest.fixture(scope="module")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A directory with one good plugin."""
    directory = tmp_path_factory.mktemp("plugins")
    add_echo(directory, "echo", "plugin:echo")
    return str(directory)


@requirement("ow.js-limits", "jm.lifecycle")
def test_a_limit_ends_a_script_and_no_plugin(plugins: str) -> None:
    before = children()
    with Runtime([plugins], timeout=1.0, memory=32 << 20) as runtime:
        pid = runtime.call("plugin:echo", "process", "pid")
        for code, error in (("for (;;) {}", TimeLimitError), ("new Uint8Array(1e8)", MemoryLimitError)):
            with pytest.raises(error):
                runtime.eval(code)
            assert children() - before == {pid}
            assert runtime.eval("require('plugin:echo').process.pid()") == pid
    assert children() == before


@requirement("ow.js-limits")
def test_a_plugin_call_ends_with_the_time_of_its_script(plugins: str) -> None:
    with Runtime([plugins], timeout=0.5, call_timeout=60.0) as runtime:
        begin = time.monotonic()
        with pytest.raises(TimeLimitError):
            runtime.eval("require('plugin:echo').process.sleep(30)")

        assert time.monotonic() - begin < 5.0
        assert runtime.call("plugin:echo", "ping", args=["here"]) == "here"


@requirement("ow.js-limits")
def test_a_thread_of_an_asyncio_program_is_ended_by_closing_its_runtime(plugins: str) -> None:
    before = children()

    async def main() -> None:
        with Runtime([plugins], memory=32 << 20) as runtime:
            runtime.eval("null")
            script = asyncio.create_task(asyncio.to_thread(runtime.eval, "for (;;) {}"))
            await asyncio.sleep(0.1)    # the script is under way, or it is refused: closed is closed
            runtime.close()
            with pytest.raises(Exception, match="closed"):
                await script

    asyncio.run(main())
    assert children() == before


def test_an_error_of_a_plugin_keeps_its_cause(plugins: str) -> None:
    with Runtime([plugins], timeout=60.0) as runtime, pytest.raises(JSError, match="no luck") as caught:
        runtime.eval("require('plugin:echo').fail('no luck')")

    assert isinstance(caught.value.__cause__, RemoteError)


# --- the command line ------------------------------------------------------------------------------------------------


@requirement("ow.js-limits")
@pytest.mark.parametrize("code", ["for (;;) {}", "Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1)"])
def test_the_time_limit_holds_whatever_the_script_does(plugins: str, code: str) -> None:
    begin = time.monotonic()
    command = [*HOST, "--plugin-dir", plugins, "eval", code, "--timeout", "0.8"]
    done = subprocess.run(command, capture_output=True, text=True)

    assert (done.returncode, time.monotonic() - begin < 2.0) == (124, True)
    assert done.stderr == "error: the time limit of 0.8 s is over\n  hint: give it longer with --timeout\n"


@requirement("ow.js-limits")
def test_the_memory_limit_ends_the_run_with_code_1_and_a_hint(plugins: str) -> None:
    command = [*HOST, "--plugin-dir", plugins, "--memory", "32M", "eval", BOMB]
    done = subprocess.run(command, capture_output=True, text=True)

    assert done.returncode == 1
    assert done.stderr.startswith("error: out of memory: the script needs more than its limit of 32 MiB, and what ")
    assert done.stderr.endswith("\n  hint: give it more with --memory, or see what it keeps\n")


@requirement("ow.js-limits", "jm.lifecycle")
@pytest.mark.parametrize(("signum", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_limited_run_with_its_plugins_and_its_worker(
    plugins: str, signum: signal.Signals, exit_code: int
) -> None:
    command = [*HOST, "--plugin-dir", plugins, "--memory", "64M", "eval", "console.log('ready'); for (;;) {}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        tasks = Path(f"/proc/{process.pid}/task").iterdir()
        family = [child for task in tasks for child in (task / "children").read_text().split()]
        os.killpg(process.pid, signum) if signum is signal.SIGINT else process.send_signal(signum)
        process.communicate()

    assert process.returncode == exit_code
    assert len(family) == 2
    assert not any(Path(f"/proc/{pid}").exists() for pid in family)
