"""The REPL as its users have it: the program, in a real terminal."""
from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.repl_screenshot import Tmux
from tests.host.plugins import add_echo
from tests.support import requirement

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")


@pytest.fixture
def terminal(directory: str, tmp_path: Path) -> Iterator[Tmux]:
    command = [sys.executable, "-m", "host", "repl", "--plugin-dir", directory]
    environ = {**os.environ, "XDG_DATA_HOME": str(tmp_path)}
    with Tmux(command, tmp_path, environ=environ) as made:
        made.wait_for("1 plugin module · interactive")
        yield made


@requirement("jm.repl")
def test_completion_help_and_an_awaited_call_are_to_be_seen(terminal: Tmux) -> None:
    terminal.type('const e = require("plu')
    terminal.wait_for("plugin:echo  plugin module · Answers tests.")
    terminal.type("Tab", '")', "Enter", "e.strings.")
    terminal.wait_for("upper  plugin method · Make it louder.")
    terminal.type("Tab", "(")
    terminal.wait_for("e.strings.upper(…)  Make it louder.")
    terminal.type("'a')", "Enter")
    terminal.wait_for('\n"A"\n')
    terminal.type("await Promise.all([e.ping.async(1),", "Enter", "e.ping.async('two')])", "Enter")
    terminal.wait_for("… ", '\n[ 1, "two" ]\n')
    assert "\x1b[32m\"two\"" in terminal.screen(colours=True)

    terminal.type("console.log('begun'); for (;;) {}", "Enter")
    terminal.wait_for("\nbegun\n")
    terminal.type("C-c")
    terminal.wait_for("interrupted")
    terminal.type("e.process.sleep(0.01), 7 * 6", "Enter")
    terminal.wait_for("\n42\n")
    terminal.type("C-d")
    terminal.wait_for("exit code 0")


def test_what_a_plugin_says_stands_above_the_prompt(tmp_path: Path) -> None:
    plugins = tmp_path / "plugins"
    add_echo(
        plugins, "late", "plugin:late",
        "@module.function\ndef later():\n"
        "    import threading\n    threading.Timer(0.3, lambda: print('late news', flush=True)).start()\n",
    )
    command = [sys.executable, "-m", "host", "repl", "--plugin-dir", str(plugins), "--profile", "raw"]
    with Tmux(command, tmp_path, environ=dict(os.environ)) as terminal:
        terminal.wait_for("1 plugin module · raw")
        terminal.type("require('plugin:late').later()", "Enter")
        terminal.wait_for("\nnull\n")
        terminal.type("half a line")
        screen = terminal.wait_for("late news", "> half a line")
        terminal.type("C-c", ":quit", "Enter")
        terminal.wait_for("exit code 0")

    assert screen.index("plugin:late | late news") < screen.index("> half a line")
