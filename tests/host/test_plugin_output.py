from __future__ import annotations

import io
import json
import logging
import sys

import pytest

from goplugin.logs import StderrLog
from host.plugin_output import PluginOutput, printer

Said = list[tuple[str, str, str]]


@pytest.fixture
def said() -> Said:
    return []


@pytest.fixture
def output(said: Said) -> PluginOutput:
    return PluginOutput("/p/goja-plugin-x", lambda *line: said.append(line))


def test_what_is_printed_comes_in_whole_lines(output: PluginOutput, said: Said) -> None:
    output.stdout.write(b"one\ntw")
    output.stderr.write(b"oops\r\n")
    output.stdout.write(b"o\nthr\xc3")
    output.end()

    lines = [("stdout", "one"), ("stderr", "oops"), ("stdout", "two"), ("stdout", "thr\ufffd")]
    assert said == [("goja-plugin-x", *line) for line in lines]


def test_lines_are_under_the_modules_name_once_it_is_known(output: PluginOutput, said: Said) -> None:
    output.name = "plugin:x"
    output.stdout.write(b"one\n")

    assert said == [("plugin:x", "stdout", "one")]


def test_log_entries_have_their_level_and_stray_text_is_stderr(output: PluginOutput, said: Said) -> None:
    stderr = StderrLog(output.logger.getChild("any"), None)
    for level in ("trace", "debug", "info", "warn", "error"):
        entry = {"@level": level, "@message": f"at {level}", "@module": "m", "key": 1}
        stderr.receive(json.dumps(entry).encode() + b"\n")
    stderr.receive(b"stray\n[WARN] tagged\nTraceback (most recent call last):\n  File x\nValueError: no\n")

    assert [(kind, text) for _, kind, text in said] == [
        ("trace", "at trace key=1"),
        ("debug", "at debug key=1"),
        ("info", "at info key=1"),
        ("warn", "at warn key=1"),
        ("error", "at error key=1"),
        ("stderr", "stray"),
        ("warn", "[WARN] tagged"),
        ("error", "Traceback (most recent call last):"),
        ("error", "  File x"),
        ("error", "ValueError: no"),
    ]


def test_the_logger_is_none_of_the_programs(output: PluginOutput, caplog: pytest.LogCaptureFixture) -> None:
    output.logger.error("no")

    assert caplog.records == []
    assert "plugin" not in logging.Logger.manager.loggerDict or output.logger is not logging.getLogger("plugin")


def test_for_people_a_line_has_the_name_in_front(capsys: pytest.CaptureFixture[str]) -> None:
    show = printer(as_json=False)
    show("plugin:x", "stdout", "hello")
    show("plugin:x", "warn", "careful")

    assert capsys.readouterr().err == "plugin:x | hello\nplugin:x | WARN  careful\n"


def test_for_programs_a_line_is_an_object(capsys: pytest.CaptureFixture[str]) -> None:
    printer(as_json=True)("plugin:x", "info", "hello")

    assert json.loads(capsys.readouterr().err) == {"log": {"plugin": "plugin:x", "kind": "info", "text": "hello"}}


def test_on_a_terminal_names_and_levels_have_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    printer(as_json=False)("plugin:x", "error", "no")

    assert terminal.getvalue().endswith("mplugin:x\x1b[0m | \x1b[31mERROR no\x1b[0m\n")
