"""`python -m goplugin run FILE`."""
from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from goplugin.__main__ import USAGE
from tests.support import requirement


def run(
    *arguments: str | Path, flags: tuple[str, ...] = (), cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *flags, "-m", "goplugin", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)


def script(tmp_path: Path, source: str, name: str = "script.py") -> Path:
    path = tmp_path / name
    path.write_text(source, "utf-8")
    return path


@pytest.mark.parametrize("arguments", [(), ("run",), ("serve", "x.py"), ("--help",), ("run", "--help")])
def test_arguments_that_name_no_script_give_the_usage(arguments: tuple[str, ...]) -> None:
    result = run(*arguments)

    assert (result.returncode, result.stdout, result.stderr) == (2, "", USAGE + "\n")


@pytest.mark.parametrize("kind", ["missing", "directory"])
def test_a_path_that_is_no_file_is_named(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "nothing.py" if kind == "missing" else tmp_path

    result = run("run", path)

    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == f"python -m goplugin run: no such file: {path}\n"


def test_a_script_sees_what_it_would_see_if_it_were_run_directly(tmp_path: Path) -> None:
    source = """
import sys
print(__name__, __file__, __package__, __spec__, sys.argv, sys.path[0], sys.modules["__main__"].__dict__ is globals())
"""
    path = script(tmp_path, source)

    result = run("run", path, "-x", "y z")

    assert (result.returncode, result.stdout) == (0, "")
    assert result.stderr == f"__main__ {path} None None {[str(path), '-x', 'y z']} {tmp_path} True\n"


def test_a_script_imports_its_neighbours_even_through_a_link(tmp_path: Path) -> None:
    script(tmp_path, "NAME = 'neighbour'", "neighbour.py")
    path = script(tmp_path, "import sys, neighbour; sys.stderr.write(neighbour.NAME)")
    (tmp_path / "bin").mkdir()
    link = tmp_path / "bin" / "goja-plugin-linked"
    link.symlink_to(path)

    assert run("run", link).stderr == "neighbour"


@pytest.mark.parametrize("flags", [(), ("-P",)])
def test_the_working_directory_shadows_no_module(tmp_path: Path, flags: tuple[str, ...]) -> None:
    (tmp_path / "cwd").mkdir()
    (tmp_path / "plugin").mkdir()
    script(tmp_path / "cwd", "raise SystemExit('shadowed')", "neighbour.py")
    script(tmp_path / "plugin", "NAME = 'neighbour'", "neighbour.py")
    path = script(tmp_path / "plugin", "import sys, neighbour, json; sys.stderr.write(neighbour.NAME)")

    assert run("run", path, flags=flags, cwd=tmp_path / "cwd").stderr == "neighbour"


@requirement("us.stdout-guard")
def test_what_a_script_prints_goes_to_stderr(tmp_path: Path) -> None:
    source = """
import os, subprocess, sys
print("printed", flush=True)
os.write(1, b"written\\n")
subprocess.run(["echo", "child"], check=True)
sys.stdout.write("kept until the end")
"""
    result = run("run", script(tmp_path, source))

    assert (result.returncode, result.stdout) == (0, "")
    assert result.stderr == "printed\nwritten\nchild\nkept until the end"


def test_an_error_of_the_script_shows_its_own_lines(tmp_path: Path) -> None:
    path = script(tmp_path, "def broken():\n    raise ValueError('no such luck')\nbroken()\n")

    result = run("run", path)

    traceback = json.loads(result.stderr)["traceback"]
    assert result.returncode == 1
    assert f'File "{path}", line 2, in broken\n    raise ValueError(\'no such luck\')' in traceback
    assert traceback.endswith("ValueError: no such luck\n")


def test_the_exit_code_is_the_scripts(tmp_path: Path) -> None:
    assert run("run", script(tmp_path, "raise SystemExit(7)")).returncode == 7


def test_garbage_is_looked_for_more_rarely_than_by_python_itself(tmp_path: Path) -> None:
    path = script(tmp_path, "import gc, sys; sys.stderr.write(str(gc.get_threshold()[0]))")

    assert run("run", path).stderr == "10000"
