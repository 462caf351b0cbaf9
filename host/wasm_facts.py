"""What a WebAssembly file says of itself: `inspect FILE.wasm`. It is started for that, and allowed nothing."""
from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from .terminal import Paint

if TYPE_CHECKING:
    from goplugin.wasm import Inspection

__all__ = ["inspect_file", "inspection_json", "inspection_lines", "is_js_module"]

_JS_MODULE = "js_module_service"


def inspect_file(path: str) -> Inspection:
    """Raises LaunchError for a file that is no module, and ConfigError without the wasmtime package."""
    from goplugin.wasm import Module, WasmConfig

    return Module.load(path, WasmConfig(cache_dir="")).inspect()


def is_js_module(inspection: Inspection) -> bool:
    """Whether a script can require it."""
    return any(service.name == _JS_MODULE for service in inspection.services)


def inspection_lines(inspection: Inspection, paint: Paint) -> Iterator[str]:
    """For people: services with their methods, what it imports, and who made it."""
    yield f"{paint(inspection.name, 'bold', 'cyan')} {paint(f'{inspection.size} bytes', 'dim')}"
    # Names are what the file says, and it may say what a terminal would obey.
    for service in inspection.services:
        version = "not known: it did not start alone" if service.version is None else f"version {service.version}"
        yield ""
        yield f"{paint(_shown(service.name), 'bold')} {paint(version, 'dim')}"
        yield from (f"  {_shown(method)}" for method in service.methods)
    if not inspection.services:
        yield "no services: nothing is exported whose name ends in _api_version"
    yield ""
    for label, text in _facts(inspection).items():
        yield f"{paint(f'{label}:'.ljust(14), 'dim')}{_shown(text)}"


def inspection_json(inspection: Inspection) -> dict[str, Any]:
    """The same for programs."""
    return {
        "file": inspection.name,
        "kind": "wasm",
        "size": inspection.size,
        "services": [attrs.asdict(service) for service in inspection.services],
        "imports": [{"module": module, "name": name} for module, name in inspection.imports],
        "exports": list(inspection.exports),
        "producers": {field: list(names) for field, names in inspection.producers.items()},
    }


def _facts(inspection: Inspection) -> Mapping[str, str]:
    modules: dict[str, list[str]] = {}
    for module, name in inspection.imports:
        modules.setdefault(module, []).append(name)
    imports = "; ".join(f"{module}: {', '.join(names)}" for module, names in modules.items())
    made_by = "; ".join(f"{field} {', '.join(names)}" for field, names in inspection.producers.items())
    return {"imports": imports or "nothing", "toolchain": made_by or "not said"}


def _shown(text: str) -> str:
    return text if text.isprintable() else ascii(text)
