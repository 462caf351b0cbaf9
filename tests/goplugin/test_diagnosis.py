from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from goplugin.diagnosis import diagnose
from tests.support import requirement

CAUSES = """This usually means
  the plugin was not compiled for this architecture,
  the plugin is missing dynamic-link libraries necessary to run,
  the plugin is not executable by this process due to file permissions, or
  the plugin failed to negotiate the initial go-plugin protocol handshake"""


def notes(path: Path | str) -> list[str]:
    causes, header, *rest = diagnose(str(path)).partition("\n\nAdditional notes about plugin:\n")
    assert causes == CAUSES
    assert header
    return "".join(rest).splitlines()


def script(directory: Path, text: str) -> Path:
    path = directory / "tool"
    path.write_bytes(text.encode())
    path.chmod(0o750)
    return path


@requirement("gp.handshake.diagnosis")
def test_the_file_is_described_with_its_mode_and_owner(tmp_path: Path) -> None:
    path = script(tmp_path, "nothing that could be run")

    found = notes(path)

    assert found[:2] == [f"  Path: {path}", "  Mode: -rwxr-x---"]
    assert found[2].startswith(f"  Owner: {os.getuid()} [")
    assert f"] (current: {os.getuid()} [" in found[2]
    assert found[3].startswith(f"  Group: {path.stat().st_gid} [")
    assert len(found) == 4


@requirement("gp.handshake.diagnosis")
@pytest.mark.skipif(sys.platform != "linux", reason="the interpreter is an ELF file here")
def test_machine_code_is_held_against_the_machine_we_run_on() -> None:
    path = os.path.realpath(sys.executable)

    assert notes(path)[4].startswith("  ELF architecture: EM_")
    assert " (current architecture: " in notes(path)[4]


@requirement("gp.handshake.diagnosis")
@pytest.mark.parametrize(
    ("first_line", "lines"),
    [
        ("#!/bin/sh\n", ["  Interpreter: /bin/sh"]),
        ("#!/nowhere/python3 -u\n", ["  Interpreter: /nowhere/python3 (does not exist)"]),
        ("#!/bin/sh\r\n", [r'  Interpreter: "/bin/sh\r" (does not exist)']),
        ("#!/etc/passwd/\n", ["  Interpreter: /etc/passwd/ (does not exist)"]),
        (
            "#!/usr/bin/env -S A=b no-such-program -u\n",
            ["  Interpreter: /usr/bin/env", "  Interpreter by env: no-such-program (not found in PATH)"],
        ),
        ("#!/usr/bin/env\n", ["  Interpreter: /usr/bin/env"]),
    ],
)
def test_a_script_is_only_as_good_as_its_interpreter(tmp_path: Path, first_line: str, lines: list[str]) -> None:
    assert notes(script(tmp_path, first_line))[4:] == lines


def test_the_interpreter_that_env_finds_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = script(tmp_path, "")
    monkeypatch.setenv("PATH", str(tmp_path))
    path = tmp_path / "plugin"
    path.write_text("#!/usr/bin/env tool\n")

    assert notes(path)[5:] == [f"  Interpreter by env: tool ({program})"]


def test_an_interpreter_that_nobody_may_execute_is_pointed_out(tmp_path: Path) -> None:
    interpreter = tmp_path / "interpreter"
    interpreter.touch(0o600)

    assert notes(script(tmp_path, f"#!{interpreter}\n"))[4:] == [
        f"  Interpreter: {interpreter} (not executable by this process)"
    ]


def test_a_name_without_a_path_is_looked_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = script(tmp_path, "")
    monkeypatch.setenv("PATH", str(tmp_path))

    assert notes("tool")[0] == f"  Path: {path}"


@pytest.mark.parametrize("command", ["/nowhere/at/all", "no-such-program-anywhere", "/a\0b", ""])
def test_of_a_file_that_is_not_there_only_the_usual_causes_are_told(command: str) -> None:
    assert diagnose(command) == CAUSES


def test_a_directory_and_a_pipe_are_not_opened(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)

    assert notes(tmp_path)[1].startswith("  Mode: drwx")
    assert notes(pipe)[1:2] == ["  Mode: prw-------"]


@pytest.mark.skipif(os.getuid() != 0, reason="only root may give a file away")
def test_users_without_a_name_are_numbers(tmp_path: Path) -> None:
    path = script(tmp_path, "")
    os.chown(path, 4_000_000, 4_000_001)

    assert notes(path)[2].startswith("  Owner: 4000000 [?] (current: ")
    assert notes(path)[3].startswith("  Group: 4000001 [?] (current: ")
