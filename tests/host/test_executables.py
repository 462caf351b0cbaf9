from __future__ import annotations

import os
import struct
import sys
from pathlib import Path

import pytest

from host.executables import examine, interpreter_of, near_miss
from scripts.install_modules import executable_text


def executable(directory: Path, content: str | bytes, mode: int = 0o755) -> str:
    path = directory / "goja-plugin-x"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    path.chmod(mode)
    return str(path)


def elf(machine: int) -> bytes:
    return b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHI", 2, machine, 1) + bytes(40)


@pytest.mark.parametrize(
    ("content", "text", "fix"),
    [
        ("#!/bin/sh\r\nexit\r\n", "first line that ends in CRLF", "sed -i 's/\\r$//' "),
        ("#!/no/such/python\n", "interpreter that does not exist: /no/such/python", "correct its first line"),
        ("#!/etc/passwd\n", "interpreter that you may not run: /etc/passwd", "correct its first line"),
        ("#!/usr/bin/env -S python9 -P\n", "wants python9, which is not in PATH", "install python9"),
        (f"#!/bin/{'x' * 300}\n", "first line of 307 bytes, and the system reads 255", "install it with"),
        ("print('hello')\n", "neither a program nor a script", "begin it with `#!"),
        ("", "neither a program nor a script", "begin it with `#!"),
        pytest.param(elf(243), "built for EM_RISCV", "build it for this machine", id="elf"),
        (executable_text("'''x'''", "/no/such/python"), "interpreter that is not there: /no/such/python", "again"),
    ],
)
def test_what_keeps_a_file_from_starting_is_said_with_the_remedy(
    tmp_path: Path, content: str | bytes, text: str, fix: str
) -> None:
    path = executable(tmp_path, content)

    (found,) = examine(path)

    assert (found.level, found.path) == ("error", path)
    assert text in found.text
    assert fix in found.fix


@pytest.mark.parametrize("content", ["#!/bin/sh\n", "#!/usr/bin/env sh\n", executable_text("'''x'''", sys.executable)])
def test_a_file_that_may_start_gives_no_finding(tmp_path: Path, content: str) -> None:
    assert list(examine(executable(tmp_path, content))) == []


def test_a_program_of_this_machine_gives_no_finding(tmp_path: Path) -> None:
    content = Path(os.path.realpath(sys.executable)).read_bytes()[:4096]

    assert list(examine(executable(tmp_path, content))) == []


def test_a_wasm_file_has_to_be_readable_webassembly_and_needs_no_bit(tmp_path: Path) -> None:
    path = tmp_path / "goja-wasm-x.wasm"
    path.write_bytes(b"\0asm\1\0\0\0")
    path.chmod(0o644)
    assert list(examine(str(path))) == []

    path.write_bytes(b"#!/bin/sh")
    assert [found.fix for found in examine(str(path))] == ["build it again, or rename it"]


def test_a_file_that_anybody_may_change_is_a_warning(tmp_path: Path) -> None:
    (found,) = examine(executable(tmp_path, "#!/bin/sh\n", mode=0o757))

    assert (found.level, found.fix) == ("warning", f"chmod o-w {tmp_path}/goja-plugin-x")


def test_a_file_that_is_not_for_us_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = executable(tmp_path, "#!/bin/sh\n")
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may do anything

    (found,) = examine(path)

    assert (found.level, "chmod a+rx" in found.fix) == ("error", True)


@pytest.mark.parametrize(
    ("content", "interpreter"),
    [
        ("#!/usr/bin/env python3\n", "python3"),
        ("#!/opt/python -P\n", "/opt/python"),
        (executable_text("'''x'''", "/my python/bin/python"), "/my python/bin/python"),
        ("text", ""),
    ],
)
def test_the_interpreter_of_a_file_is_the_one_that_runs_it(tmp_path: Path, content: str, interpreter: str) -> None:
    assert interpreter_of(executable(tmp_path, content)) == interpreter
    assert interpreter_of(str(tmp_path / "missing")) == ""


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("goja_plugin_math.py", "goja-plugin-math.py"),
        ("Goja-Plugin-math", "goja-plugin-math"),
        (".goja-plugin-math", "goja-plugin-math"),
        ("plugin-math", "goja-plugin-math"),
        ("math-plugin", "goja-plugin-math"),
        ("goja-plugin", "goja-plugin-NAME"),
        ("README", ""),
        ("terraform-provider-x", ""),
    ],
)
def test_a_name_that_is_almost_a_plugins_is_noticed(name: str, meant: str) -> None:
    assert near_miss(name) == meant
