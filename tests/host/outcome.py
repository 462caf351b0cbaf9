"""What a command line did, for the tests of the verbs."""
from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

__all__ = ["Outcome", "RunHost"]


class Outcome:
    """Its exit code, and what it printed."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code = code
        self.out = out
        self.err = err

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def error(self) -> Any:
        """The error object of --json."""
        return json.loads(self.err)["error"]


RunHost = Callable[..., Outcome]
"""Runs a command line that looks for plugins in the fixture `directory`."""
