"""A host for JavaScript that uses plugins: discovery, loading, the runtime, and the command line on top of them.

The names below are loaded on first use: the command line must not pay for what a verb does not need.
"""
from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .errors import Interrupted, LoadError, NotFoundError, PolicyError
    from .report import LoadReport
    from .runtime import Runtime

__all__ = ["Interrupted", "LoadError", "LoadReport", "NotFoundError", "PolicyError", "Runtime"]

_HOMES = {"LoadReport": "report", "Runtime": "runtime"}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_HOMES.get(name, 'errors')}", __name__), name)
    globals()[name] = value
    return value
