from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest

from host.repl import prompt
from host.repl.prompt import FileHistory, InMemoryHistory, StoreHistory
from host.repl.session import Session
from tests.host.outcome import Outcome, RunHost
from tests.support import requirement


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "data" / "goplugin"


@pytest.fixture
def pipe(run: RunHost, monkeypatch: pytest.MonkeyPatch) -> RunHost:
    """`repl` with a text to read."""

    def pipe(text: str, *argv: str) -> Outcome:
        monkeypatch.setattr(sys, "stdin", io.StringIO(text))
        return run("repl", *argv)

    return pipe


@requirement("jm.repl")
def test_without_a_terminal_it_runs_what_stdin_has(pipe: RunHost) -> None:
    outcome = pipe("const { strings } = require('plugin:echo')\nawait strings.upper.async(\n'a')\n:time on\n")

    assert (outcome.code, outcome.out, outcome.err) == (0, '"A"\ntiming is on\n', "")


def test_what_fails_makes_the_exit_code_1_and_the_rest_is_run(pipe: RunHost) -> None:
    outcome = pipe("none\n1 + 1\n:nope\n")

    assert (outcome.code, outcome.out) == (1, "2\n")
    assert outcome.err.startswith("ReferenceError: none is not defined\n")
    assert "error: there is no command :nope" in outcome.err


def test_a_script_may_end_it(pipe: RunHost) -> None:
    with pytest.raises(SystemExit) as caught:
        pipe("process.exit(4)\n1\n")

    assert caught.value.code == 4


@requirement("jm.repl.profile")
def test_a_named_session_is_there_again(pipe: RunHost, data: Path, tmp_path: Path) -> None:
    pipe("let n = 41\n", "--session", "work")

    assert pipe("n + 1\n", "--session", "work").out == "session work: n\n42\n"
    assert pipe("typeof n\n", "--profile", "persistent").out == '"undefined"\n'
    assert (data / "sessions.sqlite").exists()
    assert pipe("1\n", "--store", str(tmp_path / "other")).code == 0
    assert (tmp_path / "other").exists()


@requirement("jm.repl.profile")
@pytest.mark.parametrize("profile", ["raw", "interactive"])
def test_the_other_profiles_leave_nothing(pipe: RunHost, data: Path, profile: str) -> None:
    assert pipe("let n = 41\n", "--profile", profile).code == 0
    assert not data.exists()


@pytest.mark.parametrize(
    "argv",
    [
        ["--json"], ["--profile", "raw", "--session", "x"], ["--profile", "other"],
        ["--profile", "interactive", "--store", "x"],
    ],
)
def test_what_makes_no_sense_is_a_usage_error(pipe: RunHost, argv: list[str]) -> None:
    assert pipe("", *argv).code == 2


def test_the_time_limit_is_for_each_input(pipe: RunHost) -> None:
    outcome = pipe("for (;;) {}\n1 + 1\n", "--timeout", "0.5")

    assert (outcome.code, outcome.out) == (1, "2\n")
    assert "the time limit of 0.5 s is over" in outcome.err


@requirement("jm.repl.profile")
@pytest.mark.parametrize(
    ("argv", "kind"),
    [([], FileHistory), (["--profile", "raw"], InMemoryHistory), (["--session", "x"], StoreHistory)],
)
def test_each_profile_has_its_history(
    run: RunHost, monkeypatch: pytest.MonkeyPatch, argv: list[str], kind: type[object]
) -> None:
    histories: list[object] = []

    class Terminal:
        def __init__(self, history: object) -> None:
            histories.append(history)

        def run(self, session: Session) -> int:
            return 0

    monkeypatch.setattr("host.verbs.repl._is_terminal", lambda: True)
    monkeypatch.setattr(prompt, "Terminal", Terminal)

    assert run("tui", *argv).code == 0
    assert [type(history) for history in histories] == [kind]


def test_a_missing_package_is_named(run: RunHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("host.verbs.repl._is_terminal", lambda: True)
    monkeypatch.delitem(sys.modules, "host.repl.prompt")
    monkeypatch.setitem(sys.modules, "prompt_toolkit", None)  # as if it were not installed
    outcome = run("repl")

    assert outcome.code == 2
    assert "pip install prompt_toolkit, or 'goplugin[repl]'" in outcome.err


def test_a_history_that_cannot_be_kept_is_told(run: RunHost, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("host.verbs.repl._is_terminal", lambda: True)
    (tmp_path / "data").write_text("in the way")
    outcome = run("repl")

    assert outcome.code == 2
    assert "--profile raw has none" in outcome.err


def test_no_other_verb_imports_prompt_toolkit() -> None:
    """Nor does the REPL itself, without a terminal."""
    code = "import sys; from host.cli import main; main(['repl', '--plugin-dir', '/none']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], input="1\n", capture_output=True, text=True, check=True)

    assert "host.repl.session" in done.stdout.split()
    assert "prompt_toolkit" not in done.stdout.split()
