"""The process of a plugin, without a plugin's protocol: programs that print, fail and stay."""
from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import wait
from pathlib import Path

import pytest

from goplugin import process as process_module
from goplugin.core.errors import ConfigError, HandshakeError, LaunchError
from goplugin.process import PluginProcess
from goplugin.runner import CommandRunner
from tests.support import requirement

from .harness import SECONDS, has_ended, nothing_left_behind, python, sh, wait_for_exit

Launch = Callable[..., PluginProcess]
LINE = "1|1|unix|/nowhere|grpc|"


@pytest.fixture
def launch() -> Iterator[Launch]:
    """Launches a command; whatever is left of it when the test ends is killed, and nothing may be left then."""
    processes: list[PluginProcess] = []

    def launch(command: Sequence[str], stderr: Callable[[bytes], None] = lambda data: None) -> PluginProcess:
        processes.append(PluginProcess.launch(CommandRunner(command, os.environ), receive_stderr=stderr))
        return processes[-1]

    with nothing_left_behind():
        yield launch
        for process in processes:
            process.kill()


def line_of(process: PluginProcess) -> str:
    return process.handshake_line.result(SECONDS)


def failure_of(process: PluginProcess) -> BaseException:
    error = process.handshake_line.exception(SECONDS)
    assert error is not None
    return error


# --- the handshake line ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("printed", [f"{LINE}\n", LINE, f"{LINE}\nmore\n", f"{LINE}\n" + "x" * 100_000])
def test_the_first_line_is_the_handshake(launch: Launch, printed: str) -> None:
    process = launch(python(f"print({printed!r}, end='')"))

    assert line_of(process) == LINE
    assert process.exit_code.result(SECONDS) == 0


def test_a_line_may_come_in_pieces(launch: Launch) -> None:
    process = launch(sh("printf '1|1|un'; sleep 0.02; printf 'ix|/nowhere|grpc|\\n'; exec sleep 60"))

    assert line_of(process) == LINE


def test_garbage_is_a_line_too(launch: Launch) -> None:
    assert line_of(launch(sh("printf 'h\\351llo\\nworld\\n'"))) == "h\udce9llo"


def test_what_follows_the_line_is_read_and_dropped(launch: Launch) -> None:
    process = launch(sh(f"echo '{LINE}'; head -c 1000000 /dev/zero"))

    assert process.exit_code.result(SECONDS) == 0


@requirement("gp.handshake.timeout")
@pytest.mark.parametrize(
    ("command", "code", "how"),
    [
        ("exit 0", 0, "with code 0"),
        ("exit 3", 3, "with code 3"),
        ("kill -TERM $$", -signal.SIGTERM, "by signal SIGTERM"),
        ("kill -KILL $$", -signal.SIGKILL, "by signal SIGKILL"),
        ("kill -35 $$", -35, "by signal 35"),
    ],
)
def test_an_exit_before_the_line_tells_code_and_stderr(launch: Launch, command: str, code: int, how: str) -> None:
    error = failure_of(launch(sh(f"echo 'no such luck' >&2; {command}")))

    assert isinstance(error, LaunchError)
    assert str(error) == f"plugin exited before we could connect: sh ended {how} and printed no handshake line"
    assert (error.exit_code, error.stderr) == (code, "no such luck")


def test_a_closed_stdout_is_no_line_either(launch: Launch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_module, "_EXIT_AFTER_EOF_SECONDS", 0.05)

    process = launch(sh("exec 1>&-; exec sleep 60"))

    error = failure_of(process)
    assert isinstance(error, HandshakeError)
    assert str(error) == "Unrecognized remote plugin message: \nFailed to read any lines from plugin's stdout"
    assert not process.exited


def test_a_line_of_70_kilobytes_is_refused_before_the_plugin_ends(
    launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_module, "_EXIT_AFTER_EOF_SECONDS", 10 * SECONDS)

    process = launch(sh("head -c 70000 /dev/zero; exec sleep 60"))

    error = failure_of(process)
    assert isinstance(error, HandshakeError)
    assert str(error.__cause__) == "error encountered while scanning stdout: bufio.Scanner: token too long"
    assert not process.exited


def test_a_silent_program_has_no_line_yet(launch: Launch) -> None:
    process = launch(sh("printf '1|1|unix'; exec sleep 60"))

    assert not wait([process.handshake_line], timeout=0.1).done
    assert not process.exited


