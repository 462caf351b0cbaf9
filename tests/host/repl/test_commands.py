from __future__ import annotations

import os
from pathlib import Path

import pytest

from host.help import topics
from host.repl.meta import COMMANDS, Leave
from tests.support import requirement

from .conftest import Talk

USE = "const echo = require('plugin:echo'), { strings } = echo"


@pytest.fixture
def talk(module_talk: Talk) -> Talk:
    module_talk.page.shown.clear()
    return module_talk


@requirement("jm.repl")
def test_help_lists_commands_keys_and_topics(talk: Talk) -> None:
    text = talk.say(":help")

    assert all(f":{command.name}" in text for command in COMMANDS)
    assert all(topic in text for topic in topics())
    assert "Ctrl-R" in text


def test_help_shows_a_page_or_explains_a_command(talk: Talk) -> None:
    assert talk.say(":help repl-usage").startswith("THE REPL")
    assert talk.say(":help :quit") == ":quit  leave (Ctrl-D) (also :exit, :q)"
    assert talk.fail(":help repl-usge") == "error: there is no help on 'repl-usge'\n  hint: is it `repl-usage`?"


def test_modules_are_listed_with_what_they_are(talk: Talk) -> None:
    assert talk.say(":modules").splitlines() == [
        "plugin:echo  v1  Answers tests.", "docs             module of the host",
    ]


def test_plugins_are_listed_with_their_processes(talk: Talk) -> None:
    pid = talk.say("require('plugin:echo').process.pid()")

    assert f"plugin:echo  v1  process {pid}  " in talk.say(":plugins")
    assert os.path.basename(talk.session.runtime.plugin("plugin:echo").path) in talk.say(":plugins")


@requirement("jm.repl")
@pytest.mark.parametrize("name", ["strings.upper", "echo.strings.upper", "plugin:echo/strings.upper"])
def test_doc_shows_a_method(talk: Talk, name: str) -> None:
    talk.say(USE)
    text = talk.say(f":doc {name}")

    assert text.startswith("upper(")
    assert "Make it louder." in text
    assert "tags: case" in text
    assert "plugin method of plugin:echo" in text


@pytest.mark.parametrize("name", ["echo", "plugin:echo", "require('plugin:echo')"])
def test_doc_shows_a_module_with_what_it_has(talk: Talk, name: str) -> None:
    talk.say(USE)
    text = talk.say(f":doc {name}")

    assert text.startswith("plugin:echo  plugin module\n    Answers tests.\n\n  strings     Works on text.\n    upper(")
    assert "  ping(…)     Give the first argument back.\n" in text


def test_doc_finds_pages_and_words(talk: Talk) -> None:
    assert talk.say(":doc repl-usage").startswith("THE REPL")
    assert "plugin:echo/strings.upper" in talk.say(":doc louder")
    assert talk.fail(":doc no such thing").startswith("error: nothing is known of 'no such thing'")


def test_load_runs_a_file_as_if_it_were_typed(talk: Talk, tmp_path: Path) -> None:
    file = tmp_path / "a b.js"
    file.write_text("let loaded = 20\nloaded + 1\n")

    assert talk.say(f":load {file}") == "21"
    assert talk.say("loaded") == "20"
    assert "cannot be read" in talk.fail(":load /none.js")


@pytest.mark.parametrize("text", [":quit", ":exit", ":q"])
def test_quit_leaves(talk: Talk, text: str) -> None:
    with pytest.raises(Leave):
        talk.session.run(text)


def test_what_is_no_command_is_told(talk: Talk) -> None:
    assert talk.fail(":modlues") == "error: there is no command :modlues\n  hint: is it :modules?"
