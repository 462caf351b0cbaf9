"""`run FILE [ARG...]`: a script."""
from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..errors import NotFoundError
from .base import PluginVerb

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from ..runtime import Runtime

__all__ = ["Run"]


class Run(PluginVerb):
    file: str
    args: list[str]

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE", help="the script, a CommonJS module")
        about = "the script's arguments, in process.argv from 2 on"
        parser.add_argument("args", metavar="ARG", nargs="*", default=[], help=about)

    def prepare(self) -> None:
        if not os.path.isfile(self.file):
            raise NotFoundError(f"there is no script {self.file}")

    def use(self, runtime: Runtime) -> None:
        runtime.run_file(self.file, self.args)
