"""The command line: `python -m host [FLAGS] VERB [FLAGS] ...`.

Rule 1: the flags of host/settings.py stand before or after the verb, anywhere before a `--`.
Rule 2: data goes to stdout, everything said about it to stderr; with --json both are JSON, one object per line there.
Rule 3: whatever ends a run passes `main`, which turns it into text and exit code.
Rule 4: a verb is a module of its own in host/verbs, imported when its turn comes.
"""
from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from goplugin.core.errors import ConfigError, PluginError

from .arguments import PROGRAM, flag_parser, overview, verb_parser, with_hint
from .errors import Interrupted
from .settings import configure
from .terminal import Paint, StdoutError, own_stdout
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
    try:
        _prepare_streams()
        if not argv:
            print(overview(), end="", file=sys.stderr)
            return _USAGE
        return _run(argv)
    except BrokenPipeError:
        _drop_stdout()  # nobody reads it any more
        return _BROKEN_PIPE
    except StdoutError as error:
        _drop_stdout()
        return _report(PluginError(str(error)), argv)
    except (PluginError, Interrupted) as error:
        return _report(error, argv)


def _prepare_streams() -> None:
    """Raises PluginError if stdout is closed: there, as with stderr, Python has None in place of a stream."""
    if cast("object", sys.stderr) is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - until the end of the run
    if cast("object", sys.stdout) is None:
        raise PluginError(f"stdout: {os.strerror(errno.EBADF)}")
    if sys.stdout is sys.__stdout__:
        sys.stdout = own_stdout()
    # Lines leave as they are printed; file names and JavaScript's strings need not be valid Unicode.
    cast("io.TextIOWrapper[io.BufferedWriter]", sys.stdout).reconfigure(line_buffering=True, errors="backslashreplace")


def _run(argv: Sequence[str]) -> int:
    try:
        code = parse(argv).run()
    except SystemExit:  # of `-h`, or of a script that ends itself
        sys.stdout.flush()
        raise
    sys.stdout.flush()
    return code or 0


def _drop_stdout() -> None:
    """Forget what stdout still has: the interpreter would flush it once more at its end, and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _report(error: BaseException, argv: Sequence[str]) -> int:
    """Print it on stderr, and return the exit code."""
    from .failure import error_json, error_text, exit_code

    as_json = "--json" in _before_dashes(argv)[0]
    text = error_json(error) if as_json else error_text(error)
    label, _, rest = text.partition(" ")
    print(text if as_json else f"{Paint(sys.stderr)(label, 'bold', 'red')} {rest}", file=sys.stderr)
    return exit_code(error)


def parse(argv: Sequence[str]) -> Verb:
    """The verb with its arguments and settings. Raises ConfigError for a command line that makes no sense."""
    head, tail = _before_dashes(argv)
    # First the flags, wherever they stand: among them argparse would not find all arguments of a verb.
    flags, rest = flag_parser().parse_known_args(head)
    if not rest:
        raise with_hint(ConfigError("a verb is missing"), PROGRAM)
    if rest[0] in ("-h", "--help"):
        return _Overview()
    row = _row("version" if rest[0] == "--version" else rest[0])
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
