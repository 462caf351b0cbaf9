"""The commands of the REPL that are not JavaScript: `:NAME ARGUMENT`, on one line.

No JavaScript begins with a colon, so the two are never mistaken for each other.
"""
from __future__ import annotations

from typing import NamedTuple

from goplugin.core.errors import ConfigError

__all__ = ["COMMANDS", "Command", "Leave", "Meta", "find", "is_meta", "parse"]


class Command(NamedTuple):
    """One command: its name, its arguments as a usage line has them, and what it does."""

    name: str
    usage: str
    about: str
    aliases: tuple[str, ...] = ()


class Meta(NamedTuple):
    """A command with its argument, which is empty if there is none."""

    command: Command
    argument: str


COMMANDS = (
    Command("help", "[TOPIC]", "list commands and keys, or read a page", ("h", "?")),
    Command("modules", "", "what can be required"),
    Command("doc", "NAME", "documentation of a module, an export, a method, or a name that stands for one", ("d",)),
    Command("plugins", "", "the plugins with their processes, and what was left out"),
    Command("load", "FILE", "run a file as if it were typed"),
    Command("reload", "", "start the plugins anew, in a new engine"),
    Command("time", "[on|off|CODE]", "say how long CODE takes, or each input from now on"),
    Command("quit", "", "leave (Ctrl-D)", ("exit", "q")),
)


class Leave(Exception):
    """The user has asked to leave."""


def is_meta(text: str) -> bool:
    """Whether `text` is, or is going to be, a command."""
    return text.lstrip().startswith(":")


def find(name: str) -> Command | None:
    """The command of that name or alias, with or without its colon."""
    name = name.removeprefix(":")
    return next((command for command in COMMANDS if name in (command.name, *command.aliases)), None)


def parse(text: str) -> Meta:
    """The command in `text`. Raises ConfigError for one that does not exist, or lacks its argument."""
    name, _, argument = text.strip().partition(" ")
    command = find(name)
    if command is None:
        raise _unknown(name)
    argument = argument.strip()
    if not argument and command.usage[:1].isupper():
        raise ConfigError(f":{command.name} needs its argument: :{command.name} {command.usage}")
    if argument and not command.usage:
        raise ConfigError(f":{command.name} takes no argument")
    return Meta(command, argument)


def _unknown(name: str) -> ConfigError:
    from difflib import get_close_matches

    error = ConfigError(f"there is no command {name}")
    near = get_close_matches(name, [f":{command.name}" for command in COMMANDS], 1)
    error.add_note(f"hint: is it {near[0]}?" if near else "hint: :help lists them")
    return error
