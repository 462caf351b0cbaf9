"""Functions of the host that are ready to be offered: each makes a HostModule, and a plugin has none that it is not
given.

Their services are in proto/goplugin/wasm/v1, to be compiled with a plugin's own files: `log_to` is Log, `http_get` is
Http, `clock` is Clock. All are of the host module `goplugin`. Their messages contain those of upstream's example of
host functions, so with ``module="env"`` that plugin finds HttpGet and Log as it knows them.
"""
from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .http import http_get
    from .log import log_to
    from .time import clock

__all__ = ["clock", "http_get", "log_to"]

_HOMES = {"clock": "time", "http_get": "http", "log_to": "log"}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
