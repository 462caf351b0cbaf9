"""Drives the REPL in a terminal, tmux's, and draws what that shows: docs/repl.svg, with the six examples installed.

`Tmux` is for tests, too.
"""
from __future__ import annotations

import html
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from scripts.install_modules import EXAMPLES, EXAMPLES_PREFIX, install

__all__ = ["Tmux", "main", "svg"]

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs" / "repl.svg"
_PATIENCE_SECONDS, _LOOK_SECONDS = 20.0, 0.02


class Tmux:
    """A program in a terminal of its own: a context manager. Raises TimeoutError for a screen that does not come."""

    def __init__(
        self, command: list[str], directory: Path, *, environ: Mapping[str, str], columns: int = 90, rows: int = 20
    ) -> None:
        self._socket = directory / "tmux"
        self._environ = {"TERM": "xterm-256color", **environ}
        self._columns = columns
        # What a program leaves on the screen when it has ended is still to be seen.
        line = f"trap : INT; {shlex.join(command)}; echo exit code $?; exec cat"  # Ctrl-C is not for the shell
        size = ["-x", str(columns), "-y", str(rows)]
        self._start = ["-f", os.devnull, "new-session", "-d", *size, "/bin/sh", "-c", line]

    def __enter__(self) -> Tmux:
        self._tmux(*self._start)
        return self

    def __exit__(self, *exc: object) -> None:
        pid = self._tmux("display-message", "-p", "#{pid}").strip()
        self._tmux("kill-server")
        while _is_running(pid):
            time.sleep(_LOOK_SECONDS)

    def type(self, *keys: str) -> None:
        """Press keys; a text of several letters that is no key's name is typed."""
        self._tmux("send-keys", *keys)

    def screen(self, *, colours: bool = False) -> str:
        """What is to be seen, maybe with the escape sequences of its colours."""
        return self._tmux("capture-pane", "-p", *(["-e"] if colours else []))

    def wait_for(self, *parts: str) -> str:
        """The screen as soon as all these texts are on it."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            screen = self.screen()
            if all(part in screen for part in parts):
                return screen
            if time.monotonic() > deadline:
                raise TimeoutError(f"not on the screen: {parts}\n{screen}")
            time.sleep(_LOOK_SECONDS)

    def _tmux(self, *arguments: str) -> str:
        done = subprocess.run(
            ["tmux", "-u", "-S", self._socket, *arguments],
            env=self._environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True,
        )
        return done.stdout


def _is_running(pid: str) -> bool:
    """Whether there is more of the process than an entry that nobody has asked for yet."""
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except (FileNotFoundError, ProcessLookupError):
        return False


# --- a screen as a picture -------------------------------------------------------------------------------------------

_WIDTH, _HEIGHT, _MARGIN = 8.4, 19, 14
_INK, _PAPER = "#d8dee9", "#1e222a"
_COLOURS = {
    30: "#2b303b", 31: "#e06c75", 32: "#98c379", 33: "#e5c07b", 34: "#61afef", 35: "#c678dd", 36: "#56b6c2",
    37: "#d8dee9", 90: "#7f8796",
}
_PIECE = re.compile(r"\x1b\[([\d;]*)m|([^\x1b]+)")


def svg(screen: str, columns: int) -> str:
    """A screen with colours as a picture."""
    lines = screen.rstrip("\n").split("\n")
    width, height = round(columns * _WIDTH + 2 * _MARGIN), len(lines) * _HEIGHT + 2 * _MARGIN
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">',
        f'<rect width="{width}" height="{height}" rx="8" fill="{_PAPER}"/>',
        '<g font-family="Menlo, Consolas, \'DejaVu Sans Mono\', monospace" font-size="14" xml:space="preserve">',
    ]
    style: dict[str, str] = {}
    for number, line in enumerate(lines):
        out += _line(line, _MARGIN + number * _HEIGHT, style)
    return "\n".join([*out, "</g>", "</svg>", ""])


def _line(line: str, top: int, style: dict[str, str]) -> Iterator[str]:
    """The pieces of a line; `style` goes on from line to line."""
    column = 0
    for match in _PIECE.finditer(line):
        codes, text = match[1], match[2]
        if text is None:
            for code in map(int, codes.split(";") if codes else ["0"]):
                _apply(code, style)
            continue
        left, length = round(_MARGIN + column * _WIDTH, 1), round(len(text) * _WIDTH, 1)
        column += len(text)
        if "paper" in style:
            yield f'<rect x="{left}" y="{top}" width="{length}" height="{_HEIGHT}" fill="{style["paper"]}"/>'
        if text.strip():
            weight = ' font-weight="bold"' if "bold" in style else ""
            line_below = ' text-decoration="underline"' if "underline" in style else ""
            place = f'x="{left}" y="{top + 14}" textLength="{length}"'
            ink = style.get("ink", _INK)
            yield f'<text {place} fill="{ink}"{weight}{line_below}>{html.escape(text)}</text>'


def _apply(code: int, style: dict[str, str]) -> None:
    if code == 0:
        style.clear()
    elif code in (1, 4):
        style["bold" if code == 1 else "underline"] = "on"
    elif code in (22, 24):
        style.pop("bold" if code == 22 else "underline", None)
    elif code in _COLOURS:
        style["ink"] = _COLOURS[code]
    elif code == 39:
        style.pop("ink", None)
    elif code - 10 in _COLOURS:
        style["paper"] = _COLOURS[code - 10]
    elif code == 49:
        style.pop("paper", None)


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        plugins = directory / "plugins"
        plugins.mkdir()
        for source in sorted(EXAMPLES.glob("[!_]*.py")):
            install(source, plugins / (EXAMPLES_PREFIX + source.stem.replace("_", "-")), sys.executable)
        command = [sys.executable, "-m", "host", "repl", "--plugin-dir", os.fspath(plugins)]
        environ = {**os.environ, "XDG_DATA_HOME": temporary}
        with Tmux(command, directory, environ=environ) as terminal:
            PICTURE.write_text(svg(_tour(terminal), 90), "utf-8")
    print(f"wrote {PICTURE.relative_to(ROOT)}")


def _tour(terminal: Tmux) -> str:
    """What the picture shows."""
    terminal.wait_for("6 plugin modules")
    terminal.type('const { greet, strings } = require("plugin:examples:greeter")', "Enter")
    terminal.type('const kv = require("plugin:examples:kv")', "Enter")
    terminal.type("await Promise.all([", "Enter", 'greet.async("Ada"),', "Enter", 'greet.async("Grace")', "Enter", "])")
    terminal.wait_for("…   greet.async(\"Grace\")")
    terminal.type("Enter")
    terminal.wait_for('[ "hello, Ada", "hello, Grace" ]')
    terminal.type('kv.store.set("lang", "js")', "Enter")
    terminal.wait_for("size: 1")
    terminal.type('strings.shout("ada")', "Enter")
    terminal.wait_for("TypeError: not a function")
    terminal.type("kv.store.")
    terminal.wait_for("plugin method")
    terminal.type("Down", "Down")
    terminal.wait_for("kv.store.get(…)")
    return terminal.screen(colours=True)


if __name__ == "__main__":
    main()
