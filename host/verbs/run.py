"""`run FILE [ARG...]`: a script."""
from __future__ import annotations

import os
from typing import TYPE_CHECKING

from goplugin.core.errors import ConfigError

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
        if os.path.isfile(self.file):
            return
        if os.path.isdir(self.file):
            raise ConfigError(f"{self.file} is a directory, not a script")
        if self.file != "-" and not os.path.exists(self.file):
            raise NotFoundError(f"there is no script {self.file}")
        # A module has a place: what it requires is looked for beside it.
        error = ConfigError(f"{self.file} is not a file: a script is not read from stdin or a pipe")
        error.add_note('hint: write it to a file, or evaluate it: eval "$(cat)"')
        raise error

    def use(self, runtime: Runtime) -> None:
        runtime.run_file(self.file, self.args)
