"""The sources of documentation that every runtime has: the manifests of its plugins, and the host's help pages.

Source: go-go-goja pkg/docaccess/plugin and pkg/docaccess/glazed.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from .contract import ExportKind, ExportSpec, MethodSpec
from .dochub import HELP_SECTION, Entry, Ref, Source
from .registry import RegisteredModule

__all__ = ["help_page", "help_source", "plugin_source"]

_HELP, _PLUGINS = "default-help", "plugin-manifests"
_MODULE, _EXPORT, _METHOD = "plugin-module", "plugin-export", "plugin-method"
_KINDS = {ExportKind.FUNCTION: "EXPORT_KIND_FUNCTION", ExportKind.OBJECT: "EXPORT_KIND_OBJECT"}


def help_source(pages: Callable[[], Iterable[Entry]]) -> Source:
    """The source of the host's help pages; `help_page` makes them."""
    return Source(_HELP, "help", "Default Help", "Help pages of the command line", pages)


def help_page(slug: str, markdown: str, *, topics: Iterable[str] = ()) -> Entry:
    """The page `slug` of `help_source`: its title is the heading, its summary the first paragraph behind."""
    heading, _, text = markdown.partition("\n")
    return Entry(
        Ref(_HELP, HELP_SECTION, slug),
        heading.lstrip("# "),
        _summary(text),
        markdown,
        topics=tuple(topics),
        kind_label="Help Section",
        metadata={"slug": slug},
    )


def plugin_source(modules: Callable[[], Iterable[RegisteredModule]]) -> Source:
    """The source of all that the manifests of `modules()` tell."""

    def entries() -> Iterator[Entry]:
        for module in modules():
            yield from _module_entries(module)

    return Source(
        _PLUGINS, "plugin", "Plugin Manifests", "Runtime-scoped plugin metadata", entries, runtime_scoped=True
    )


def _module_entries(module: RegisteredModule) -> Iterator[Entry]:
    manifest = module.manifest
    module_ref = Ref(_PLUGINS, _MODULE, module.name)
    exports = [(export, Ref(_PLUGINS, _EXPORT, f"{module.name}/{export.name}")) for export in manifest.exports]
    yield Entry(
        module_ref,
        module.name,
        _summary(manifest.doc),
        manifest.doc,
        path=module.path,
        kind_label="Plugin Module",
        related=tuple(ref for _, ref in exports),
        metadata={
            "moduleName": module.name,
            "version": manifest.version,
            "capabilities": list(manifest.capabilities),
            "exportCount": len(exports),
            "runtimeScoped": True,
        },
    )
    for export, ref in exports:
        yield from _export_entries(module, module_ref, export, ref)


def _export_entries(module: RegisteredModule, module_ref: Ref, export: ExportSpec, ref: Ref) -> Iterator[Entry]:
    methods = [(method, Ref(_PLUGINS, _METHOD, f"{ref.id}.{method.name}")) for method in export.method_specs]
    yield Entry(
        ref,
        export.name,
        _summary(export.doc),
        export.doc,
        path=module.path,
        kind_label="Plugin Export",
        related=(module_ref, *(method_ref for _, method_ref in methods)),
        metadata={
            "moduleName": module.name,
            "exportName": export.name,
            "kind": _KINDS[export.kind],
            "methodCount": len(methods),
        },
    )
    for method, method_ref in methods:
        yield _method_entry(module, export, method, method_ref, (module_ref, ref))


def _method_entry(
    module: RegisteredModule, export: ExportSpec, method: MethodSpec, ref: Ref, related: tuple[Ref, ...]
) -> Entry:
    return Entry(
        ref,
        f"{export.name}.{method.name}",
        _summary(method.summary) or _summary(method.doc),
        method.doc,
        tags=method.tags,
        path=module.path,
        kind_label="Plugin Method",
        related=related,
        metadata={"moduleName": module.name, "exportName": export.name, "methodName": method.name},
    )


def _summary(text: str) -> str:
    """The first paragraph of `text`, or its first line if it is one paragraph."""
    paragraph, blank, _ = text.strip().partition("\n\n")
    return (paragraph if blank else paragraph.partition("\n")[0]).strip()
