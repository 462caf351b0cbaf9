"""docs/wasm.md: its files, written and run as the page says, from an empty directory."""
from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support import requirement

from .conftest import ROOT
from .gopeers import CACHE, go_environment
from .wasm_guests import WasmGuests

PAGE = (ROOT / "docs" / "wasm.md").read_text("utf-8")
BY_HAND, _ = PAGE.split("## A plugin in Go\n")
MEDIA_TYPE = "application/vnd.module.wasm.content.layer.v1+wasm"


class Block(NamedTuple):
    """`kind` is what stands behind the backquotes."""

    kind: str
    text: str

    @property
    def path(self) -> str | None:
        """The file that this is, which its first line names; None for commands and output."""
        named = re.match(r"(?:#|//) (\S+\.(?:py|proto|go))\n", self.text)
        return named[1] if named else None


def blocks(page: str) -> list[Block]:
    return [Block(*found) for found in re.findall(r"^```(\w*)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)]


def follow(page: str, directory: Path, environment: dict[str, str]) -> None:
    """Write the files and run the commands in their order; what they print is what the page says."""
    printed = ""
    for block in blocks(page):
        if block.path:
            (directory / block.path).parent.mkdir(exist_ok=True)
            (directory / block.path).write_text(block.text)
        elif block.kind == "sh" and "pip install" not in block.text:
            printed = run(block.text.replace("PATH-TO-THIS-TREE", str(ROOT)), directory, environment)
        elif block.kind == "text":
            assert printed == block.text


def run(script: str, directory: Path, environment: dict[str, str]) -> str:
    command = ["sh", "-euc", script]
    ended = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, timeout=100.0)
    assert ended.returncode == 0, f"{script}\n{ended.stdout}\n{ended.stderr}"
    return ended.stdout


@pytest.fixture
def environment() -> dict[str, str]:
    """Commands find this interpreter's programs; what is compiled stays in the tree."""
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, **go_environment(), "PATH": programs, "XDG_CACHE_HOME": str(CACHE)}


@requirement("wa.load", "wa.call")
def test_the_plugin_by_hand_is_made_and_greets(tmp_path: Path, environment: dict[str, str]) -> None:
    follow(BY_HAND, tmp_path, environment)


@pytest.mark.go
@requirement("wa.load", "wa.call", "wa.hostfunc")
def test_the_whole_page_works(guests: WasmGuests, tmp_path: Path, environment: dict[str, str]) -> None:
    follow(PAGE, tmp_path, environment)


def test_every_program_of_the_page_that_is_not_run_there_can_be_imported(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    follow(BY_HAND, tmp_path, environment)
    programs = write(tmp_path, (block for block in blocks(PAGE) if block.path in ("lenient.py", "both.py")))

    assert run(f"python -c 'import {', '.join(programs)}'", tmp_path, environment) == ""


@requirement("wa.distribution")
def test_the_how_to_for_registries_pushes_pulls_and_pins(tmp_path: Path, environment: dict[str, str]) -> None:
    _, rest = PAGE.split("## Distribution\n")
    section = rest.partition("\n## ")[0]
    commands = [line[2:] for block in blocks(section) for line in block.text.splitlines() if line.startswith("$ ")]
    follow(BY_HAND, tmp_path, environment)
    write(tmp_path, (block for block in blocks(section) if block.path == "pinned.py"))
    digest = hashlib.sha256((tmp_path / "greeter.wasm").read_bytes()).hexdigest()

    assert f"oras push REGISTRY/greeter:v1 greeter.wasm:{MEDIA_TYPE}" in commands
    assert [line for line in commands if line.startswith("oras pull") and "@sha256:" in line]
    assert section.count(MEDIA_TYPE) == 2
    script = f"""python -c 'from pinned import load_pinned; load_pinned("greeter.wasm", "{digest}").close()'"""
    assert run(script, tmp_path, environment) == ""
    with pytest.raises(AssertionError, match=f"greeter.wasm is {digest}, not {'0' * 64}"):
        run(script.replace(digest, "0" * 64), tmp_path, environment)


def write(directory: Path, files: Iterable[Block]) -> list[str]:
    """Write the files, and return their names as modules."""
    names: list[str] = []
    for block in files:
        assert block.path
        (directory / block.path).write_text(block.text)
        names.append(block.path.removesuffix(".py"))
    return names
