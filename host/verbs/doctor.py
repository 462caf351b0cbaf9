"""`doctor`: a checkup, with what to do about each finding; code 1 if anything is wrong."""
from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..render import json_text, report_json
from ..terminal import Paint
from .base import PluginVerb

if TYPE_CHECKING:
    from ..executables import Finding
    from ..report import LoadReport
    from ..runtime import Runtime

__all__ = ["Doctor"]

_BAD = 1
_COLOURS = {"ok": "green", "note": "blue", "warning": "yellow", "error": "red"}
_WIDTH = max(map(len, _COLOURS)) + 2


class Doctor(PluginVerb):
    def __init__(self) -> None:
        self._found: list[tuple[str, Finding]] = []

    def run(self) -> int | None:
        from .. import doctor

        # Each section is printed as soon as it is known: a plugin that hangs is the last thing that is waited for.
        if self._add("environment", doctor.environment()):
            return self._end(None)  # without its packages nothing can be loaded
        self._add("directories", doctor.directories(self.settings.plugin_dir))
        self._add("files", doctor.files(self.settings.plugin_dir))
        self._add("sockets", doctor.sockets())
        self.configuration = self.configuration._replace(settings=self.settings._replace(strict=False))
        return super().run()

    def tell(self, report: LoadReport) -> None:
        """Nothing: it is among the findings."""

    def use(self, runtime: Runtime) -> int | None:
        from .. import doctor

        faulty = {finding.path for _, finding in self._found if finding.level == "error"}
        allow = self.settings.allow_plugin_module
        self._add("plugins", doctor.plugins(runtime.report, allow, faulty=faulty))
        return self._end(runtime.report)

    def _add(self, section: str, findings: Iterator[Finding]) -> bool:
        """Print the findings of a section. Whether there is an error among them."""
        paint = Paint(sys.stdout)
        found = list(findings)
        self._found += [(section, finding) for finding in found]
        if found and not self.settings.json:
            print(paint(section, "bold"))
            for finding in found:
                first, *others = finding.text.splitlines()
                print(f"  {paint(finding.level.ljust(_WIDTH), _COLOURS[finding.level])}{first}")
                for line in others:
                    print(f"  {' ' * _WIDTH}{line}".rstrip())
                if finding.fix:
                    print(f"  {' ' * _WIDTH}{paint('fix: ' + finding.fix, 'cyan')}")
        return any(finding.level == "error" for finding in found)

    def _end(self, report: LoadReport | None) -> int | None:
        errors, warnings = (self._count(level) for level in ("error", "warning"))
        if self.settings.json:
            entries = [{"section": section, **finding._asdict()} for section, finding in self._found]
            more = {} if report is None else {"report": report_json(report)}
            print(json_text({"errors": errors, "warnings": warnings, "findings": entries, **more}))
        else:
            print(f"\n{_counted(errors, 'error')}, {_counted(warnings, 'warning')}")
        return _BAD if errors else None

    def _count(self, level: str) -> int:
        return sum(finding.level == level for _, finding in self._found)


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
