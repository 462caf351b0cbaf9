from __future__ import annotations

import pytest

from host.help import page, topics
from host.verb_table import VERBS
from tests.host.outcome import RunHost
from tests.support import requirement


@requirement("jm.help")
def test_without_a_topic_the_topics_are_listed(run: RunHost) -> None:
    outcome = run("help")

    assert [line.split("  ")[0] for line in outcome.out.splitlines()[: len(topics())]] == list(topics())
    assert [entry["topic"] for entry in run("help", "--json").json] == list(topics())


def test_for_programs_a_page_is_markdown(run: RunHost) -> None:
    found = run("help", "repl-usage", "--json").json

    assert found == {"topic": "repl-usage", "title": "The REPL", "markdown": page("repl-usage")}


@pytest.mark.parametrize(("name", "usage"), [(row.name, row.usage) for row in VERBS])
def test_every_verb_explains_itself(run: RunHost, name: str, usage: str) -> None:
    assert run("help", name).out.startswith(f"usage: python -m host [FLAGS] {name} {usage}".rstrip())


def test_there_is_no_help_on_anything_else(run: RunHost) -> None:
    outcome = run("help", "goja-user-guide")

    assert outcome.code == 3
    assert "hint: is it `goja-plugin-user-guide`?" in outcome.err
    assert "hint: there are goja-plugin-user-guide, " in run("help", "xyzzy").err