# --- what cannot be launched -------------------------------------------------------------------------------------


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(LaunchError) as caught:
        PluginProcess.launch(CommandRunner([str(tmp_path / "nothing")], {}), receive_stderr=print)

    assert str(caught.value) == f"fork/exec {tmp_path / 'nothing'}: no such file or directory"
    assert isinstance(caught.value.__cause__, FileNotFoundError)


@pytest.mark.parametrize(
    ("content", "mode", "text"),
    [
        ("#!/bin/sh\n", 0o644, "permission denied"),
        ("just text", 0o755, "exec format error"),
        ("", 0o755, "exec format error"),
        ("#!/nowhere/python\n", 0o755, "no such file or directory"),
    ],
)
def test_a_file_that_cannot_be_run_is_named_with_the_reason(tmp_path: Path, content: str, mode: int, text: str) -> None:
    path = tmp_path / "goja-plugin-x"
    path.write_text(content)
    path.chmod(mode)

    with pytest.raises(LaunchError) as caught:
        PluginProcess.launch(CommandRunner([str(path)], {}), receive_stderr=print)

    assert str(caught.value) == f"fork/exec {path}: {text}"
    assert (caught.value.exit_code, caught.value.stderr) == (None, "")


def test_a_directory_cannot_be_run(tmp_path: Path) -> None:
    with pytest.raises(LaunchError, match=f"^fork/exec {tmp_path}: permission denied$"):
        PluginProcess.launch(CommandRunner([str(tmp_path)], {}), receive_stderr=print)


@pytest.mark.parametrize(("command", "env"), [("a\0b", {}), ("true", {"A=B": ""}), ("true", {"A": "\0"})])
def test_a_text_that_the_system_cannot_take_is_the_callers_mistake(command: str, env: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=f"^fork/exec {command}: "):
        PluginProcess.launch(CommandRunner([command], env), receive_stderr=print)


# --- what a plugin gets ------------------------------------------------------------------------------------------


def test_the_environment_is_exactly_the_one_given() -> None:
    process = PluginProcess.launch(CommandRunner(["/usr/bin/env"], {"ONLY": "this=that"}), receive_stderr=print)

    assert line_of(process) == "ONLY=this=that"
    process.kill()


@requirement("gp.tty")
def test_it_stays_in_the_hosts_process_group_and_shares_its_stdin(launch: Launch) -> None:
    process = launch(python("import os; print(os.getpgrp(), *os.fstat(0)[1:3])"))

    assert line_of(process) == " ".join(map(str, (os.getpgrp(), *os.fstat(0)[1:3])))


def test_it_inherits_no_other_descriptor(launch: Launch) -> None:
    read_end, write_end = os.pipe()
    try:
        process = launch(python("import os; print(sorted(os.listdir('/proc/self/fd')))"))

        assert line_of(process) == "['0', '1', '2', '3']"  # the last is listdir's own
    finally:
        os.close(read_end)
        os.close(write_end)


# --- stderr ------------------------------------------------------------------------------------------------------


def test_stderr_comes_in_pieces_and_then_its_end(launch: Launch) -> None:
    pieces: list[bytes] = []
    process = launch(sh("printf one >&2; head -c 300000 /dev/zero >&2; printf two >&2"), pieces.append)
    process.exit_code.result(SECONDS)

    process.kill()

    assert b"".join(pieces) == b"one" + bytes(300_000) + b"two"
    assert pieces.index(b"") == len(pieces) - 1


def test_the_tail_is_the_last_4096_bytes(launch: Launch) -> None:
    process = launch(python("import sys; sys.stderr.write('x' * 5000 + '\\n\\xe9 end\\n\\n')"))
    assert process.exit_code.result(SECONDS) == 0
    process.kill()

    assert process.stderr_tail == "x" * (4096 - len("\n\xe9 end\n\n".encode())) + "\n\xe9 end"


# --- the end -----------------------------------------------------------------------------------------------------


def test_kill_ends_and_reaps_it(launch: Launch) -> None:
    process = launch(sh("exec sleep 60"))
    assert not process.exited

    process.kill()

    assert process.exited
    assert process.exit_code.result() == -signal.SIGKILL
    with pytest.raises(ProcessLookupError):
        os.kill(int(process.id), 0)


