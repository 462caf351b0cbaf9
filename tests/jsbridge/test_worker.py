from __future__ import annotations

import asyncio
import gc
import os
import resource
import select
import signal
import subprocess
import sys
import threading
import time
from collections import UserDict
from collections.abc import Callable, Iterator, KeysView
from pathlib import Path
from typing import Any

import pytest

from goplugin.core.errors import ConfigError, LaunchError, LocalProtocolError, PluginError
from jsbridge._dukpy import IS_DUKTAPE
from jsbridge.engine import UNDEFINED, JSError
from jsbridge.script_process import ScriptExit
from jsbridge.worker import LEAST_MEMORY, LimitedEngine, MemoryLimitError, TimeLimitError
from jsbridge.worker_process import WorkerLostError
from tests.jsbridge.scripts import Session
from tests.support import requirement

MEBIBYTE = 1 << 20
LOOP = "while (true) {}"
LONG_STEP = pytest.param(
    "Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1)",     # in which QuickJS looks for no signals
    marks=pytest.mark.skipif(IS_DUKTAPE, reason="Duktape takes the length for a smaller one"),
)


class LimitedSession(Session):
    """A session whose engine has limits."""

    def __init__(self, **limits: Any) -> None:
        super().__init__()
        self.engine.close()
        self.engine = LimitedEngine(self.registry, stdout=self.stdout.append, stderr=self.stderr.append, **limits)

    def pid(self) -> int:
        """The process number of the worker, which starts if need be."""
        self.engine.eval("null")
        tasks = Path("/proc/self/task").iterdir()
        children = [child for task in tasks for child in (task / "children").read_text().split()]
        return max(int(child) for child in children if is_worker(child))


def is_worker(pid: str) -> bool:
    return b"jsbridge.worker_program" in Path(f"/proc/{pid}/cmdline").read_bytes()


@pytest.fixture
def make() -> Iterator[Callable[..., LimitedSession]]:
    """Makes sessions, which are closed at the end."""
    sessions: list[LimitedSession] = []

    def make(**limits: Any) -> LimitedSession:
        sessions.append(LimitedSession(**limits))
        return sessions[-1]

    yield make
    for session in sessions:
        session.engine.close()


Make = Callable[..., LimitedSession]


