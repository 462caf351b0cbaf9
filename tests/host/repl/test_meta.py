from __future__ import annotations

import pytest

from goplugin.core.errors import ConfigError
from host.repl.meta import COMMANDS, find, is_meta, parse

_NAMES = ["help", "modules", "doc", "reload", "load", "time", "plugins", "quit", "exit"]


@pytest.mark.parametrize("name", _NAMES)
def test_the_commands_exist(name: str) -> None:
    assert find(name) is find(f":{name}") is not None


def test_names_are_unique() -> None:
    names = [name for command in COMMANDS for name in (command.name, *command.aliases)]

    assert len(names) == len(set(names))


def test_what_begins_with_a_colon_is_a_command() -> None:
    assert is_meta(" :help")
    assert not is_meta("a ? b :c")


def test_a_command_has_the_rest_of_the_line_as_its_argument() -> None:
    command, argument = parse("  :time  1 +  1 ")

    assert (command.name, argument) == ("time", "1 +  1")
    assert parse(":exit").command.name == "quit"


def test_an_unknown_command_is_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="there is no command :modlues") as caught:
        parse(":modlues")

    assert caught.value.__notes__ == ["hint: is it :modules?"]
    with pytest.raises(ConfigError) as caught:
        parse(":xyzxyz 1")
    assert caught.value.__notes__ == ["hint: :help lists them"]


def test_arguments_are_given_where_they_belong() -> None:
    with pytest.raises(ConfigError, match=":load needs its argument: :load FILE"):
        parse(":load ")
    with pytest.raises(ConfigError, match=":quit takes no argument"):
        parse(":quit now")
