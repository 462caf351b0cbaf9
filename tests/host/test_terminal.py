from __future__ import annotations

import io
import sys
import threading

import pytest

from host.terminal import Paint, Progress, note, width


class Terminal(io.StringIO):
    """A stream that is one, and tells when something was drawn on it."""

    def __init__(self) -> None:
        super().__init__()
        self.drawn = threading.Event()

    def isatty(self) -> bool:
        return True

    def write(self, text: str, /) -> int:
        if "step" in text:
            self.drawn.set()
        return super().write(text)


@pytest.fixture(autouse=True)
def a_terminal_with_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")


def test_a_terminal_has_colours() -> None:
    assert Paint(Terminal())("x", "bold", "red") == "\x1b[1;31mx\x1b[0m"
    assert Paint(Terminal())("", "red") == ""


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_colours_can_be_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)

    assert Paint(Terminal())("x", "red") == "x"


def test_what_is_no_terminal_has_no_colours() -> None:
    assert Paint(io.StringIO())("x", "red") == "x"


def test_lines_are_as_wide_as_the_terminal_but_not_endless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    assert width() == 60
    monkeypatch.setenv("COLUMNS", "300")
    assert width() == 100


def test_work_that_takes_long_shows_how_far_it_is_and_cleans_up(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr("host.terminal._PATIENCE_SECONDS", 0.0)

    with Progress("work") as progress:
        progress.show(1, 4, "step one")
        assert terminal.drawn.wait(10)
        note("a line")

    assert "work ██████░░░░░░░░░░░░░░░░░░ 1/4 step one" in terminal.getvalue()
    assert "\r\x1b[Ka line\n" in terminal.getvalue()
    assert terminal.getvalue().endswith(("\x1b[K", "a line\n"))


def test_work_that_is_done_soon_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)

    with Progress("work") as progress:
        progress.show(1, 1)

    assert terminal.getvalue() == ""


def test_without_a_terminal_nothing_moves(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("host.terminal._PATIENCE_SECONDS", 0.0)

    with Progress("work"):
        threads = [thread.name for thread in threading.enumerate()]
        note("a line")

    assert "progress" not in threads
    assert capsys.readouterr().err == "a line\n"


def test_a_note_is_one_write_which_no_other_process_can_come_between(monkeypatch: pytest.MonkeyPatch) -> None:
    class Writes(io.StringIO):
        def write(self, text: str, /) -> int:
            written.append(text)
            return len(text)

    written: list[str] = []
    monkeypatch.setattr(sys, "stderr", Writes())

    note("a line")

    assert written == ["a line\n"]
