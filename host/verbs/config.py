"""`config [show] [--origin]`: the settings, and where they come from."""
from __future__ import annotations

from typing import TYPE_CHECKING

from ..render import json_text, table
from ..settings import DEFAULT, SETTINGS
from .base import Verb

if TYPE_CHECKING:
    from argparse import ArgumentParser

__all__ = ["Config"]

_ABOUT = "print every setting, as without it"


class Config(Verb):
    action: str
    origin: bool

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("action", metavar="show", nargs="?", choices=["show"], default="show", help=_ABOUT)
        about = "also by what it is set: a flag, a variable, a line of a file, or not at all"
        parser.add_argument("--origin", action="store_true", help=about)

    def run(self) -> None:
        values = self.settings._asdict()
        rows = [(each.name, values[each.attribute], self.configuration.origins[each.name]) for each in SETTINGS]
        if self.settings.json:
            entries = {name: {"value": value, "origin": origin} for name, value, origin in rows}
            plain = {name: value for name, value, _ in rows}
            print(json_text(entries if self.origin else plain))
            return
        # As goplugin.toml would have it; what is not set at all is a comment there.
        lines = [
            (f"{'# ' if value is None else ''}{name} = {json_text(value) if value is not None else '(no limit)'}",
             f"# {origin}" if origin != DEFAULT else "# default")
            for name, value, origin in rows
        ]
        print(table(lines) if self.origin else "\n".join(text for text, _ in lines))
