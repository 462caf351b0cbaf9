"""A JavaScript runtime and the plugin processes that belong to it.

Rule 1: the processes live as long as the runtime; whatever ends it ends them.
Rule 2: either every module that may be registered is, or the loading has failed and none is.
Rule 3: JavaScript is made when it is first needed; modules can be listed and called without it.
Source: go-go-goja pkg/hashiplugin/host, RuntimeSetup and the registrar.
"""
from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import attrs

from goplugin.core.environ import go_quote
from goplugin.core.errors import ConfigError, PluginError
from jsbridge.registry import ModuleRegistry, RegisteredModule

from .discovery import DEFAULT_ROOT, discover, plugin_directories
from .errors import NotFoundError, PolicyError
from .launcher import PluginProcesses
from .loader import Loaded, load_plugins
from .report import LoadedModule, LoadReport, callables, flat_name

if TYPE_CHECKING:
    from jsbridge.engine import DukpyEngine

__all__ = ["Runtime"]


class Runtime:
    """Plugins, their modules, and JavaScript that uses them.

    Use it as ``with Runtime() as runtime``: the body runs with every plugin started and every module registered, and
    at its end no process is left. `load` and `close` do the same by hand.

    `plugin_dirs` replace the default tree (host/discovery.py); `allow_modules`, unless empty, names the modules to
    register. `strict` makes an error of what would be skipped: a file that cannot run, a module not allowed. Times are
    in seconds; `call_timeout` also limits the reading of a manifest.
    """

    def __init__(
        self,
        plugin_dirs: Iterable[str] = (),
        allow_modules: Iterable[str] = (),
        *,
        strict: bool = False,
        call_timeout: float = 5.0,
        start_timeout: float = 10.0,
    ) -> None:
        self.report = LoadReport()
        """What the loading found; kept up to the point where it failed, too."""
        self._plugin_dirs = tuple(plugin_dirs)
        self._allow = frozenset(name.strip() for name in allow_modules if name.strip())
        self._strict = strict
        self._call_timeout = call_timeout
        self._start_timeout = start_timeout
        self._processes: PluginProcesses | None = None
        self._registry: ModuleRegistry | None = None

    def __enter__(self) -> Runtime:
        try:
            self.load()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def load(self) -> None:
        """Find, start and register the plugins. After a failure, `close` ends those that did start.

        Raises PolicyError for a file that strictness refuses, LoadError for a plugin that cannot be used,
        ManifestError for two with one module, and ConfigError the second time.
        """
        if self._registry is not None or self._processes is not None:
            raise ConfigError("the runtime has been loaded before; another loading takes another Runtime")
        try:
            self._registry = self._load()
        except PluginError as error:
            self.report = self.report.with_error(str(error))
            raise

    def _load(self) -> ModuleRegistry:
        directories = plugin_directories(self._plugin_dirs)
        self.report = LoadReport(directories=directories)
        found = discover(directories, strict=self._strict)
        self.report = attrs.evolve(self.report, candidates=found.candidates, skipped=found.skipped)
        if not found.candidates:
            return ModuleRegistry()
        self._processes = PluginProcesses(start_timeout=self._start_timeout, call_timeout=self._call_timeout)
        loaded = load_plugins(found.candidates, self._processes, allow=self._allow, strict=self._strict)
        registry = _registry(loaded)
        modules = tuple(LoadedModule.of(module.path, module.manifest) for module in registry)
        self.report = attrs.evolve(self.report, loaded=modules, refused=loaded.refused)
        return registry

    @property
    def modules(self) -> ModuleRegistry:
        """The registered modules. Raises ConfigError unless the runtime is loaded."""
        if self._registry is None:
            raise ConfigError("the runtime is not loaded: use it as `with Runtime() as runtime`")
        return self._registry

    @cached_property
    def engine(self) -> DukpyEngine:
        """The JavaScript engine, made at its first use."""
        from jsbridge.engine import DukpyEngine

        return DukpyEngine(self.modules, call_timeout=self._call_timeout, explain=self._explain)

    def eval(self, code: str) -> Any:
        """The value of the last expression of `code`, run in the global scope. Raises JSError."""
        return self.engine.eval(code)

    def run_file(self, path: str | os.PathLike[str], argv: Sequence[str] = ()) -> None:
        """Run a CommonJS script; `argv` are its arguments. Raises JSError."""
        self.engine.run_file(path, argv)

    def module(self, name: str) -> RegisteredModule:
        """The module of that name. Raises NotFoundError, PolicyError for one outside the allowlist."""
        module = self.modules.get(name)
        if module is not None:
            return module
        refusal = self.modules.refusal(name)
        if refusal is not None:
            raise PolicyError(refusal)
        raise NotFoundError(f"Cannot find module '{name}'\n{self._explain(name)}")

    def call(self, module: str, export: str, method: str = "", args: Sequence[Any] = ()) -> Any:
        """Call one export of a module without JavaScript; `method` is empty for a function.

        Raises what `module` raises, NotFoundError for an export that is not there, RemoteError if the plugin answers
        with an error, PluginLostError if it is gone.
        """
        registered = self.module(module)
        known = list(callables(registered.manifest))
        if (export, method) not in known:
            error = NotFoundError(f"module {go_quote(module)} has no export {go_quote(flat_name((export, method)))}")
            error.add_note(f"exports: {', '.join(map(flat_name, known))}")
            raise error
        return registered.invoke(export, method, list(args), self._call_timeout)

    def close(self) -> None:
        """End every plugin process, and free JavaScript's memory; returns when they are gone. Idempotent."""
        if self._processes is not None:
            self._processes.close()
        engine = self.__dict__.get("engine")
        if engine is not None:
            engine.close()

    def _explain(self, name: str) -> str:
        """Where a module that is not there was looked for."""
        directories = self.report.directories
        if not directories:
            return f"there is no directory {DEFAULT_ROOT} to search"
        return "\n".join(["searched:", *(f"  {directory}" for directory in directories)])


def _registry(loaded: Loaded) -> ModuleRegistry:
    """The modules of all plugins. Raises ManifestError if two have one name."""
    registry = ModuleRegistry()
    for plugin in loaded.plugins:
        registry.add(RegisteredModule(plugin.manifest, plugin.path, plugin.invoke))
    for refused in loaded.refused:
        registry.refuse(refused.module_name, refused.reason)
    return registry
