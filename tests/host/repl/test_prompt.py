from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prompt_toolkit import PromptSession
from prompt_toolkit.data_structures import Size
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output.vt100 import Vt100_Output

from host.errors import Interrupted
from host.repl.prompt import StoreHistory, Terminal
from host.repl.store import Store
from tests.support import requirement

from .conftest import MakeTalk, Page

CTRL_C, CTRL_D, ENTER, ALT_ENTER, TAB = "\x03", "\x04", "\r", "\x1b\r", "\t"


class Drawn:
    """What a terminal is sent."""

    encoding = "utf-8"

    def __init__(self) -> None:
        self.text = ""
        self._waiting: dict[str, Callable[[], object]] = {}

    def when(self, part: str, act: Callable[[], object]) -> None:
        """Act when `part` has been drawn."""
        self._waiting[part] = act

    def write(self, data: str) -> None:
        self.text += data
        for part in [part for part in self._waiting if part in self.text]:
            self._waiting.pop(part)()

    def flush(self) -> None:
        pass

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return -1


Typed = Callable[..., tuple[Page, str]]


@pytest.fixture
def keyboard() -> Iterator[PipeInput]:
    with create_pipe_input() as made:
        yield made


@pytest.fixture
def typed(make_talk: MakeTalk, keyboard: PipeInput) -> Typed:
    """Types keys, then leaves; what the session had to say, and what was drawn."""

    def typed(*keys: str) -> tuple[Page, str]:
        talk, drawn = make_talk(), Drawn()
        keyboard.send_text("".join(keys) + CTRL_D)
        terminal = Terminal(InMemoryHistory(), keyboard=keyboard, output=_output(drawn))
        assert terminal.run(talk.session) == 0
        return talk.page, drawn.text

    return typed


def _output(drawn: Drawn) -> Vt100_Output:
    return Vt100_Output(drawn, lambda: Size(rows=24, columns=80), term="xterm", enable_cpr=False)  # type: ignore[arg-type]


def test_enter_runs_what_is_complete(typed: Typed) -> None:
    assert typed("1 + 1", ENTER)[0].shown == ["2"]


def test_enter_goes_on_in_what_is_not_and_indents(typed: Typed) -> None:
    page, _ = typed("String(function () {", ENTER, "1", ENTER, "})", ENTER)

    assert page.shown == ['"function () {\\n  1\\n}"']


def test_alt_enter_always_goes_on(typed: Typed) -> None:
    assert typed("1", ALT_ENTER, "+ 1", ENTER)[0].shown == ["2"]


def test_ctrl_c_drops_what_is_typed(typed: Typed) -> None:
    page, drawn = typed("1 +", CTRL_C, "2", ENTER, CTRL_C)

    assert page.shown == ["2"]
    assert drawn.count("Ctrl-D leaves") >= 1


def test_a_command_leaves_too(make_talk: MakeTalk, keyboard: PipeInput) -> None:
    keyboard.send_text(f":quit{ENTER}")

    assert Terminal(InMemoryHistory(), keyboard=keyboard, output=_output(Drawn())).run(make_talk().session) == 0


@requirement("jm.repl")
def test_tab_completes_and_the_help_line_tells(make_talk: MakeTalk, keyboard: PipeInput) -> None:
    talk, drawn = make_talk(), Drawn()
    talk.say("const e = require('plugin:echo')")
    drawn.when("plugin method", lambda: keyboard.send_text(f"{TAB}('a'){ENTER}{CTRL_D}"))
    keyboard.send_text("e.strings.up")
    Terminal(InMemoryHistory(), keyboard=keyboard, output=_output(drawn)).run(talk.session)

    assert talk.page.shown == ['"A"']
    assert "Make it louder." in drawn.text


def test_what_is_typed_and_what_is_shown_has_colours(make_talk: MakeTalk, keyboard: PipeInput) -> None:
    drawn = Drawn()
    terminal = Terminal(InMemoryHistory(), keyboard=keyboard, output=_output(drawn))
    session = make_talk().session
    session.screen = terminal
    keyboard.send_text(f"`a` && 5{ENTER}none{ENTER}{CTRL_D}")
    terminal.run(session)

    assert "\x1b[0;33m5" in drawn.text
    assert "\x1b[0;31;1mReferenceError: none is not defined" in drawn.text


@pytest.mark.parametrize("code", ["for (;;) {}", "await new Promise(() => setInterval(() => 0, 10))"])
def test_ctrl_c_ends_what_runs_and_nothing_else(make_talk: MakeTalk, keyboard: PipeInput, code: str) -> None:
    talk, drawn, killers = make_talk(), Drawn(), list[subprocess.Popen[bytes]]()
    run = talk.session.evaluate

    def evaluate(code: str, *, timed: bool = False) -> None:
        # Of this process no other thread runs while JavaScript loops.
        if not killers:
            killers.append(subprocess.Popen(["sh", "-c", f"sleep 0.3; kill -INT {os.getpid()}"]))
        run(code, timed=timed)

    talk.session.evaluate = evaluate  # type: ignore[method-assign]
    keyboard.send_text(f"{code}{ENTER}require('plugin:echo').strings.upper('a'){ENTER}{CTRL_D}")
    Terminal(InMemoryHistory(), keyboard=keyboard, output=_output(drawn)).run(talk.session)

    assert killers[0].wait() == 0
    assert "interrupted" in drawn.text
    assert talk.page.shown == ['"A"']


def test_a_ctrl_c_with_nothing_to_end_ends_nothing(make_talk: MakeTalk, keyboard: PipeInput) -> None:
    talk, before = make_talk(), signal.getsignal(signal.SIGINT)
    terminal = Terminal(InMemoryHistory(), keyboard=keyboard, output=_output(Drawn()))
    ask = terminal._ask

    def ask_and_interrupt(prompt: PromptSession[str]) -> str | None:
        text = ask(prompt)
        signal.raise_signal(signal.SIGINT)
        return text

    terminal._ask = ask_and_interrupt  # type: ignore[method-assign]
    keyboard.send_text(f"1 + 1{ENTER}{CTRL_D}")

    assert terminal.run(talk.session) == 0
    assert talk.page.shown == ["2"]
    assert signal.getsignal(signal.SIGINT) is before


def test_another_signal_ends_the_repl(make_talk: MakeTalk, keyboard: PipeInput) -> None:
    talk = make_talk()
    keyboard.send_text(f"1{ENTER}")
    talk.session.evaluate = lambda code, timed=False: os.kill(os.getpid(), signal.SIGTERM)  # type: ignore[method-assign]
    with pytest.raises(Interrupted) as caught:
        Terminal(InMemoryHistory(), keyboard=keyboard, output=_output(Drawn())).run(talk.session)

    assert caught.value.exit_code == 143


def test_the_history_of_a_session_is_in_its_store(tmp_path: Path) -> None:
    store = Store(tmp_path / "sessions.sqlite")
    history = StoreHistory(store, "one")
    history.append_string("1")
    history.append_string("2")

    assert list(StoreHistory(store, "one").load_history_strings()) == ["2", "1"]
    store.close()
