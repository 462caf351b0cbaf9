"""`eval CODE`: the value of its last expression."""
from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from ..render import json_text
from .base import PluginVerb

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from ..runtime import Runtime

__all__ = ["Eval"]


class Eval(PluginVerb):
    code: str

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("code", metavar="CODE", help="JavaScript; undefined prints nothing")

    def use(self, runtime: Runtime) -> None:
        if self.settings.json:
            from jsbridge.engine import UNDEFINED

            value = runtime.eval(self.code)
            text = "" if value is UNDEFINED else json_text(value)
        else:
            text = runtime.engine.eval_text(self.code)
        if text:
            sys.stdout.write(f"{text}\n")  # in one piece even where nothing is buffered
