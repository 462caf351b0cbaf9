"""The REPL in a terminal, on prompt_toolkit: colours, keys, completion, help line, history.

Rule 1: what it knows of JavaScript and of plugins, the modules beside it know; here is how that looks.
Rule 2: an input is run between two prompts, on the main thread, where a signal can end it. What plugins say meanwhile
goes straight to the terminal, and at a prompt above it.
"""
from __future__ import annotations

import signal
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from prompt_toolkit import PromptSession, print_formatted_text
from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
from prompt_toolkit.completion import CompleteEvent, Completer
from prompt_toolkit.completion import Completion as Shown
from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text import ANSI, FormattedText, StyleAndTextTuples, to_formatted_text
from prompt_toolkit.formatted_text.utils import split_lines
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.layout.processors import HighlightMatchingBracketProcessor
from prompt_toolkit.lexers import Lexer
from prompt_toolkit.output import create_output
from prompt_toolkit.patch_stdout import patch_stdout
from prompt_toolkit.styles import Style

from ..errors import Interrupted
from ..interrupts import Interrupts
from . import meta, styled
from .completion import Completion, completions
from .helpline import Help, help_at
from .session import Session
from .store import Store
from .styled import Styled
from .syntax import is_complete

if TYPE_CHECKING:
    from prompt_toolkit.input import Input
    from prompt_toolkit.output import Output

__all__ = ["FileHistory", "InMemoryHistory", "StoreHistory", "Terminal"]

_STYLE = Style.from_dict({
    "keyword": "ansimagenta", "constant": "ansiyellow", "number": "ansiyellow", "string": "ansigreen",
    "template": "ansigreen", "regexp": "ansired", "comment": "ansibrightblack italic", "label": "ansicyan",
    "punctuation": "", "name": "", "space": "",
    "error": "ansired bold", "stack": "ansired", "hint": "ansiyellow", "note": "ansibrightblack", "strong": "bold",
    "prompt": "ansicyan bold", "continuation": "ansibrightblack",
    "bottom-toolbar": "noreverse", "bottom-toolbar.text": "",
    "help.name": "ansicyan bold", "help.active": "bold underline", "help.result": "ansigreen",
    "completion-menu": "bg:ansiblack ansiwhite", "completion-menu.completion": "",
    "completion-menu.completion.current": "bg:ansicyan ansiblack",
    "completion-menu.meta.completion": "bg:ansiblack ansibrightblack",
    "completion-menu.meta.completion.current": "bg:ansiblack ansiwhite",
    "scrollbar.background": "bg:ansiblack", "scrollbar.button": "bg:ansibrightblack",
})
_INDENT = "  "
_SIGINT = 130  # the exit code of what a Ctrl-C has ended
_MENU_ROWS = 8


class Terminal:
    """The prompt of a session, and its `Screen`; `keyboard` and `output` are for tests."""

    def __init__(self, history: History, *, keyboard: Input | None = None, output: Output | None = None) -> None:
        self._output = output or create_output()
        self._keyboard = keyboard
        self._history = history

    def show(self, text: Styled) -> None:
        print_formatted_text(_formatted(text), style=_STYLE, output=self._output)

    complain = show

    def run(self, session: Session) -> int:
        """Ask for inputs and run them until the user leaves; the exit code."""
        prompt = self._prompt(session)
        # A Ctrl-C that comes between a prompt and what it has asked for has nothing to end.
        previous = signal.signal(signal.SIGINT, lambda signum, frame: None)
        try:
            while True:
                text = self._ask(prompt)
                if text is not None:
                    self._run(session, text)
        except (EOFError, meta.Leave):
            return 0
        finally:
            signal.signal(signal.SIGINT, previous)

    def _ask(self, prompt: PromptSession[str]) -> str | None:
        """The next input; None if it was dropped. Raises EOFError for Ctrl-D."""
        dropped = ""
        try:
            with patch_stdout(raw=True):
                return prompt.prompt()
        except Interrupted:
            raise
        except KeyboardInterrupt:
            dropped = prompt.default_buffer.document.text
        if not dropped:
            self.show([("note", "Ctrl-D leaves")])
        return None

    def _run(self, session: Session, text: str) -> None:
        try:
            with Interrupts() as interrupts:
                interrupts.call(lambda: session.run(text))
        except Interrupted as error:
            if error.exit_code != _SIGINT:
                raise
            self.complain([("error", "interrupted")])
        except KeyboardInterrupt:
            self.complain([("error", "interrupted")])

    def _prompt(self, session: Session) -> PromptSession[str]:
        def toolbar() -> StyleAndTextTuples:
            document = prompt.default_buffer.document
            return _toolbar(help_at(document.text, document.cursor_position, session.scope), session)

        prompt: PromptSession[str] = PromptSession(
            [("class:prompt", "> ")],
            style=_STYLE,
            lexer=_Colours(),
            completer=_Completer(session),
            auto_suggest=AutoSuggestFromHistory(),
            history=self._history,
            input_processors=[HighlightMatchingBracketProcessor()],
            bottom_toolbar=toolbar,
            key_bindings=_keys(),
            multiline=True,
            prompt_continuation=lambda width, line, wraps: [("class:continuation", "… "[:width])],
            reserve_space_for_menu=_MENU_ROWS,
            input=self._keyboard,
            output=self._output,
        )
        return prompt


