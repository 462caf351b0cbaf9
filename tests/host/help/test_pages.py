"""The pages say what is so: their commands are run, and their symptoms made to happen."""
from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from host.help import page, title, topics
from host.markdown import table_rows
from jsbridge.contract import ModuleManifest
from tests.host.outcome import Outcome, RunHost
from tests.host.plugins import add_echo, add_manifest, add_shell
from tests.support import requirement

GUIDE = page("goja-plugin-user-guide")
ROOT = Path(__file__).parents[3]


@requirement("jm.help")
def test_the_topics_have_the_names_of_the_guide() -> None:
    assert set(topics()) == {
        "goja-plugin-user-guide",
        "plugin-tutorial-build-install",
        "goja-plugin-developer-guide",
        "repl-usage",
        "creating-modules",
    }
    assert all(title(page(topic)) for topic in topics())


@requirement("jm.help")
@pytest.mark.parametrize("topic", topics())
def test_every_page_is_shown_and_fits_a_terminal(run: RunHost, monkeypatch: pytest.MonkeyPatch, topic: str) -> None:
    monkeypatch.setenv("COLUMNS", "80")

    outcome = run("help", topic)

    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith(title(page(topic)).upper())
    assert [line for line in outcome.out.splitlines() if len(line) > 80 and not line.startswith("    ")] == []


@pytest.mark.parametrize("topic", topics())
def test_the_pages_name_only_verbs_and_topics_that_there_are(run: RunHost, topic: str) -> None:
    named = re.findall(r"python -m host (?:--[\w-]+ (?:\. )?)*([a-z]+)(?: ([a-z]+-[a-z-]+))?", page(topic))
    for verb, other in named:
        if verb != "repl":
            assert run("help", verb).code == 0
        assert verb != "help" or other in topics()


# --- the tutorial ----------------------------------------------------------------------------------------------------


