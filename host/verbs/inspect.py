"""`inspect [MODULE|FILE]`: a module as signatures with documentation, and facts about what it runs in.

A FILE is a plugin by itself, wherever it is. One in WebAssembly need not be a JavaScript module: then its services are
shown. Without an argument it is the load report, in full.
"""
from __future__ import annotations

import os
import sys
import textwrap
from typing import TYPE_CHECKING, Any

from ..declarations import Signature, signature_of
from ..discovery import is_wasm
from ..errors import NotFoundError
from ..render import json_text, manifest_json, report_json
from ..terminal import Paint, width
from ..wasm_facts import inspect_file, inspection_json, inspection_lines, is_js_module
from .base import PluginVerb

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Iterator

    from goplugin.wasm import Inspection
    from jsbridge.contract import ExportSpec, ModuleManifest

    from ..plugin import RunningPlugin
    from ..runtime import Runtime

__all__ = ["Inspect"]


class Inspect(PluginVerb):
    what: str | None

    def add_arguments(self, parser: ArgumentParser) -> None:
        about = "a module's name, or a plugin's executable; without it, what loading the plugins found"
        parser.add_argument("what", metavar="MODULE|FILE", nargs="?", help=about)

    def prepare(self) -> None:
        if self.what is not None and (os.sep in self.what or os.path.isfile(self.what)):
            if not os.path.isfile(self.what):
                raise NotFoundError(f"there is no plugin {self.what}")
            self.plugin_files = (os.path.abspath(self.what),)

    def run(self) -> int | None:
        if self.what is not None and is_wasm(self.what) and os.path.isfile(self.what):
            inspection = inspect_file(self.what)
            if not is_js_module(inspection):
                self._show_file(inspection)
                return None
        return super().run()

    def _show_file(self, inspection: Inspection) -> None:
        if self.settings.json:
            print(json_text(inspection_json(inspection)))
        else:
            print("\n".join(inspection_lines(inspection, Paint(sys.stdout))))

    def use(self, runtime: Runtime) -> None:
        if self.what is None:
            self._show_report(runtime)
        elif self.plugin_files:
            (module,) = runtime.modules
            self._show_module(runtime.plugin(module.name))
        else:
            self._show_module(runtime.plugin(self.what))

    def _show_report(self, runtime: Runtime) -> None:
        report = runtime.report
        if self.settings.json:
            modules = [manifest_json(module.manifest, module.path) for module in runtime.modules]
            print(json_text({"modules": modules, **report_json(report)}))
        else:
            print("\n".join([report.summary(), "", *report.detail_lines()]))

    def _show_module(self, plugin: RunningPlugin) -> None:
        manifest = plugin.manifest
        if self.settings.json:
            about = manifest_json(manifest, plugin.path)
            for entry, export in zip(about["exports"], manifest.exports, strict=True):
                _add_signatures(entry, export, manifest)
            print(json_text({**about, "kind": plugin.kind, **plugin.facts}))
            return
        paint = Paint(sys.stdout)
        print("\n".join([*_head(manifest, paint), *_exports(manifest, paint), "", *_facts(plugin, paint)]))


def _add_signatures(entry: dict[str, Any], export: ExportSpec, manifest: ModuleManifest) -> None:
    if not export.method_specs:
        entry["signature"] = str(signature_of(manifest, export))
        return
    for about, method in zip(entry["methods"], export.method_specs, strict=True):
        about["signature"] = str(signature_of(manifest, export, method))


def _head(manifest: ModuleManifest, paint: Paint) -> Iterator[str]:
    yield f"{paint(manifest.module_name, 'bold', 'cyan')} {paint(manifest.version, 'dim')}".rstrip()
    yield from _doc(manifest.doc, "", paint)


def _exports(manifest: ModuleManifest, paint: Paint) -> Iterator[str]:
    apart = True
    for export in manifest.exports:
        tall = bool(export.doc or export.method_specs)
        if tall or apart:
            yield ""
        apart = tall
        if not export.method_specs:
            yield f"{paint(export.name, 'bold')}{_shown(signature_of(manifest, export))}"
            yield from _doc(export.doc, "    ", paint)
            continue
        yield paint(export.name, "bold")
        yield from _doc(export.doc, "    ", paint)
        for method in export.method_specs:
            tags = f"  [{', '.join(method.tags)}]" if method.tags else ""
            name = f"{export.name}.{paint(method.name, 'bold')}"
            yield f"  {name}{_shown(signature_of(manifest, export, method))}{paint(tags, 'yellow')}"
            yield from _doc(method.doc or method.summary, "      ", paint)


def _shown(signature: Signature) -> str:
    return str(signature) if signature.known else "(...)" if signature.result == "any" else f"(...): {signature.result}"


def _doc(text: str, indent: str, paint: Paint) -> Iterator[str]:
    room = width() - len(indent)
    for line in text.splitlines():
        for piece in textwrap.wrap(line, room) if len(line) > room else [line]:
            yield f"{indent}{paint(piece, 'dim')}".rstrip()


def _facts(plugin: RunningPlugin, paint: Paint) -> Iterator[str]:
    capabilities = ", ".join(plugin.manifest.capabilities) or "none"
    facts = {"path": plugin.path, "kind": plugin.kind, **plugin.facts, "capabilities": capabilities}
    for label, text in facts.items():
        yield f"{paint(f'{label}:'.ljust(14), 'dim')}{text}"
