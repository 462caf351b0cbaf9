"""A store that lives as long as its process: state between calls, and plain typed functions as methods."""
from __future__ import annotations

from threading import Lock
from typing import Any

from jsbridge.sdk import Module, serve_module

module = Module(
    "plugin:examples:kv",
    version="v1",
    doc="Remembers texts between calls",
    capabilities=["examples", "stateful", "object-methods"],
)
store = module.object("store", doc="Keys and values, in the memory of the plugin's process")

entries: dict[str, str] = {}
lock = Lock()  # calls may come from several threads


@store.method(name="set", tags=["kv", "mutation"])
def put(key: str, value: str) -> dict[str, Any]:
    """Keep a text under a key"""
    with lock:
        entries[key] = value
        return {"key": key, "value": value, "size": len(entries)}


@store.method(tags=["kv", "lookup"])
def get(key: str) -> str | None:
    """Look up the text under a key; null if there is none"""
    with lock:
        return entries.get(key)


@store.method(tags=["kv", "mutation"])
def delete(key: str) -> dict[str, Any]:
    """Forget a key, and say whether it was there"""
    with lock:
        return {"deleted": entries.pop(key, None) is not None, "size": len(entries)}


@store.method(tags=["kv", "listing"])
def keys() -> list[str]:
    """List all keys in order"""
    with lock:
        return sorted(entries)


@store.method(tags=["kv", "mutation"])
def clear() -> dict[str, Any]:
    """Forget everything, and say how much that was"""
    with lock:
        cleared = len(entries)
        entries.clear()
        return {"cleared": cleared}


@store.method(tags=["kv", "stats"])
def size() -> int:
    """Count the entries"""
    with lock:
        return len(entries)


if __name__ == "__main__":
    serve_module(module)
