from __future__ import annotations

import pytest

from host.repl.piped import PlainScreen, inputs, run

from .conftest import Talk


@pytest.fixture
def talk(module_talk: Talk) -> Talk:
    module_talk.page.shown.clear()
    return module_talk


def test_lines_are_put_together_until_they_are_complete() -> None:
    lines = ["1 + 1\n", "\n", "f(\n", ")\n", ":time [\n", "`\n", "\n", "`"]

    assert list(inputs(lines)) == ["1 + 1", "f(\n)", ":time [", "`\n\n`"]


def test_an_input_that_is_never_complete_is_run_at_the_end() -> None:
    assert list(inputs(["f(\n", "1\n"])) == ["f(\n1"]


def test_each_input_is_run_and_the_exit_code_says_whether_all_went_well(talk: Talk) -> None:
    assert run(talk.session, ["1 + 1\n"]) == 0
    assert run(talk.session, ["none\n", "3\n"]) == 1
    assert run(talk.session, [":quit\n", "none\n"]) == 0
    assert talk.page.shown == ["2", "3"]


def test_results_go_to_stdout_and_complaints_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    PlainScreen().show([("number", "1"), ("", "!")])
    PlainScreen().complain([("error", "no")])

    assert capsys.readouterr() == ("1!\n", "no\n")
