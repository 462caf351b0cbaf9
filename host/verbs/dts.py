"""`dts MODULE [--check FILE]`: TypeScript declarations."""
from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import NotFoundError
from ..render import json_text
from .base import PluginVerb

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from ..runtime import Runtime

__all__ = ["Dts"]

_DIFFERS = 1


class Dts(PluginVerb):
    module: str
    check: str | None

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("module", metavar="MODULE", help="the module's name, plugin:...")
        about = "print nothing if FILE has just these declarations; the difference, and code 1, if not"
        parser.add_argument("--check", metavar="FILE", help=about)

    def use(self, runtime: Runtime) -> int | None:
        from ..declarations import declarations

        text = declarations(runtime.module(self.module).manifest)
        if self.check is not None:
            return self._compare(self.check, text)
        print(json_text({"module": self.module, "declarations": text}) if self.settings.json else text.rstrip("\n"))
        return None

    def _compare(self, path: str, wanted: str) -> int | None:
        from difflib import unified_diff

        from ..terminal import note

        try:
            with open(path, encoding="utf-8") as file:
                found = file.read()
        except OSError as error:
            raise NotFoundError(f"{path}: {error.strerror}") from error
        difference = [*unified_diff(found.splitlines(), wanted.splitlines(), path, self.module, lineterm="")]
        if self.settings.json:
            print(json_text({"module": self.module, "file": path, "same": not difference, "difference": difference}))
        elif difference:
            print("\n".join(difference))
            note(f"error: {path} is out of date: write it again with `python -m host dts {self.module}`")
        return _DIFFERS if difference else None