def _formatted(text: Styled) -> FormattedText:
    parts: StyleAndTextTuples = []
    for style, part in text:
        parts += to_formatted_text(ANSI(part)) if style == "ansi" else [(f"class:{style}" if style else "", part)]
    return FormattedText(parts)


def _toolbar(found: Help | None, session: Session) -> StyleAndTextTuples:
    if found is None:
        modules = len(session.scope.modules)
        count = f"{modules} plugin module{'' if modules == 1 else 's'}"
        return [("class:note", f"{count} · {session.profile.value} · :help · Ctrl-D leaves")]
    parts: StyleAndTextTuples = [("class:help.name", found.name)]
    if found.parameters is not None:
        parts.append(("", "("))
        for number, parameter in enumerate(found.parameters):
            parts.append(("", ", " if number else ""))
            parts.append(("class:help.active" if number == found.active else "", parameter))
        parts.append(("", ")"))
        parts += [("", ": "), ("class:help.result", found.result)] if found.result else []
    return [*parts, ("class:note", f"  {found.summary}" if found.summary else "")]


def _keys() -> KeyBindings:
    keys = KeyBindings()

    @keys.add("enter")
    def _(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if buffer.complete_state is not None and buffer.complete_state.current_completion is not None:
            buffer.complete_state = None  # taken
        elif meta.is_meta(buffer.text) or is_complete(buffer.text):
            buffer.validate_and_handle()
        else:
            _new_line(event)

    @keys.add("escape", "enter")
    def _(event: KeyPressEvent) -> None:
        _new_line(event)

    for bracket in ")]}":
        keys.add(bracket)(_close)
    return keys


def _close(event: KeyPressEvent) -> None:
    """A closing bracket at the beginning of a line belongs one step to the left."""
    line = event.current_buffer.document.current_line_before_cursor
    if line.isspace():
        event.current_buffer.delete_before_cursor(min(len(line), len(_INDENT)))
    event.current_buffer.insert_text(event.data)


def _new_line(event: KeyPressEvent) -> None:
    """Begin a line that is indented as the one before, or more behind an opening bracket."""
    line = event.current_buffer.document.current_line_before_cursor
    indent = line[: len(line) - len(line.lstrip())]
    event.current_buffer.insert_text("\n" + indent + (_INDENT if line.rstrip().endswith(("(", "[", "{")) else ""))


class _Colours(Lexer):
    def lex_document(self, document: Document) -> Callable[[int], StyleAndTextTuples]:
        text = [("strong", document.text)] if meta.is_meta(document.text) else styled.code(document.text)
        lines = list(split_lines(_formatted(text)))
        return lambda number: lines[number] if number < len(lines) else []


class _Completer(Completer):
    def __init__(self, session: Session) -> None:
        self._session = session

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Shown]:
        for each in completions(document.text, document.cursor_position, self._session.known()):
            if complete_event.text_inserted and not _opens_by_itself(document.text, each):
                continue
            about = " · ".join(filter(None, (each.label, each.summary)))
            yield Shown(each.text, each.start - document.cursor_position, display_meta=about)


def _opens_by_itself(text: str, completion: Completion) -> bool:
    """Whether the menu is there as soon as something is typed; for a word by itself it waits for Tab."""
    return meta.is_meta(text) or text[: completion.start].endswith((".", '"', "'"))


class StoreHistory(History):
    """The history of a session in a store."""

    def __init__(self, store: Store, session: str) -> None:
        super().__init__()
        self._store = store
        self._session = session

    def load_history_strings(self) -> Iterable[str]:
        return reversed(self._store.history(self._session))

    def store_string(self, string: str) -> None:
        self._store.remember(self._session, string)