@requirement("jm.help")
def test_the_tutorial_runs_as_it_is_printed(tmp_path: Path) -> None:
    """Its files are saved, its commands run in one directory, and their output is what the page shows."""
    source = page("plugin-tutorial-build-install")
    (tmp_path / "bin").mkdir()
    python = f'#!/bin/sh\nexec "{sys.executable}" "$@"\n'
    (tmp_path / "bin" / "python").write_text(python)
    (tmp_path / "bin" / "python").chmod(0o755)
    env = {
        **os.environ,
        "HOME": str(tmp_path),
        "PATH": f"{tmp_path}/bin:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
    }
    out = ""
    for before, language, code in re.findall(r"([^\n]*)\n\n```(\w+)\n(.*?)```", source, re.DOTALL):
        if language == "text":
            assert out == code
        elif language == "sh":
            done = subprocess.run(["sh", "-e", "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True)
            assert (done.returncode, done.stderr) == (0, ""), code
            out = done.stdout
        else:
            (name,) = re.findall(r"Save this as `([\w.]+)`:", before)
            (tmp_path / name).write_text(code)


@requirement("jm.help")
def test_the_example_of_a_native_module_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (code,) = re.findall(r"```\n(from host import Runtime.*?)```", page("creating-modules"), re.DOTALL)

    exec(code.replace("    runtime.eval(", "    answer = runtime.eval("), names := dict[str, object]())

    assert names["answer"] == 42


# --- the table of symptoms -------------------------------------------------------------------------------------------

Make = Callable[[RunHost, Path], Outcome]


def eval_code(code: str, *flags: str) -> Make:
    return lambda run, directory: run("eval", code, *flags)


def strict(add: Callable[[Path], object], *flags: str) -> Make:
    """What `list --strict` says of a plugin."""

    def make(run: RunHost, directory: Path) -> Outcome:
        add(directory)
        return run("list", "--strict", "--plugin-dir", str(directory), *flags)

    return make


def shell(script: str) -> Callable[[Path], object]:
    return lambda directory: add_shell(directory, "bad", script)


def raw(text: str, name: str = "bad", mode: int = 0o755) -> Callable[[Path], object]:
    def add(directory: Path) -> None:
        path = Path(add_shell(directory, name, ""))
        path.write_text(text)
        path.chmod(mode)

    return add


def required(add: Callable[[Path], object]) -> Make:
    def make(run: RunHost, directory: Path) -> Outcome:
        add(directory)
        return run("eval", "require('plugin:bad')", "--plugin-dir", str(directory))

    return make


def elsewhere(*argv: str) -> Make:
    """A command line of somebody whose home is the directory."""

    def make(run: RunHost, directory: Path) -> Outcome:
        env = {**os.environ, "HOME": str(directory)}
        command = [sys.executable, "-m", "host", *argv]
        done = subprocess.run(command, env=env, capture_output=True, text=True)
        return Outcome(done.returncode, done.stdout, done.stderr)

    return make


def almost(run: RunHost, directory: Path) -> Outcome:
    Path(add_shell(directory, "x", "")).rename(directory / "goja_plugin_x")
    return run("doctor", "--plugin-dir", str(directory))


def not_loaded(run: RunHost, directory: Path) -> Outcome:
    add_shell(directory, "bad", "exit 1")
    return run("eval", "1", "--plugin-dir", str(directory))


def twice(directory: Path) -> None:
    add_echo(directory, "again", "plugin:echo")


SYMPTOMS: dict[str, Make] = {
    "Cannot find module 'plugin:...'": eval_code("require('plugin:nowhere')"),
    'start plugin "...": ...': required(shell("exit 1")),
    "there is no directory ~/.go-go-goja/plugins to search": elsewhere("eval", "require('plugin:x')"),
    "no plugins found under ...": elsewhere("list", "--plugin-dir", "~"),
    'plugin candidate "..." is not executable': strict(raw("", mode=0o600)),
    "... does not match goja-plugin-*, so it is not looked at": almost,
    'plugin candidate "..." is an editor\'s backup': strict(raw("", "x~")),
    'plugin module "..." must use namespace "plugin:"': strict(
        lambda directory: add_manifest(directory, "bad", ModuleManifest("echo"))
    ),
    'plugin module "..." is not in the allowlist': eval_code(
        "require('plugin:echo')", "--allow-plugin-module=plugin:x"
    ),
    'duplicate plugin module "..." discovered at "..." and "..."': strict(twice),
    "fork/exec ...: no such file or directory": strict(raw("#!/bin/sh\r\n")),
    "fork/exec ...: exec format error": strict(raw("hello")),
    "No module named '...'": strict(raw(f"#!{sys.executable}\nimport nosuchpackage\n")),
    "This binary is a plugin": strict(shell("echo 'This binary is a plugin. These are not meant' >&2; exit 1")),
    "Unrecognized remote plugin message: ...": strict(shell("echo hello; exec sleep 60")),
    "timeout while waiting for plugin to start": strict(shell("exec sleep 60"), "--start-timeout", "0.2"),
    "convert argument 0: ...": eval_code("require('plugin:echo').ping(() => 1)"),
    "sdk call argument 0 expected string, got float64": eval_code("require('plugin:echo').strings.upper(1)"),
    'module "..." has no export "..."': lambda run, directory: run("call", "plugin:echo", "nothing"),
    "not a function": eval_code("require('plugin:echo').nothing()"),
    "rpc error: code = DeadlineExceeded desc = context deadline exceeded": eval_code(
        "require('plugin:echo').process.sleep(5)", "--call-timeout", "0.1"
    ),
    "rpc error: code = Unavailable desc = ...": eval_code("require('plugin:echo').process.crash('')"),
    "warning: not loaded: ... (...)": not_loaded,
}


def symptoms() -> list[str]:
    return [row[0].strip("`") for row in table_rows(GUIDE, "Troubleshooting")]


@requirement("jm.troubleshooting")
def test_every_symptom_of_the_guide_is_one_of_those_below() -> None:
    assert symptoms() == list(SYMPTOMS)


@requirement("jm.troubleshooting")
@pytest.mark.parametrize("symptom", symptoms())
def test_a_symptom_is_the_text_that_a_user_sees(run: RunHost, tmp_path: Path, symptom: str) -> None:
    outcome = SYMPTOMS[symptom](run, tmp_path)

    pattern = ".+".join(map(re.escape, symptom.split("...")))
    assert re.search(pattern, outcome.out + outcome.err), outcome.out + outcome.err