def test_kill_is_idempotent(launch: Launch) -> None:
    process = launch(sh("exit 3"))
    process.kill()
    code = process.exit_code.result()

    process.kill()

    assert process.exit_code.result() == code


FAMILY = """
import os, signal, subprocess, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", '''
import subprocess, time
grandchild = subprocess.Popen(["sleep", "60"], start_new_session=True)
print(grandchild.pid, flush=True)
time.sleep(60)
'''], stdout=subprocess.PIPE, text=True)
print(child.pid, child.stdout.readline().strip(), flush=True)
"""


@requirement("us.kill-tree")
def test_kill_takes_the_descendants_with_it(launch: Launch) -> None:
    process = launch(python(FAMILY + "signal.pause()"))
    family = [int(pid) for pid in line_of(process).split()]

    process.kill()

    assert [wait_for_exit(pid) for pid in family] == [True, True]


@requirement("us.kill-tree")
def test_descendants_that_hold_the_pipes_are_ended_after_an_exit(launch: Launch) -> None:
    process = launch(sh("sleep 60 & echo $!; exec sleep 60"))
    child = int(line_of(process))
    process.note_family()
    os.kill(int(process.id), signal.SIGKILL)
    process.exit_code.result(SECONDS)
    assert not has_ended(child)

    process.kill()

    assert wait_for_exit(child)


def test_a_stranger_who_holds_the_pipes_delays_kill_only_so_long(
    launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_module, "_READERS_JOIN_SECONDS", 0.05)
    process = launch(sh("(sleep 60 & echo $!); exec sleep 60"))  # the subshell ends, and init inherits its child
    stranger = int(line_of(process))
    try:
        process.kill()

        assert process.exited
        assert not has_ended(stranger)
    finally:
        os.kill(stranger, signal.SIGKILL)


def test_waiting_for_the_exit_has_a_limit(launch: Launch) -> None:
    process = launch(sh("exec sleep 60"))

    assert not process.wait(0.01)
    process.kill()
    assert process.wait(0.0)


# --- giving up ---------------------------------------------------------------------------------------------------


def test_who_waits_for_a_line_can_be_told_that_there_will_be_none(launch: Launch) -> None:
    process = launch(sh("exec sleep 60"))

    process.give_up()
    process.give_up()

    assert str(failure_of(process)) == "sh was killed while it started"


def test_a_line_that_has_come_stays(launch: Launch) -> None:
    process = launch(sh(f"echo '{LINE}'; exec sleep 60"))
    assert line_of(process) == LINE

    process.give_up()

    assert line_of(process) == LINE


# --- the announced socket ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "path"),
    [
        (LINE, "/nowhere"),
        ("9|x|unix|/nowhere", "/nowhere"),
        ("1|1|unix|/nowhere\\r", "/nowhere"),
        ("1|1|tcp|127.0.0.1:1|grpc", None),
        ("1|1|unix", None),
        ("hello", None),
    ],
)
def test_a_socket_is_known_from_the_line_even_if_that_is_refused(launch: Launch, line: str, path: str | None) -> None:
    process = launch(sh(f"printf '{line}\\n'"))
    line_of(process)

    assert process.announced_socket == path


def test_without_a_line_no_socket_is_known(launch: Launch) -> None:
    process = launch(sh("exec sleep 60"))
    assert process.announced_socket is None

    process.kill()

    failure_of(process)
    assert process.announced_socket is None
    assert not process.announced


def test_a_line_tells_the_socket_even_if_it_comes_when_nobody_waits_for_it(launch: Launch) -> None:
    ready = threading.Event()
    process = launch(
        sh(f"trap \"echo '{LINE}'; exit\" USR1; echo ready >&2; while true; do sleep 0.01; done"),
        lambda data: ready.set(),
    )
    assert ready.wait(SECONDS)
    process.give_up()

    os.kill(int(process.id), signal.SIGUSR1)
    process.wait_for_end_of_output(SECONDS)

    failure_of(process)
    assert process.announced
    assert process.announced_socket == "/nowhere"


def test_the_name_is_the_executables() -> None:
    process = PluginProcess.launch(CommandRunner([sys.executable, "-c", ""], {}), receive_stderr=print)
    process.kill()

    assert process.name == os.path.basename(sys.executable)
