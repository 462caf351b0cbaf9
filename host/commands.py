"""The verbs of the command line. Each prints its data, and raises what went wrong.

Rule: what can be refused without plugins is, before any is started.
"""
from __future__ import annotations

import json
import logging
import os
import platform
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from goplugin import __version__
from goplugin.core.errors import ConfigError

from .errors import NotFoundError
from .interrupts import Interrupts
from .render import json_text, table
from .report import callables, flat_name

if TYPE_CHECKING:
    from jsbridge.contract import ExportSpec
    from jsbridge.registry import RegisteredModule

    from .cli import Arguments
    from .runtime import Runtime

__all__ = ["execute"]


def execute(arguments: Arguments) -> None:
    """Do what `arguments.verb` says. Raises PluginError, and Interrupted at a signal or the time limit."""
    if arguments.verb == "version":
        _version(arguments)
        return
    from .runtime import Runtime

    _set_up_logging(arguments)
    verb = _VERBS[arguments.verb]
    with Interrupts(arguments.timeout) as interrupts:
        runtime = Runtime(
            arguments.plugin_dir,
            arguments.allow_plugin_module,
            strict=arguments.strict,
            call_timeout=arguments.call_timeout,
            start_timeout=arguments.start_timeout,
        )
        try:
            interrupts.call(lambda: verb(runtime, arguments))
        finally:
            runtime.close()


def _set_up_logging(arguments: Arguments) -> None:
    """Show the host's own warnings. What a plugin wrote is part of the errors where it matters."""
    handler = logging.NullHandler() if arguments.json else logging.StreamHandler()
    handler.addFilter(lambda record: not record.name.startswith("plugin."))
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s", handlers=[handler])


def _version(arguments: Arguments) -> None:
    from importlib import metadata

    versions = {
        "goplugin": __version__,
        "python": platform.python_version(),
        "dukpy": metadata.version("dukpy"),
        "grpclib": metadata.version("grpclib"),
    }
    print(json_text(versions) if arguments.json else "\n".join(f"{name} {text}" for name, text in versions.items()))


def _run(runtime: Runtime, arguments: Arguments) -> None:
    if not os.path.isfile(arguments.file):
        raise NotFoundError(f"there is no script {arguments.file}")
    runtime.load()
    runtime.run_file(arguments.file, arguments.args)


def _eval(runtime: Runtime, arguments: Arguments) -> None:
    runtime.load()
    if arguments.json:
        from jsbridge.engine import UNDEFINED

        value = runtime.eval(arguments.code)
        text = "" if value is UNDEFINED else json_text(value)
    else:
        text = runtime.engine.eval_text(arguments.code)
    if text:
        print(text)


def _call(runtime: Runtime, arguments: Arguments) -> None:
    values = [_json_argument(number, text) for number, text in enumerate(arguments.args, 1)]
    runtime.load()
    manifest = runtime.module(arguments.module).manifest
    names = {flat_name(name): name for name in callables(manifest)}
    export, method = names.get(arguments.export, (arguments.export, ""))
    print(json_text(runtime.call(arguments.module, export, method, values)))


def _json_argument(number: int, text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        error = ConfigError(f"argument {number} of the call is not JSON: {text}")
        error.add_note(f"hint: a string has its own quotes, inside those of the shell: '{json_text(text)}'")
        raise error from None


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _list(runtime: Runtime, arguments: Arguments) -> None:
    runtime.load()
    report = runtime.report
    left_out = [(each.path, each.reason) for each in (*report.skipped, *report.refused)]
    if arguments.json:
        listing: dict[str, Any] = {"modules": [_module_json(module) for module in runtime.modules]}
        if arguments.all:
            listing["directories"] = list(report.directories)
            listing["left_out"] = [{"path": path, "reason": reason} for path, reason in left_out]
        print(json_text(listing))
        return
    if report.loaded:
        rows = [(each.module_name, each.version, ", ".join(each.exports), each.path) for each in report.loaded]
        print(table([("MODULE", "VERSION", "EXPORTS", "PATH"), *rows]))
    else:
        print(report.summary(), file=sys.stderr)
    if arguments.all and left_out:
        print(("\n" if report.loaded else "") + table([("LEFT OUT", "REASON"), *left_out]))


def _module_json(module: RegisteredModule) -> dict[str, Any]:
    manifest = module.manifest
    return {
        "module": module.name,
        "version": manifest.version,
        "doc": manifest.doc,
        "capabilities": manifest.capabilities,
        "path": module.path,
        "exports": [_export_json(export) for export in manifest.exports],
    }


def _export_json(export: ExportSpec) -> dict[str, Any]:
    if not export.method_specs:
        return {"name": export.name, "kind": "function", "doc": export.doc}
    methods = [method._asdict() for method in export.method_specs]
    return {"name": export.name, "kind": "object", "doc": export.doc, "methods": methods}


_VERBS: dict[str, Callable[[Runtime, Arguments], None]] = {"run": _run, "eval": _eval, "list": _list, "call": _call}
