"""The modules that `require` may find, of plugins and of this process, and the names that are refused with a reason."""
from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from goplugin.core.environ import go_quote
from goplugin.core.errors import ConfigError, PluginError

from .contract import NAMESPACE, ModuleManifest
from .manifest import ManifestError

if TYPE_CHECKING:
    from .cancellation import Cancellation
    from .module import Shape

__all__ = ["Invoke", "ModuleRegistry", "NativeError", "NativeModule", "NativeRegistry", "RegisteredModule"]


class Invoke(Protocol):
    """Calls one export of a module in its plugin process and waits for the answer; any number of threads may.

    `method` is empty for a function export; `args` and the result are plain values (see values.py); `timeout` is in
    seconds, None for no limit. An asynchronous call comes with `cancel`: once that is cancelled its answer is dropped,
    and who can ends the call. Raises RemoteError, or PluginLostError if the process is gone; a module of this process
    raises NativeError.
    """

    def __call__(
        self, export: str, method: str, args: list[Any], timeout: float | None, cancel: Cancellation | None = None
    ) -> Any: ...


class RegisteredModule(NamedTuple):
    """One module: its validated manifest, the executable it comes from, and how it is called."""

    manifest: ModuleManifest
    path: str
    invoke: Invoke

    @property
    def name(self) -> str:
        return self.manifest.module_name


class NativeModule(Protocol):
    """A module of this process (native.py makes them).

    `manifest` lists its functions; `shape` all that it exports, as `module_shape` describes it, where a value that is
    no function stands as `{"value": ...}`.
    """

    name: str
    manifest: ModuleManifest

    def shape(self, bind: Callable[[str, str], str]) -> Shape: ...
    def invoke(
        self, export: str, method: str, args: list[Any], timeout: float | None, cancel: Cancellation | None = None
    ) -> Any: ...


class NativeError(PluginError):
    """A function of a native module raised; `name` and `code` are for the Error in the script, `__cause__` is what."""

    def __init__(self, text: str, *, name: str, code: str | None = None) -> None:
        super().__init__(text)
        self.name = name
        self.code = code


class NativeRegistry:
    """Native modules by name, each made when it is first asked for."""

    def __init__(self) -> None:
        self._makers: dict[str, Callable[[], NativeModule]] = {}
        self._modules: dict[str, NativeModule] = {}

    def add(self, name: str, make: Callable[[], NativeModule]) -> None:
        """Register the module that `make()` will give.

        Raises ConfigError for a name that is taken, or that `require` would read as a plugin's or as a path.
        """
        if name.startswith(NAMESPACE):
            raise ConfigError(f"native module {go_quote(name)} must not use namespace {go_quote(NAMESPACE)}")
        if not name or name.startswith(".") or os.path.isabs(name):
            raise ConfigError(f"native module {go_quote(name)} has a name that stands for a file")
        if self._makers.setdefault(name, make) is not make:
            raise ConfigError(f"native module {go_quote(name)} is registered already")

    def get(self, name: str) -> NativeModule | None:
        if name not in self._modules and name in self._makers:
            self._modules[name] = self._makers[name]()
        return self._modules.get(name)

    def __contains__(self, name: str) -> bool:
        return name in self._makers

    def __iter__(self) -> Iterator[str]:
        """The names, in the order they were added."""
        return iter(self._makers)


class ModuleRegistry:
    """The modules of plugins by name, in the order they were added, and `natives`; names are compared verbatim."""

    def __init__(self, natives: NativeRegistry | None = None) -> None:
        self.natives = NativeRegistry() if natives is None else natives
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
