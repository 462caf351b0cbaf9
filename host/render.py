"""What the command line prints as data: values as JSON, tables, manifests. Text out; nothing is printed here."""
from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from jsbridge.contract import ExportSpec, ModuleManifest

    from .report import LoadReport

__all__ = ["failed", "json_text", "manifest_json", "report_json", "table"]


def json_text(value: Any) -> str:
    """`value` as JavaScript's JSON.stringify writes it, with blanks: 3.0 as 3, NaN and the infinities as null.

    Depth costs memory, not stack.
    """
    out: list[str] = []
    pending: list[Any] = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            pending += reversed(_members(cast("dict[str, Any]", item)))
        elif isinstance(item, (list, tuple)):
            pending += reversed(_items(cast("Sequence[Any]", item)))
        else:
            out.append(item if isinstance(item, _Written) else _scalar(item))
    return "".join(out)


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows in aligned columns, two blanks apart, without blanks at the ends of lines."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def manifest_json(manifest: ModuleManifest, path: str) -> dict[str, Any]:
    """What a module says of itself, for programs."""
    return {
        "module": manifest.module_name,
        "version": manifest.version,
        "doc": manifest.doc,
        "capabilities": manifest.capabilities,
        "path": path,
        "exports": [_export_json(export) for export in manifest.exports],
    }


def report_json(report: LoadReport) -> dict[str, Any]:
    """What the loading left out, for programs."""
    left_out = [(each.path, each.reason) for each in (*report.skipped, *report.refused)]
    left_out += failed(report)
    return {
        "summary": report.summary(),
        "directories": list(report.directories),
        "candidates": list(report.candidates),
        "left_out": [{"path": path, "reason": reason} for path, reason in left_out],
    }


def failed(report: LoadReport) -> list[tuple[str, str]]:
    """The path of each plugin that a failure left out, and the error."""
    pairs = ((path, each.error) for each in reversed(report.failures) for path in (each.path, each.other))
    errors = {path: str(error) for path, error in pairs}
    return [(path, errors[path]) for path in report.failed_paths]


def _export_json(export: ExportSpec) -> dict[str, Any]:
    if not export.method_specs:
        return {"name": export.name, "kind": "function", "doc": export.doc}
    methods = [method._asdict() for method in export.method_specs]
    return {"name": export.name, "kind": "object", "doc": export.doc, "methods": methods}


class _Written(str):
    """JSON already, among values that are still to be written."""

    __slots__ = ()


_COMMA = _Written(", ")


def _members(members: dict[str, Any]) -> list[Any]:
    parts: list[Any] = []
    for name, member in members.items():
        parts += (_COMMA, _Written(_scalar(name) + ": "), member)
    return [_Written("{"), *parts[1:], _Written("}")]


def _items(items: Sequence[Any]) -> list[Any]:
    parts: list[Any] = []
    for item in items:
        parts += (_COMMA, item)
    return [_Written("["), *parts[1:], _Written("]")]


def _scalar(value: str | float | bool | None) -> str:
    if isinstance(value, float):
        if not math.isfinite(value):
            return "null"
        if value.is_integer() and abs(value) < 1e21:  # where JavaScript, too, changes to an exponent
            return str(int(value))
    return json.dumps(value, ensure_ascii=False)
