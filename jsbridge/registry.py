"""The plugin modules that `require` may find, and the names that are refused with a reason."""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

from goplugin.core.environ import go_quote

from .contract import ModuleManifest
from .manifest import ManifestError

__all__ = ["Invoke", "ModuleRegistry", "RegisteredModule"]


class Invoke(Protocol):
    """Calls one export of a module in its plugin process and waits for the answer.

    `method` is empty for a function export; `args` and the result are plain values (see values.py); `timeout` is in
    seconds, None for no limit. Raises RemoteError, or PluginLostError if the process is gone.
    """

    def __call__(self, export: str, method: str, args: list[Any], timeout: float | None) -> Any: ...


class RegisteredModule(NamedTuple):
    """One module: its validated manifest, the executable it comes from, and how it is called."""

    manifest: ModuleManifest
    path: str
    invoke: Invoke

    @property
    def name(self) -> str:
        return self.manifest.module_name


class ModuleRegistry:
    """Modules by name, in the order they were added; names are compared verbatim."""

    def __init__(self) -> None:
        self._modules: dict[str, RegisteredModule] = {}
        self._refusals: dict[str, str] = {}

    def add(self, module: RegisteredModule) -> None:
        """Register `module`. Raises ManifestError if another one has its name."""
        other = self._modules.setdefault(module.name, module)
        if other is not module:
            raise ManifestError(
                f"duplicate plugin module {go_quote(module.name)} discovered at "
                f"{go_quote(other.path)} and {go_quote(module.path)}"
            )

    def refuse(self, name: str, reason: str) -> None:
        """Make `require(name)` fail with `reason`, the whole text of the error, unless `name` is registered."""
        self._refusals[name] = reason

    def get(self, name: str) -> RegisteredModule | None:
        return self._modules.get(name)

    def refusal(self, name: str) -> str | None:
        """Why `name` is refused; None if it is not."""
        return self._refusals.get(name)

    def __iter__(self) -> Iterator[RegisteredModule]:
        return iter(self._modules.values())

    def __len__(self) -> int:
        return len(self._modules)
