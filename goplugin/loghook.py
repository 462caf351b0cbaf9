"""A plugin's log handler, installed when something first imports `logging`.

The standard library's logging is a seventh of the start of a plugin that logs nothing, and most plugins have logged
nothing by their first reply. So unless it is loaded already, a finder at the head of `sys.meta_path` waits for it.
"""
from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.abc import Loader
    from types import ModuleType

__all__ = ["send_logs_to_host"]


def send_logs_to_host() -> None:
    """Have what the root logger gets sent to the host, at the latest when there is a root logger."""
    if "logging" in sys.modules:
        _install_log_handler()
    else:
        sys.meta_path.insert(0, _LoggingFinder())


def _install_log_handler() -> None:
    from .logs import install_log_handler

    install_log_handler()


class _LoggingFinder:
    """Finds `logging`, once, where everybody else would find it."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != "logging":
            return None
        sys.meta_path.remove(self)
        spec = find_spec(name)
        if spec is not None and spec.loader is not None:
            spec.loader = cast("Loader", _LoggingLoader(spec.loader))
        return spec


class _LoggingLoader:
    """Loads `logging` as `loader` does, and installs the handler before the importing module goes on."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self._loader    # what the module says of itself is as ever
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        _install_log_handler()