def exists(pid: int) -> bool:
    """Whether the process has not ended; one that nobody has waited for has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except FileNotFoundError:
        return False


# --- time ------------------------------------------------------------------------------------------------------------


@requirement("ow.js-limits")
@pytest.mark.parametrize("code", [LOOP, f"try {{ {LOOP} }} finally {{ {LOOP} }}", LONG_STEP])
def test_a_script_that_takes_too_long_is_ended_with_its_worker(make: Make, code: str) -> None:
    session = make(timeout=0.3)
    pid = session.pid()
    session.engine.eval("var x = 1")
    begin = time.monotonic()

    with pytest.raises(TimeLimitError, match=r"the time limit of 0\.3 s is over, and what") as caught:
        session.engine.eval(code)

    assert 0.3 <= time.monotonic() - begin < 1.3
    assert caught.value.code == "ERR_SCRIPT_EXECUTION_TIMEOUT"
    assert not exists(pid)
    assert session.engine.eval("typeof x") == "undefined"       # in a new worker


@requirement("ow.js-limits")
def test_the_loop_of_an_asyncio_program_ticks_while_a_thread_of_it_is_stuck_in_a_script(make: Make) -> None:
    session = make(timeout=0.5)
    session.pid()

    async def main() -> int:
        script = asyncio.create_task(asyncio.to_thread(session.engine.eval, LOOP))
        ticks = 0
        while not script.done():
            await asyncio.sleep(0.01)
            ticks += 1
        with pytest.raises(TimeLimitError):
            await script
        return ticks

    assert asyncio.run(main()) > 10


def test_the_limit_is_for_one_run_and_not_for_all(make: Make) -> None:
    session = make(timeout=0.2)
    session.engine.eval("var x = 1")
    end = time.monotonic() + 0.5    # of runs that are short, one behind the other

    while time.monotonic() < end:
        assert session.engine.eval("x") == 1
        assert [thread.name for thread in threading.enumerate()].count("javascript-time-limit") <= 1
    time.sleep(0.25)     # after which nobody looks at the time any more
    with pytest.raises(TimeLimitError):
        session.engine.eval(LOOP)


def test_a_plugin_call_gets_no_more_time_than_the_run_has_left(make: Make) -> None:
    session = make(timeout=2.0, call_timeout=5.0)

    session.sent("1")

    assert 1.0 < session.calls[0][3] <= 2.0


def test_a_plugin_call_keeps_its_own_limit_if_that_is_less(make: Make) -> None:
    session = make(timeout=60.0, call_timeout=0.5)

    session.sent("1")

    assert session.calls[0][3] == 0.5


def test_a_script_that_waits_is_ended_too(make: Make) -> None:
    session = make(timeout=0.3)

    with pytest.raises(TimeLimitError):
        session.engine.eval("setTimeout(function () {}, 60000)")

    assert session.engine.eval("1") == 1


def test_the_time_in_plugin_calls_counts(make: Make) -> None:
    session = make(timeout=0.3)
    called, leave = threading.Event(), threading.Event()

    def block() -> None:
        called.set()
        leave.wait(10)

    session.install("plugin:m", block=block)
    pid = session.pid()

    def release() -> None:
        called.wait(10)
        while exists(pid):
            time.sleep(0.01)
        leave.set()

    thread = threading.Thread(target=release)
    thread.start()
    with pytest.raises(TimeLimitError):
        session.engine.eval("require('plugin:m').block()")
    thread.join()


# --- memory ----------------------------------------------------------------------------------------------------------

BOMBS = [
    "let list = []; for (;;) list.push('x'.repeat(1000) + list.length)",
    "let list = []; for (;;) list.push({})",
    "let text = 'x'; for (;;) text += text",
    pytest.param(
        "let echo = require('plugin:echo').echo, list = []; for (;;) list.push(echo('x'.repeat(100000)))",
        marks=pytest.mark.skipif(IS_DUKTAPE, reason="dukpy 0.5 hangs when the heap is full in a plugin call"),
    ),
    "let list = []; for (;;) list.push(new Uint8Array(1000000))",
    pytest.param(
        "let size = 1, echo = require('plugin:echo').echo; for (;;) echo('x'.repeat(size = Math.ceil(size * 1.1)))",
        marks=pytest.mark.skipif(IS_DUKTAPE, reason="dukpy 0.5 hangs when the heap is full in a plugin call"),
    ),
]


@requirement("ow.js-limits")
@pytest.mark.parametrize("code", BOMBS)
def test_a_script_that_wants_too_much_memory_is_ended_with_its_worker(make: Make, code: str) -> None:
    session = make(memory=24 * MEBIBYTE)
    pid = session.pid()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    session.calls = Forgetful()

    with pytest.raises(MemoryLimitError, match="more than its limit of 24 MiB") as caught:
        session.engine.eval("{" + code + "}")

    assert caught.value.code == "ERR_WORKER_OUT_OF_MEMORY"
    assert not exists(pid)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak < 64 << 10     # KiB
    assert session.engine.eval("1") == 1


class Forgetful(list[Any]):
    """Keeps no calls: they are the bomb's."""

    def append(self, item: Any) -> None:
        pass


def test_a_script_may_have_what_its_limit_allows(make: Make) -> None:
    session = make(memory=64 * MEBIBYTE)

    assert session.engine.eval("var bytes = new Uint8Array(50_000_000); bytes.length") == 50_000_000
    with pytest.raises(MemoryLimitError):
        session.engine.eval("new Uint8Array(50_000_000).length")


def test_a_script_may_catch_that_its_memory_is_full(make: Make) -> None:
    session = make(memory=24 * MEBIBYTE)
    session.engine.eval("var x = 1")

    message = session.engine.eval("try { new Uint8Array(1e8) } catch (error) { error.message }")
    assert message == ("alloc failed" if IS_DUKTAPE else "out of memory")
    assert session.engine.eval("x") == 1


def test_the_least_memory_does_for_small_scripts(make: Make) -> None:
    session = make(memory=LEAST_MEMORY)

    assert session.sent("'x'.repeat(100000)") == "x" * 100_000


@pytest.mark.parametrize(
    ("memory", "text"), [(MEBIBYTE, "1 MiB"), (3000 << 10, "3000 KiB"), (4 * MEBIBYTE - 1, "4194303 bytes")]
)
def test_less_memory_than_the_least_is_refused(memory: int, text: str) -> None:
    with pytest.raises(ConfigError, match=f"a memory limit of {text} is too small: it must be 4 MiB"):
        LimitedEngine(Session().registry, memory=memory)


def test_where_the_system_keeps_no_limit_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")

    with pytest.raises(ConfigError, match="on Linux only"):
        LimitedEngine(Session().registry, memory=64 * MEBIBYTE)


