"""What a module's manifest must be like; the host checks what it gets, the SDK what it is about to offer.

Rule 1: the first failure is the one reported, in the order of this file and in go-go-goja's words.
Rule 2: names are compared without the white space around them, and are otherwise any text: a property of a JavaScript
object may have any name.
Source: go-go-goja pkg/hashiplugin/contract, ValidateManifest.
"""
from __future__ import annotations

from collections.abc import Collection

from goplugin.core.environ import go_quote
from goplugin.core.errors import PluginError

from .contract import NAMESPACE, ExportKind, ExportSpec, MethodSpec, ModuleManifest

__all__ = ["ManifestError", "validate_manifest"]


class ManifestError(PluginError):
    """A module's manifest is not one that a host takes."""


def validate_manifest(
    manifest: ModuleManifest | None,
    *,
    namespace: str = NAMESPACE,
    allow: Collection[str] = (),
) -> None:
    """Check `manifest`; `allow` names the modules that may be registered, and if it is empty, all may.

    Raises ManifestError for what is wrong first.
    """
    if manifest is None:
        raise ManifestError("plugin manifest is nil")
    name = manifest.module_name.strip()
    if not name:
        raise ManifestError("plugin manifest module name is empty")
    module = go_quote(name)
    if not name.startswith(namespace):
        raise ManifestError(f"plugin module {module} must use namespace {go_quote(namespace)}")
    if allow and name not in (allowed.strip() for allowed in allow):
        raise ManifestError(f"plugin module {module} is not in the allowlist")
    _check_exports(manifest.exports, module)


def _check_exports(exports: tuple[ExportSpec, ...], module: str) -> None:
    seen: set[str] = set()
    for export in exports:
        name = export.name.strip()
        if not name:
            raise ManifestError(f"plugin module {module} has an export with empty name")
        if name in seen:
            raise ManifestError(f"plugin module {module} has duplicate export {go_quote(name)}")
        seen.add(name)
        _check_kind(export, go_quote(name), module)


def _check_kind(export: ExportSpec, name: str, module: str) -> None:
    if export.kind == ExportKind.FUNCTION:
        if export.method_specs:
            raise ManifestError(f"function export {name} in module {module} must not define methods")
    elif export.kind == ExportKind.OBJECT:
        if not export.method_specs:
            raise ManifestError(f"object export {name} in module {module} must define methods")
        _check_methods(export.method_specs, name, module)
    elif export.kind == ExportKind.UNSPECIFIED:
        raise ManifestError(f"plugin module {module} export {name} has unspecified kind")
    else:
        raise ManifestError(f'plugin module {module} export {name} has unsupported kind "{export.kind}"')


def _check_methods(methods: tuple[MethodSpec, ...], export: str, module: str) -> None:
    seen: set[str] = set()
    for method in methods:
        name = method.name.strip()
        if not name:
            raise ManifestError(f"object export {export} in module {module} has an empty method name")
        if name in seen:
            raise ManifestError(f"object export {export} in module {module} has duplicate method {go_quote(name)}")
        seen.add(name)
