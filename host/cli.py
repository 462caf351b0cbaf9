"""The command line: `python -m host [FLAGS] VERB [FLAGS] ...`.

Rule 1: the flags of host/settings.py stand before or after the verb, anywhere before a `--`.
Rule 2: data goes to stdout, everything said about it to stderr; with --json both are JSON, one object per line there.
Rule 3: whatever ends a run passes `main`, which turns it into text and exit code.
Rule 4: a verb is a module of its own in host/verbs, imported when its turn comes.
"""
from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from goplugin.core.errors import ConfigError, PluginError

from .arguments import PROGRAM, flag_parser, overview, verb_parser, with_hint
from .errors import Interrupted
from .settings import configure
from .terminal import Paint
from .verb_table import VERBS, Row, find, load
from .verbs.base import Verb

if TYPE_CHECKING:
    import argparse
    import io

__all__ = ["main", "parse"]

_USAGE = 2
_BROKEN_PIPE = 141  # 128 + SIGPIPE, what a shell reports of any program whose reader went away


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code; `VERB -h` exits with SystemExit, as argparse does it."""
    argv = sys.argv[1:] if argv is None else argv
    # Lines leave as they are printed; file names and JavaScript's strings need not be valid Unicode.
    cast("io.TextIOWrapper[io.BufferedWriter]", sys.stdout).reconfigure(line_buffering=True, errors="backslashreplace")
    try:
        if not argv:
            print(overview(), end="", file=sys.stderr)
            return _USAGE
        code = parse(argv).run()
        sys.stdout.flush()
    except BrokenPipeError:
        # Nobody reads stdout any more. The interpreter would flush it once more at its end, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _BROKEN_PIPE
    except (PluginError, Interrupted) as error:
        from .failure import error_json, error_text, exit_code

        as_json = "--json" in _before_dashes(argv)[0]
        text = error_json(error) if as_json else error_text(error)
        label, _, rest = text.partition(" ")
        print(text if as_json else f"{Paint(sys.stderr)(label, 'bold', 'red')} {rest}", file=sys.stderr)
        return exit_code(error)
    return code or 0


def parse(argv: Sequence[str]) -> Verb:
    """The verb with its arguments and settings. Raises ConfigError for a command line that makes no sense."""
    head, tail = _before_dashes(argv)
    # First the flags, wherever they stand: among them argparse would not find all arguments of a verb.
    flags, rest = flag_parser().parse_known_args(head)
    if not rest:
        raise with_hint(ConfigError("a verb is missing"), PROGRAM)
    if rest[0] in ("-h", "--help"):
        return _Overview()
    row = _row(rest[0])
    verb = load(row)
    verb_parser(row, verb).parse_args([*rest[1:], *tail], cast("argparse.Namespace", verb))
    verb.configuration = configure(vars(flags), environ=os.environ, directory=os.getcwd())
    return verb


class _Overview(Verb):
    """What `-h` asks for."""

    def run(self) -> None:
        print(overview(), end="")


def _before_dashes(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """`argv` cut in front of its first `--`."""
    index = argv.index("--") if "--" in argv else len(argv)
    return list(argv[:index]), list(argv[index:])


def _row(name: str) -> Row:
    row = find(name)
    if row is not None:
        return row
    if name.startswith("-"):
        raise with_hint(ConfigError(f"unrecognized arguments: {name}"), PROGRAM)
    from difflib import get_close_matches

    error = ConfigError(f"there is no verb {name!r}")
    near = get_close_matches(name, [row.name for row in VERBS], 1)
    error.add_note(f"hint: is it `{near[0]}`?" if near else f"hint: `{PROGRAM} -h` lists them")
    raise error
