"""The command line: `python -m host [FLAGS] VERB [FLAGS] ...`.

Rule 1: the flags below stand before or after the verb, anywhere before a `--`.
Rule 2: data goes to stdout, everything said about it to stderr; with --json both are JSON.
Rule 3: whatever ends a run passes `main`, which turns it into text and exit code.
"""
from __future__ import annotations

import argparse
import csv
import math
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn, cast

from goplugin.core.errors import ConfigError, PluginError

from .commands import execute
from .errors import Interrupted

if TYPE_CHECKING:
    import io

__all__ = ["Arguments", "main", "parse"]

PROGRAM = "python -m host"
_USAGE = 2
_BROKEN_PIPE = 141  # 128 + SIGPIPE, what a shell reports of any program whose reader went away

_DESCRIPTION = "Run JavaScript that uses plugins living in other processes: require(\"plugin:...\")."
_EXAMPLES = """\
examples:
  python -m host list
  python -m host eval 'require("plugin:examples:greeter").greet("hello")'
  python -m host --plugin-dir ./plugins run tour.js -- --verbose
  python -m host call plugin:examples:greeter strings.upper '"hello"'

exit codes:
  0 success                            4 handshake, manifest or duplicate module refused
  1 the script threw, or a plugin      5 a plugin could not be launched, or was lost
    answered with an error             6 refused by the allowlist or --strict
  2 usage                              124 time limit
  3 file, module or export not found   130, 143 ended by Ctrl-C, by SIGTERM
"""


class Arguments(argparse.Namespace):
    """What the command line says; the verb's own arguments are there only for that verb."""

    verb: str
    json: bool
    plugin_dir: list[str]
    allow_plugin_module: list[str]
    strict: bool
    timeout: float | None
    call_timeout: float
    start_timeout: float

    file: str
    args: list[str]
    code: str
    all: bool
    module: str
    export: str


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code; `-h` exits with SystemExit, as argparse does it."""
    argv = sys.argv[1:] if argv is None else argv
    # Lines leave as they are printed; file names and JavaScript's strings need not be valid Unicode.
    cast("io.TextIOWrapper[io.BufferedWriter]", sys.stdout).reconfigure(line_buffering=True, errors="backslashreplace")
    try:
        if not argv:
            _parser().print_help(sys.stderr)
            return _USAGE
        execute(parse(argv))
        sys.stdout.flush()
    except BrokenPipeError:
        # Nobody reads stdout any more. The interpreter would flush it once more at its end, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _BROKEN_PIPE
    except (PluginError, Interrupted) as error:
        from .failure import error_json, error_text, exit_code

        as_json = "--json" in _before_dashes(argv)[0]
        print(error_json(error) if as_json else error_text(error), file=sys.stderr)
        return exit_code(error)
    return 0


def parse(argv: Sequence[str]) -> Arguments:
    """The parsed command line. Raises ConfigError for one that makes no sense."""
    head, tail = _before_dashes(argv)
    arguments = Arguments(
        json=False,
        plugin_dir=[],
        allow_plugin_module=[],
        strict=False,
        timeout=None,
        call_timeout=5.0,
        start_timeout=10.0,
    )
    # First the flags, wherever they stand: among them argparse would not find all arguments of a verb.
    flags = _Parser(PROGRAM, add_help=False, allow_abbrev=False)
    _add_flags(flags)
    _, rest = flags.parse_known_args(head, arguments)
    return _parser().parse_args([*rest, *tail], arguments)


def _before_dashes(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """`argv` cut in front of its first `--`."""
    index = argv.index("--") if "--" in argv else len(argv)
    return list(argv[:index]), list(argv[index:])


class _Parser(argparse.ArgumentParser):
    """argparse, with its complaints raised."""

    def error(self, message: str) -> NoReturn:
        error = ConfigError(message)
        error.add_note(f"hint: `{self.prog} -h` explains the arguments; those that begin with a dash go behind `--`")
        raise error


def _parser() -> _Parser:
    parser = _Parser(
        PROGRAM,
        usage=f"{PROGRAM} [FLAGS] VERB ...",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", dest="verb", required=True, prog=PROGRAM)

    def verb(name: str, usage: str, text: str) -> _Parser:
        usage = f"{PROGRAM} [FLAGS] {name} {usage}".rstrip()
        about = f"{text[0].upper()}{text[1:]}."
        return verbs.add_parser(name, usage=usage, help=text, description=about, allow_abbrev=False)

    run = verb("run", "FILE [ARG...]", "run a script")
    run.add_argument("file", metavar="FILE", help="the script, a CommonJS module")
    about = "the script's arguments, in process.argv from 2 on"
    run.add_argument("args", metavar="ARG", nargs="*", default=[], help=about)
    evaluate = verb("eval", "CODE", "evaluate JavaScript and print the value of its last expression")
    evaluate.add_argument("code", metavar="CODE", help="JavaScript; undefined prints nothing")
    listing = verb("list", "[--all]", "list the modules of all plugins")
    listing.add_argument("--all", action="store_true", help="also what was left out, and why")
    call = verb("call", "MODULE EXPORT[.METHOD] [JSON...]", "call one export and print its result as JSON")
    call.add_argument("module", metavar="MODULE", help="the module's name, plugin:...")
    call.add_argument("export", metavar="EXPORT[.METHOD]", help="a function, or an object's method")
    about = "the arguments, each in JSON: a string has its quotes"
    call.add_argument("args", metavar="JSON", nargs="*", default=[], help=about)
    verb("version", "", "print versions")
    for each in (parser, *verbs.choices.values()):
        _add_flags(each)
    return parser


def _add_flags(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the flags of every verb. `parse` has their defaults, so that no parser undoes another's work."""
    group = parser.add_argument_group("flags, before or after the verb")

    def add(name: str, text: str, **options: Any) -> None:
        group.add_argument(name, help=text, default=argparse.SUPPRESS, **options)

    names = {"action": "extend", "type": _comma_list}
    add("--json", "print data, and errors, as JSON", action="store_true")
    add(
        "--plugin-dir",
        "look for plugins here, and not below, instead of everywhere under ~/.go-go-goja/plugins; "
        "repeatable, and comma-separated",
        metavar="DIR",
        **names,
    )
    add("--allow-plugin-module", "register only this module; repeatable, and comma-separated", metavar="NAME", **names)
    add("--strict", "fail on what would be left out: files that cannot run, other modules", action="store_true")
    add("--timeout", "end the whole run after this time", metavar="SECONDS", type=_seconds)
    add("--call-timeout", "limit of one call of a plugin (default 5)", metavar="SECONDS", type=_seconds)
    add("--start-timeout", "limit of a plugin's start (default 10)", metavar="SECONDS", type=_seconds)


def _comma_list(text: str) -> list[str]:
    """The entries of one flag; one that contains a comma stands in double quotes, as in a CSV file."""
    return [entry.strip() for row in csv.reader([text]) for entry in row if entry.strip()]


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number of seconds")
    return seconds
