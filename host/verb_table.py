"""The verbs of the command line, in a table.

To add one, add a row to VERBS and a module of its name to host/verbs, in which a subclass of `Verb` has the name of the
verb, capitalised. The module is imported when its verb is run, or asked for help, and not before: what it imports costs
the other verbs nothing.
"""
from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple, cast

if TYPE_CHECKING:
    from .verbs.base import Verb

__all__ = ["VERBS", "Row", "find", "load"]


class Row(NamedTuple):
    """One verb: its name, its arguments as a usage line has them, and what it does."""

    name: str
    usage: str
    about: str
    aliases: tuple[str, ...] = ()


VERBS = (
    Row("run", "FILE [ARG...]", "run a script"),
    Row("repl", "[--profile PROFILE] [--session NAME]", "a prompt for JavaScript, with completion and help", ("tui",)),
    Row("eval", "CODE", "evaluate JavaScript and print the value of its last expression"),
    Row("call", "MODULE EXPORT[.METHOD] [ARG...]", "call one export and print its result as JSON"),
    Row("list", "[--all]", "list the modules of all plugins"),
    Row("inspect", "[MODULE|FILE]", "show a module with its documentation, or the whole load report"),
    Row("dts", "MODULE [--check FILE]", "print a module's TypeScript declarations"),
    Row("ping", "MODULE [-n COUNT]", "measure how fast a plugin answers"),
    Row("doctor", "", "look for what may be wrong, and say how to put it right"),
    Row("config", "[show] [--origin]", "show what the host is set to, and by what"),
    Row("completion", "bash|zsh|fish", "print the completions of a shell"),
    Row("help", "[TOPIC|VERB]", "read about a topic, or list them"),
    Row("version", "", "print versions"),
)


def find(name: str) -> Row | None:
    """The verb of that name, or alias."""
    return next((row for row in VERBS if name in (row.name, *row.aliases)), None)


def load(row: Row) -> Verb:
    """The verb itself, without its arguments."""
    module = import_module(f".verbs.{row.name}", __package__)
    return cast("Verb", getattr(module, row.name.capitalize())())
