from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from goplugin.core.errors import ConfigError
from jsbridge.worker_process import JSRuntimeError, WorkerLostError, WorkerProcess


@pytest.fixture
def worker() -> Iterator[WorkerProcess]:
    worker = WorkerProcess()
    yield worker
    worker.kill()


def nothing(name: bytes, arguments: bytes) -> None:
    """Answers everything with undefined."""


def test_an_interpreter_evaluates_code_with_variables(worker: WorkerProcess) -> None:
    interpreter = worker.interpreter(nothing)

    assert interpreter.run("dukpy.a + 1", {"a": 41}) == 42
    assert interpreter.evaluate(b"'\xc3\xa9'", b"{}") == '"é"'.encode()


def test_an_error_that_nobody_catches_is_raised_as_in_this_process(worker: WorkerProcess) -> None:
    interpreter = worker.interpreter(nothing)

    with pytest.raises(JSRuntimeError, match="RangeError: é"):
        interpreter.run("throw new RangeError('é')", {})
    assert interpreter.run("1", {}) == 1


def test_what_a_script_asks_for_is_answered_here(worker: WorkerProcess) -> None:
    asked: list[tuple[bytes, bytes]] = []

    def dispatch(name: bytes, arguments: bytes) -> bytes | None:
        asked.append((name, arguments))
        return None if name == b"nothing" else b"[1,null]"

    interpreter = worker.interpreter(dispatch)

    assert interpreter.run("[call_python('some', {a: 1}), typeof call_python('nothing')]", {}) == (
        [[1, None], "undefined"]
    )
    assert asked == [(b"some", b'[{"a":1}]'), (b"nothing", b"[]")]


def test_an_answer_may_evaluate_code_in_the_same_interpreter(worker: WorkerProcess) -> None:
    def dispatch(name: bytes, arguments: bytes) -> bytes | None:
        return interpreter.evaluate(name, b"{}")

    interpreter = worker.interpreter(dispatch)

    assert interpreter.run("var x = 20; call_python('x += 1; call_python(\"x *= 2\")') + x", {}) == 84


def test_interpreters_of_one_worker_do_not_know_of_each_other(worker: WorkerProcess) -> None:
    first, second = worker.interpreter(nothing), worker.interpreter(nothing)
    first.run("var x = 1", {})

    assert second.run("typeof x", {}) == "undefined"
    first.close()
    assert second.run("1", {}) == 1


def test_megabytes_pass_both_ways(worker: WorkerProcess) -> None:
    interpreter = worker.interpreter(lambda name, arguments: arguments)

    assert interpreter.run("call_python('echo', dukpy.text)[0] === dukpy.text", {"text": "x" * 5_000_000}) is True


def test_an_exception_cuts_a_script_off_and_ends_its_worker(worker: WorkerProcess) -> None:
    def dispatch(name: bytes, arguments: bytes) -> bytes | None:
        raise KeyboardInterrupt

    interpreter = worker.interpreter(dispatch)
    with pytest.raises(KeyboardInterrupt):
        interpreter.run("try { call_python('x') } catch (error) {} while (true) {}", {})

    assert not interpreter.intact
    with pytest.raises(WorkerLostError, match="cut off"):
        interpreter.run("1", {})
    interpreter.close()     # with nobody left who could answer the script


def test_a_worker_that_was_killed_has_no_interpreters(worker: WorkerProcess) -> None:
    interpreter = worker.interpreter(nothing)
    worker.kill()

    with pytest.raises(WorkerLostError, match="the JavaScript worker is gone"):
        interpreter.run("1", {})
    with pytest.raises(ConfigError):
        worker.interpreter(nothing)


def test_a_worker_that_has_ended_by_itself_has_no_interpreters(worker: WorkerProcess) -> None:
    interpreter = worker.interpreter(nothing)
    os.kill(int(worker.id), signal.SIGKILL)

    for use in (lambda: interpreter.run("1", {}), lambda: worker.interpreter(nothing).run("1", {})):
        with pytest.raises(WorkerLostError, match="the JavaScript worker is gone"):
            use()


def test_a_worker_that_is_connected_has_no_socket_file(worker: WorkerProcess) -> None:
    before = set(os.listdir(tempfile.gettempdir()))
    worker.interpreter(nothing)

    assert set(os.listdir(tempfile.gettempdir())) <= before


def test_a_worker_imports_what_its_host_does(
    worker: WorkerProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "jsbridge.py").write_text("raise SystemExit('the working directory is not where modules are')")
    monkeypatch.chdir(tmp_path)

    assert worker.interpreter(nothing).run("1", {}) == 1


def test_a_terminals_interrupt_is_not_for_the_worker(worker: WorkerProcess) -> None:
    interpreter = worker.interpreter(lambda name, arguments: os.kill(int(arguments[1:-1]), signal.SIGINT))
    pid = int(worker.id)

    assert interpreter.run(f"call_python('kill', {pid}); 1", {}) == 1


def test_run_by_hand_the_program_explains_itself() -> None:
    command = [sys.executable, "-m", "jsbridge.worker_program"]
    done = subprocess.run(command, capture_output=True, text=True)

    assert done.returncode == 1
    assert "This binary is a plugin" in done.stderr
