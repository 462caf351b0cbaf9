"""A module for tests that need no plugin, only what one says of itself."""
from __future__ import annotations

from jsbridge.contract import ExportKind, ExportSpec, MethodSpec, ModuleManifest

__all__ = ["KV", "PAD"]

_DOC = "get(key: str, fallback: str | None = None) -> str | None\n\nRead a key."
_GET = MethodSpec("get", "Read a key", _DOC, ("kv",))
_SET = MethodSpec("set", "", "Write a key.\nIt may exist.")
KV = ModuleManifest(
    "plugin:kv",
    "v1",
    (
        ExportSpec("store", ExportKind.OBJECT, "Keeps texts", (_GET, _SET)),
        ExportSpec("echo", ExportKind.FUNCTION, "echo(value)\nGive it back"),
    ),
    (),
    "A key/value store\n\nof texts",
)
PAD = ModuleManifest("plugin:pad", "v1", (ExportSpec("left", ExportKind.FUNCTION, "left(*texts: str) -> str"),))
