from __future__ import annotations

import re
from pathlib import Path

from tests.host.outcome import RunHost
from tests.host.plugins import add_echo, add_shell
from tests.support import requirement


@requirement("ow.inspect")
def test_a_module_is_shown_with_signatures_documentation_and_its_process(run: RunHost, directory: str) -> None:
    outcome = run("inspect", "plugin:echo")

    assert outcome.code == 0
    text = outcome.out
    assert text.startswith("plugin:echo v1\nAnswers tests.\n\nstrings\n    Works on text.\n")
    assert "\n  strings.upper(...)  [case]\n      Make it louder.\n" in text
    assert "\nping(...)\n    Give the first argument back.\n" in text
    assert re.search(r"\nprocess: +\d+\nprotocol: +grpc, version 1\ncapabilities: tests\n", text)
    assert f"\npath:         {directory}/goja-plugin-echo\n" in text


@requirement("ow.inspect")
def test_a_file_is_a_plugin_by_itself_whatever_its_name(run: RunHost, tmp_path: Path) -> None:
    path = Path(add_echo(tmp_path, "x", "plugin:other")).rename(tmp_path / "program")

    found = run("inspect", str(path), "--json").json

    assert (found["module"], found["path"], found["protocol"]) == ("plugin:other", str(path), "grpc, version 1")
    assert found["process"] > 0
    assert found["exports"][0]["methods"][0]["signature"] == "(...args: any[]): any"
    assert found["exports"][2]["signature"] == "(...args: any[]): any"


def test_a_file_that_is_no_plugin_is_an_error(run: RunHost, tmp_path: Path) -> None:
    assert run("inspect", add_shell(tmp_path, "x", "exit 1")).code == 5
    assert run("inspect", str(tmp_path / "missing")).code == 3


@requirement("jm.report")
def test_without_a_module_it_is_the_load_report(run: RunHost, directory: str, tmp_path: Path) -> None:
    path = add_shell(tmp_path, "bad", "exit 1")

    outcome = run("inspect", "--plugin-dir", str(tmp_path))
    data = run("inspect", "--plugin-dir", str(tmp_path), "--json").json

    lines = outcome.out.splitlines()
    assert lines[:2] == ["plugin load errors: 1; loaded: 1", ""]
    assert "Plugin loading errors: 1" in lines
    assert data["summary"] == lines[0]
    assert [each["path"] for each in data["left_out"]] == [path]
    assert data["directories"] == sorted([directory, str(tmp_path)])
