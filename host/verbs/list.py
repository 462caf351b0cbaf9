"""`list [--all]`: the modules of all plugins; with `--all` also the load report."""
from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING, Any

from ..render import json_text, manifest_json, report_json, table
from .base import PluginVerb

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from ..report import LoadReport
    from ..runtime import Runtime

__all__ = ["List"]

_LEAST_EXPORTS = 16


class List(PluginVerb):
    all: bool

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--all", action="store_true", help="also what was left out, and why")

    def use(self, runtime: Runtime) -> None:
        report = runtime.report
        if self.settings.json:
            modules = [
                {**manifest_json(module.manifest, module.path), "kind": runtime.plugin(module.name).kind}
                for module in runtime.modules
            ]
            listing: dict[str, Any] = {"modules": modules}
            if self.all:
                listing |= report_json(report)
            print(json_text(listing))
            return
        if report.loaded:
            rows = [
                (each.module_name, each.version, each.kind, ", ".join(each.exports), each.path)
                for each in report.loaded
            ]
            print(table(_fitted([("MODULE", "VERSION", "KIND", "EXPORTS", "PATH"), *rows])))
        elif not self.all:
            self._say_nothing_is_there(report)
        if self.all:
            print("\n".join([*([""] if report.loaded else []), *report.detail_lines()]))

    def _say_nothing_is_there(self, report: LoadReport) -> None:
        from ..terminal import note

        note("\n".join([report.summary(), *(f"skipped: {skipped.short}" for skipped in report.skipped)]))


def _fitted(rows: list[tuple[str, str, str, str, str]]) -> list[tuple[str, str, str, str, str]]:
    """The rows with their exports cut so that a terminal shows each in a line, if that is possible."""
    if not sys.stdout.isatty():
        return rows
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    excess = sum(widths) + 2 * (len(widths) - 1) - shutil.get_terminal_size().columns
    room = max(widths[3] - max(excess, 0), _LEAST_EXPORTS)
    return [(name, version, kind, _cut(exports, room), path) for name, version, kind, exports, path in rows]


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else f"{text[: room - 1]}…"
