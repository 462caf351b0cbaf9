"""How the command line is read, and explained: argparse, with the flags of host/settings.py everywhere."""
from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

from goplugin.core.errors import ConfigError

from .settings import SETTINGS, Setting
from .verb_table import VERBS, Row

if TYPE_CHECKING:
    from .verbs.base import Verb

__all__ = ["PROGRAM", "flag_parser", "overview", "verb_parser", "with_hint"]

PROGRAM = "python -m host"

_DESCRIPTION = "Run JavaScript that uses plugins living in other processes: require(\"plugin:...\")."
_EXAMPLES = """\
examples:
  python -m host list
  python -m host eval 'require("plugin:examples:greeter").greet("hello")'
  python -m host --plugin-dir ./plugins run tour.js -- --verbose
  python -m host call plugin:examples:greeter strings.upper '"hello"'
  python -m host help goja-plugin-user-guide

exit codes:
  0 success                            4 handshake, manifest or duplicate module refused
  1 the script threw, a plugin         5 a plugin could not be launched, or was lost
    answered with an error, or a       6 refused by the allowlist or --strict
    check found something              124 time limit
  2 usage                              130, 143 ended by Ctrl-C, by SIGTERM
  3 file, module or export not found
"""


def flag_parser() -> _Parser:
    """What reads the flags, wherever they stand, and leaves the rest."""
    parser = _Parser(PROGRAM, add_help=False, allow_abbrev=False)
    _add_flags(parser)
    return parser


def verb_parser(row: Row, verb: Verb) -> argparse.ArgumentParser:
    """What reads the arguments of a verb, and explains them; the flags too, though they have been read before."""
    parser = _Parser(
        f"{PROGRAM} {row.name}",
        usage=f"{PROGRAM} [FLAGS] {row.name} {row.usage}".rstrip(),
        description=f"{row.about[0].upper()}{row.about[1:]}.",
        allow_abbrev=False,
    )
    verb.add_arguments(parser)
    _add_flags(parser)
    return parser


def overview() -> str:
    """What there is to type."""
    parser = _Parser(
        PROGRAM,
        usage=f"{PROGRAM} [FLAGS] VERB ...",
        description=f"{_DESCRIPTION}\n\nverbs:\n{_verb_lines()}",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_flags(parser)
    return parser.format_help()


class _Parser(argparse.ArgumentParser):
    """argparse, with its complaints raised."""

    def error(self, message: str) -> NoReturn:
        raise with_hint(ConfigError(message), self.prog)


def with_hint(error: ConfigError, program: str) -> ConfigError:
    error.add_note(f"hint: `{program} -h` explains the arguments; those that begin with a dash go behind `--`")
    return error


def _verb_lines() -> str:
    width = max(len(row.name) for row in VERBS) + 4
    return "\n".join(f"  {row.name.ljust(width)}{row.about}" for row in VERBS)


def _add_flags(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("flags, before or after the verb")
    for setting in SETTINGS:
        options: dict[str, Any] = {"help": setting.about, "default": argparse.SUPPRESS}
        if setting.is_switch:
            options["action"] = "store_true"
        else:
            options |= {"metavar": setting.metavar, "type": _reader(setting)}
            if setting.is_list:
                options["action"] = "extend"  # a flag may be repeated
        group.add_argument(f"--{setting.name}", **options)


def _reader(setting: Setting) -> Callable[[str], object]:
    """`setting.read`, with its complaints as argparse has them."""

    def read(text: str) -> object:
        try:
            return setting.read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return read