@pytest.mark.parametrize("limits", [{"timeout": 60.0}, {"memory": 1 << 30}])
def test_with_no_smaller_limit_a_full_heap_is_what_it_is_in_this_process(make: Make, limits: Any) -> None:
    session = make(**limits)
    session.engine.eval("var x = 1")

    error = session.error("{ let list = []; for (;;) list.push(new Uint8Array(10000000)) }")

    assert not isinstance(error, MemoryLimitError)
    assert session.engine.eval("x") == 1


# --- as in this process ----------------------------------------------------------------------------------------------


def test_scripts_run_one_after_the_other_in_one_global_scope(make: Make, tmp_path: Path) -> None:
    session = make()
    script = tmp_path / "script.js"
    script.write_text("console.log('file', process.argv.length, x); console.error('!')")

    session.engine.eval("var x = 41; function next() { return ++x }")

    assert session.engine.eval("next()") == 42
    assert session.engine.eval("var y = 1") is UNDEFINED
    assert session.engine.eval_text("'a'") == '"a"'
    session.engine.run_file(script, ["a"])
    assert (session.stdout, session.stderr) == (["file 3 42\n"], ["!\n"])


def test_a_plugin_is_called_on_the_thread_that_evaluates(make: Make) -> None:
    session = make()
    threads: list[int] = []
    session.install("plugin:m", note=lambda: threads.append(threading.get_ident()))

    session.engine.eval("require('plugin:m').note()")

    assert threads == [threading.get_ident()]


def test_a_plugin_call_may_evaluate_code_in_the_engine_that_makes_it(make: Make) -> None:
    session = make(timeout=60.0)
    session.install("plugin:host", run=session.engine.eval)

    assert session.engine.eval("var x = 1; require('plugin:host').run('x += 1; x') + x") == 4


def test_an_asynchronous_call_cannot_evaluate_code(make: Make) -> None:
    session = make(timeout=60.0)
    session.install("plugin:host", run=session.engine.eval)

    with pytest.raises(JSError, match="asynchronous call of the same engine"):
        session.engine.eval("await require('plugin:host').run.async('1')")


def test_an_exit_ends_the_script_and_not_the_worker(make: Make) -> None:
    session = make()

    with pytest.raises(SystemExit) as caught:
        session.engine.eval("var x = 1; try { process.exit(3) } catch (error) {} finally { x = 2 }")

    assert caught.value.code == 3
    assert session.engine.eval("typeof x") == "number"


@requirement("ow.js-limits")
def test_a_hundred_runs_go_to_one_worker(make: Make) -> None:
    session = make(timeout=60.0, memory=64 * MEBIBYTE)
    pid = session.pid()

    assert [session.engine.eval(f"{number}") for number in range(100)] == list(range(100))
    assert session.pid() == pid


# --- the end ---------------------------------------------------------------------------------------------------------


class Alarm(BaseException):
    """What the signal handler of these tests raises."""


@pytest.fixture
def alarm() -> Iterator[Callable[[float], object]]:
    """Sets an alarm: that many seconds later Alarm is raised on this thread.

    No garbage is collected meanwhile: Python drops what a signal handler raises inside of a finalizer.
    """

    def ring(*args: object) -> None:
        raise Alarm

    previous = signal.signal(signal.SIGALRM, ring)
    gc.disable()
    yield lambda seconds: signal.setitimer(signal.ITIMER_REAL, seconds)
    signal.setitimer(signal.ITIMER_REAL, 0)
    gc.enable()
    signal.signal(signal.SIGALRM, previous)


@pytest.mark.parametrize("code", [LOOP, LONG_STEP, "while (true) try { echo(1) } catch (error) {}", "wait()"])
def test_what_a_signal_handler_raises_ends_the_script(
    make: Make, alarm: Callable[[float], object], code: str
) -> None:
    session = make()
    session.install("plugin:m", wait=lambda: time.sleep(60))
    session.engine.eval("var { echo } = require('plugin:echo'), { wait } = require('plugin:m')")

    alarm(0.2)
    with pytest.raises(Alarm):
        session.engine.eval(code)

    assert session.engine.eval("1") == 1


@pytest.mark.parametrize("code", [
    "while (true) try { stop() } catch (error) {}",
    "try { stop() } finally { while (true) {} }",
    "setTimeout(function () { while (true) try { stop() } catch (error) {} }, 0)",
])  # fmt: skip
@pytest.mark.parametrize("limits", [{}, {"timeout": 60.0, "memory": 64 * MEBIBYTE}])
def test_a_script_that_catches_every_refusal_is_cut_off(make: Make, code: str, limits: dict[str, Any]) -> None:
    def stop() -> None:
        raise Alarm     # as if the signal had come just then

    session = make(**limits)
    session.install("plugin:m", stop=stop)
    session.engine.eval("var { stop } = require('plugin:m')")
    pid = session.pid()
    begin = time.monotonic()

    with pytest.raises(Alarm):
        session.engine.eval(code)

    assert time.monotonic() - begin < 5
    assert not exists(pid)
    assert session.engine.eval("typeof stop") == "undefined"    # in a new worker


