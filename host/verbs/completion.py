"""`completion bash|zsh|fish`: the completions of a shell, to be evaluated there."""
from __future__ import annotations

from typing import TYPE_CHECKING

from ..completions import SHELLS, completion
from ..render import json_text
from .base import Verb

if TYPE_CHECKING:
    from argparse import ArgumentParser

__all__ = ["Completion"]


class Completion(Verb):
    shell: str

    def add_arguments(self, parser: ArgumentParser) -> None:
        about = f"{', '.join(SHELLS)}: eval \"$(python -m host completion bash)\" in ~/.bashrc, for example"
        parser.add_argument("shell", metavar="SHELL", choices=SHELLS, help=about)

    def run(self) -> None:
        script = completion(self.shell)
        print(json_text({"shell": self.shell, "script": script}) if self.settings.json else script.rstrip("\n"))
