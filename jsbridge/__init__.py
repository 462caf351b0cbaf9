"""JavaScript modules that live in other processes.

A plugin author needs `jsbridge.sdk` and nothing else here. A host needs `jsbridge.plugin` (the contract over
go-plugin), `jsbridge.manifest`, `jsbridge.registry` and `jsbridge.engine` (JavaScript itself, on dukpy).
"""
from __future__ import annotations

__all__: list[str] = []