def test_a_script_that_catches_its_own_exit_ends_with_its_code(make: Make) -> None:
    session = make()

    with pytest.raises(ScriptExit) as caught:
        session.engine.eval("try { process.exit(3) } catch (error) {} while (true) {}")

    assert caught.value.code == 3


def test_an_exception_that_a_module_deals_with_cuts_nothing_off(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jsbridge.worker._STOP_SECONDS", 0.05)
    session = make()

    def stop() -> None:
        raise Alarm

    def attempt() -> None:
        with pytest.raises(Alarm):
            session.engine.eval("stop()")
        time.sleep(0.1)     # twice what it would take

    session.install("plugin:m", stop=stop, attempt=attempt)
    session.engine.eval("var { attempt, stop } = require('plugin:m')")

    assert session.engine.eval("attempt(); 1") == 1


def test_closing_ends_a_script_on_another_thread_at_once(make: Make) -> None:
    session = make()
    pid = session.pid()
    running = threading.Event()
    session.install("plugin:m", ready=running.set)
    errors: list[BaseException] = []

    def run() -> None:
        try:
            session.engine.eval(f"require('plugin:m').ready(); {LOOP}")
        except PluginError as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    assert running.wait(10)
    session.engine.close()
    thread.join(10)

    assert list(map(str, errors)) == ["the JavaScript engine was closed while a script ran"]
    assert not exists(pid)


def test_an_engine_that_is_closed_while_its_worker_starts_is_closed() -> None:
    class ClosingEnvironment(UserDict[str, str]):
        def keys(self) -> KeysView[str]:
            session.engine.close()
            return super().keys()

    session = LimitedSession(env=ClosingEnvironment())

    with pytest.raises(LocalProtocolError, match="the JavaScript engine is closed"):
        session.engine.eval("1")


def test_a_closed_engine_stays_closed(make: Make) -> None:
    session = make()
    pid = session.pid()
    with session.engine:
        pass
    session.engine.close()

    assert not exists(pid)
    for use in (lambda: session.engine.eval("1"), lambda: session.engine.run_file("x.js")):
        with pytest.raises(LocalProtocolError, match="closed"):
            use()


def test_an_engine_that_was_never_used_starts_no_worker() -> None:
    with LimitedSession(timeout=1.0).engine:
        pass


def test_a_script_that_has_its_own_engine_closed_ends_there(make: Make) -> None:
    session = make()
    pid = session.pid()
    session.install("plugin:m", close=session.engine.close)

    with pytest.raises(LocalProtocolError, match="closed while a script ran"):
        session.engine.eval("require('plugin:m').close()")
    assert not exists(pid)


def test_a_worker_that_cannot_start_is_an_error(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")

    with pytest.raises(LaunchError, match="/nowhere/python"):
        make().engine.eval("1")


def test_a_worker_that_is_lost_is_an_error_and_the_next_run_has_a_new_one(make: Make) -> None:
    session = make()
    pid = session.pid()
    session.install("plugin:m", kill=lambda: os.kill(pid, signal.SIGKILL))

    with pytest.raises(WorkerLostError, match="the JavaScript worker is gone"):
        session.engine.eval("require('plugin:m').kill()")

    assert session.pid() != pid


def test_a_worker_that_is_lost_between_two_runs_is_an_error_once(make: Make) -> None:
    session = make()
    pid = session.pid()
    os.kill(pid, signal.SIGKILL)

    with pytest.raises(WorkerLostError):
        session.engine.eval("1")
    assert session.engine.eval("1") == 1


HOST = """
import sys
from jsbridge.engine import *
from tests.jsbridge.test_worker import LimitedSession
session = LimitedSession()
print(session.pid(), flush=True)
session.engine.eval(sys.argv[1])
"""


@requirement("ow.js-limits")
@pytest.mark.parametrize("code", [LOOP, LONG_STEP])
def test_a_worker_ends_with_its_host_however_that_ends(code: str) -> None:
    root = Path(__file__).parents[2]
    with subprocess.Popen([sys.executable, "-c", HOST, code], stdout=subprocess.PIPE, text=True, cwd=root) as host:
        assert host.stdout is not None
        worker = int(host.stdout.readline())
        descriptor = os.pidfd_open(worker)
        host.kill()

    try:
        assert select.select([descriptor], [], [], 10)[0]
    finally:
        os.close(descriptor)
