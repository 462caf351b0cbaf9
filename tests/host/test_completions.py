from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from host.completions import SHELLS, completion
from host.verb_table import VERBS

_TRY = """
COMP_WORDS=("$@"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMPREPLY=(); _goplugin_host
printf '%s\\n' "${COMPREPLY[@]}"
"""


def complete(*words: str) -> list[str]:
    """What bash proposes for the last word."""
    script = completion("bash") + _TRY
    done = subprocess.run(["bash", "-c", script, "bash", *words], capture_output=True, text=True, check=True)
    return done.stdout.split()


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize(
    ("words", "proposed"),
    [
        (["d"], ["dts", "doctor"]),
        (["--json", "--timeout", "5", "li"], ["list"]),
        (["help", "repl-"], ["repl-usage"]),
        (["list", "--al"], ["--all", "--allow-plugin-module"]),
        (["config", "sh"], ["show"]),
        (["--timeout", ""], []),
        (["--st"], ["--strict", "--start-timeout"]),
        (["completion", "z"], ["zsh"]),
    ],
)
def test_bash_proposes_verbs_flags_and_topics(words: list[str], proposed: list[str]) -> None:
    assert complete("python", "-m", "host", *words) == proposed


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_proposes_files_where_there_may_be_one(tmp_path: Path) -> None:
    (tmp_path / "script.js").touch()

    for words in (["-m", "host", "run"], ["-m", "host", "--plugin-dir"], []):
        assert complete("python", *words, f"{tmp_path}/scr") == [f"{tmp_path}/script.js"]


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_knows_every_verb(shell: str) -> None:
    script = completion(shell)

    assert all(row.name in script for row in VERBS)
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=script, text=True, check=True)
