"""What a host cannot want of a plugin."""
from __future__ import annotations

import pytest

from goplugin import ConfigError

from .harness import probe_config


def test_without_a_command_there_is_nothing_to_launch() -> None:
    with pytest.raises(ConfigError, match=r"^exactly one of Cmd, or Reattach, or RunnerFunc must be set$"):
        probe_config(command=())


def test_a_command_is_no_text() -> None:
    with pytest.raises(ConfigError, match=r"^command is a text: .* \['sleep'\]$"):
        probe_config(command="sleep")


@pytest.mark.parametrize("changes", [{"plugins": None}, {"plugins": None, "versioned_plugins": {}}])
def test_without_plugins_there_is_nothing_to_dispense(changes: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=r"^give plugins or versioned_plugins"):
        probe_config(**changes)
