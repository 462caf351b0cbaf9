"""Children of this process, started and ended without anybody who reads what they print."""
from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from goplugin import Client, ConfigError, LaunchError, SecureConfig
from goplugin.core.handshake import UnrecognizedLineError
from goplugin.runner import CommandRunner
from tests.support import requirement

from .harness import asynchronous, nothing_left_behind, probe_config, sh, wait_for_exit


def close(runner: CommandRunner) -> None:
    runner.wait()
    runner.stdout.close()
    runner.stderr.close()


def test_a_command_runs_with_its_environment_and_no_other() -> None:
    runner = CommandRunner(["/usr/bin/env"], {"ONLY": "this"})
    runner.start()

    assert runner.name == "env"
    assert runner.stdout.read(100) == b"ONLY=this\n"
    assert runner.wait() == 0
    close(runner)


def test_what_was_noted_is_ended_even_if_the_command_has_ended_before() -> None:
    with nothing_left_behind():
        runner = CommandRunner(sh("sleep 60 >&- 2>&- & echo $!; read line"), os.environ)
        read, write = os.pipe()
        stdin = os.dup(0)
        os.dup2(read, 0)
        try:
            runner.start()
        finally:
            os.dup2(stdin, 0)
            os.close(stdin)
            os.close(read)
        child = int(runner.stdout.read(100) or b"")
        runner.note_family()
        os.close(write)
        assert runner.wait() == 1

        runner.kill()

        assert wait_for_exit(child)
        close(runner)


def test_a_command_that_was_never_noted_is_ended_too() -> None:
    runner = CommandRunner(sh("exec sleep 60"), os.environ)
    runner.start()

    runner.kill()

    assert runner.wait() == -9
    runner.kill()
    close(runner)


def test_all_of_the_family_is_asked_to_end() -> None:
    with nothing_left_behind():
        child = "trap 'echo child; exit' TERM; echo up; while true; do sleep 0.01; done"
        runner = CommandRunner(sh(f'sh -c "{child}"; :'), os.environ)
        runner.start()
        assert runner.stdout.read(100) == b"up\n"

        runner.terminate()

        assert runner.wait() == -15
        assert runner.stdout.read(100) == b"child\n"
        assert runner.stdout.read(100) == b""
        runner.terminate()
        runner.kill()
        close(runner)


def test_what_cannot_be_run_is_a_launch_error(tmp_path: Path) -> None:
    with pytest.raises(LaunchError, match=r"^fork/exec .*/none: no such file or directory$"):
        CommandRunner([f"{tmp_path}/none"], {}).start()


def test_a_file_that_is_there_is_not_taken_for_missing(tmp_path: Path) -> None:
    path = tmp_path / "plugin"
    path.write_text("#!/nowhere/python\n")
    path.chmod(0o755)

    with pytest.raises(LaunchError) as caught:
        CommandRunner([str(path)], {}).start()

    assert caught.value.__notes__ == ["the file is there: the interpreter that its first line names is not"]


def test_what_no_command_can_hold_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match=r"^fork/exec sh\0: embedded null byte$"):
        CommandRunner(["sh\0"], {}).start()


def test_addresses_are_the_same_on_both_sides() -> None:
    runner = CommandRunner(["sh"], {})

    assert runner.plugin_to_host("unix", "/a") == runner.host_to_plugin("unix", "/a") == ("unix", "/a")


# --- a runner of the host's own ----------------------------------------------------------------------------------


class Told(CommandRunner):
    def diagnose(self) -> str:
        return "the container has no such image"


@requirement("gp.runner", "gp.handshake.diagnosis")
@asynchronous
async def test_a_runner_says_what_may_be_wrong() -> None:
    def runner(environment: Mapping[str, str], directory: str) -> Told:
        return Told(sh("echo hello"), environment)

    with pytest.raises(UnrecognizedLineError, match=r"^Unrecognized remote plugin message: hello\nthe container has"):
        await Client(probe_config(command=(), runner=runner)).start()


@requirement("gp.runner")
@asynchronous
async def test_a_runner_gets_a_directory_that_goes_with_the_plugin(tmp_path: Path) -> None:
    seen: list[str] = []

    def runner(environment: Mapping[str, str], directory: str) -> CommandRunner:
        assert environment["PLUGIN_UNIX_SOCKET_DIR"] == directory
        assert os.listdir(tmp_path) == [os.path.basename(directory)]
        seen.append(directory)
        return CommandRunner(sh("exit 3"), environment)

    with pytest.raises(LaunchError, match="exited before we could connect"):
        await Client(probe_config(command=(), runner=runner, socket_dir=str(tmp_path))).start()

    assert len(seen) == 1
    assert os.listdir(tmp_path) == []


@requirement("gp.runner")
def test_a_checksum_is_of_a_command() -> None:
    with pytest.raises(ConfigError, match=r"^SecureConfig checks the executable of Cmd, which is not set$"):
        probe_config(command=(), runner=lambda *_: CommandRunner(["sh"], {}), secure=SecureConfig(bytes(32)))
