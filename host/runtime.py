"""A JavaScript runtime and the plugin processes that belong to it.

Rule 1: the processes live as long as the runtime; whatever ends it ends them.
Rule 2: a module is registered whole or not at all. A plugin that does not load is left out and reported, and what
requires its module is told why; strictly, it fails the loading, and no module is registered.
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
from jsbridge.contract import NAMESPACE
from jsbridge.registry import ModuleRegistry, NativeModule, NativeRegistry, RegisteredModule

from .discovery import DEFAULT_ROOT, PATTERN, discover, plugin_directories
from .errors import LoadError, NotFoundError, PolicyError
from .launcher import PluginProcesses
from .loader import Loaded, Progress, load_plugins
from .plugin import RunningPlugin
from .report import Failure, LoadedModule, LoadReport, callables, flat_name

if TYPE_CHECKING:
    from jsbridge.dochub import DocHub
    from jsbridge.engine import Engine

    from .plugin_output import Show

__all__ = ["Runtime"]


class Runtime:
    """Plugins, their modules, and JavaScript that uses them.

    Use it as ``with Runtime() as runtime``: the body runs with every plugin started and every module registered, and
    at its end no process is left. `load` and `close` do the same by hand.

    `plugin_dirs` replace the default tree (host/discovery.py); `allow_modules`, unless empty, names the modules to
    register. `plugin_files` are executables to load instead of what directories have. `strict` makes an error of what
    would be left out: a file that cannot run, a plugin that does not load, a module not allowed. Times are in seconds;
    `call_timeout` also limits the reading of a manifest. `timeout` ends each script that takes longer, and `memory`
    (bytes) each that wants more, whatever it does: docs/javascript-limits.md. `show_output` is given every line that
    plugins log and print (host/plugin_output.py).
    """

    def __init__(
        self,
        plugin_dirs: Iterable[str] = (),
        allow_modules: Iterable[str] = (),
        *,
        plugin_files: Iterable[str] = (),
        strict: bool = False,
        call_timeout: float = 5.0,
        start_timeout: float = 10.0,
        timeout: float | None = None,
        memory: int | None = None,
        show_output: Show | None = None,
    ) -> None:
        self.report = LoadReport()
        """What the loading found; kept up to the point where it failed, too."""
        self.natives = NativeRegistry()
        """The modules of this process; `register_native` adds to them."""
        self.natives.add("docs", self._docs_module)
        self._plugin_dirs = tuple(plugin_dirs)
        self._plugin_files = tuple(plugin_files)
        self._allow = frozenset(name.strip() for name in allow_modules if name.strip())
        self._strict = strict
        self._call_timeout = call_timeout
        self._start_timeout = start_timeout
        self._timeout = timeout
        self._memory = memory
        self._show_output = show_output
        self._running: dict[str, RunningPlugin] = {}
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

    def load(self, progress: Progress | None = None) -> None:
        """Find, start and register the plugins. After a failure, `close` ends those that did start.

        Raises ConfigError the second time; and if strict, PolicyError for a file that is no plugin, LoadError for a
        plugin that cannot be used, and ManifestError for two with one module.
        """
        if self._registry is not None or self._processes is not None:
            raise ConfigError("the runtime has been loaded before; another loading takes another Runtime")
        try:
            self._registry = self._load(progress)
        except PluginError as error:
            failure = Failure(error.path if isinstance(error, LoadError) else "", "", error)
            self.report = attrs.evolve(self.report, failures=(*self.report.failures, failure))
            raise

    def _load(self, progress: Progress | None) -> ModuleRegistry:
        directories = () if self._plugin_files else plugin_directories(self._plugin_dirs)
        self.report = LoadReport(directories=directories)
        found = discover(directories, strict=self._strict)
        if self._plugin_files:
            found = attrs.evolve(found, candidates=self._plugin_files)
        self.report = attrs.evolve(self.report, candidates=found.candidates, skipped=found.skipped)
        if not found.candidates:
            return ModuleRegistry(self.natives)
        self._processes = PluginProcesses(
            start_timeout=self._start_timeout, call_timeout=self._call_timeout, show_output=self._show_output
        )
        loaded = load_plugins(
            found.candidates, self._processes, allow=self._allow, strict=self._strict, progress=progress
        )
        self._running = {plugin.manifest.module_name: plugin for plugin in loaded.plugins}
        modules = tuple(LoadedModule.of(plugin.path, plugin.manifest, plugin.kind) for plugin in loaded.plugins)
        self.report = attrs.evolve(
            self.report, loaded=modules, refused=loaded.refused, failures=loaded.failures
        )
        return _registry(loaded, self.natives)

    @property
    def modules(self) -> ModuleRegistry:
        """The registered modules. Raises ConfigError unless the runtime is loaded."""
        if self._registry is None:
            raise ConfigError("the runtime is not loaded: use it as `with Runtime() as runtime`")
        return self._registry

    def register_native(self, name: str, module: object) -> None:
        """Let scripts `require(name)` a module written in Python that lives in this process, at once or after `load`.

        `module` is a mapping or any other object with functions and plain values, or a Module of the SDK, as a plugin
        would serve it; jsbridge/native.py has the rules. Raises ConfigError for what cannot be one, and for a name that
        is taken or begins with "plugin:".
        """
        from jsbridge.native import native_module

        native = native_module(name, module)
        self.natives.add(name, lambda: native)

    @cached_property
    def docs(self) -> DocHub:
        """What there is to read: help pages, what plugins say, and sources added here. Scripts `require("docs")`."""
        from jsbridge.dochub import DocHub
        from jsbridge.docsources import help_page, help_source, plugin_source

        from .help import page, topics

        pages = help_source(lambda: [help_page(topic, page(topic)) for topic in topics()])
        return DocHub(pages, plugin_source(lambda: self._registry or ()))

    def _docs_module(self) -> NativeModule:
        from jsbridge.dochub import docs_module
        from jsbridge.native import native_module

        return native_module("docs", docs_module(self.docs))

    @cached_property
    def engine(self) -> Engine:
        """The JavaScript engine, made at its first use: in this process, or in a worker if there are limits."""
        if self._timeout is None and self._memory is None:
            from jsbridge.engine import DukpyEngine

            return DukpyEngine(self.modules, call_timeout=self._call_timeout, explain=self._explain)
        from jsbridge.worker import LimitedEngine

        return LimitedEngine(
            self.modules,
            timeout=self._timeout,
            memory=self._memory,
            call_timeout=self._call_timeout,
            explain=self._explain,
        )

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
        raise NotFoundError(f"Cannot find module '{name}'\n{self._explain(name)}") from self._failure_of(name)

    def plugin(self, name: str) -> RunningPlugin:
        """The plugin that a module belongs to. Raises what `module` raises."""
        return self._running[self.module(name).name]

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

    def _explain(self, name: str) -> str | PluginError:
        """Why its plugin was not loaded, or where a module that is not there was looked for."""
        failure = self._failure_of(name)
        if failure is not None:
            return failure
        directories = self.report.directories
        if not directories:
            return f"there is no directory {DEFAULT_ROOT} to search"
        lines = ["searched:", *(f"  {directory}" for directory in directories)]
        if self.report.failures:
            lines += ["not loaded:", *(f"  {path}" for path in self.report.failed_paths)]
        lines += [f"skipped: {skipped.short}" for skipped in self.report.skipped]
        return "\n".join(lines)

    def _failure_of(self, name: str) -> PluginError | None:
        """Why the plugin of that module was not loaded; None if there is no such plugin.

        One that did not come to tell its module's name is known by its file's, if that follows the custom:
        `goja-plugin-acme-math` for `plugin:acme:math`.
        """
        file_name = PATTERN.replace("*", name.removeprefix(NAMESPACE).replace(":", "-"))
        for failure in self.report.failures:
            file = os.path.basename(failure.path)
            if name == failure.module_name or (not failure.module_name and file in (file_name, f"{file_name}.py")):
                return failure.error
        return None


def _registry(loaded: Loaded, natives: NativeRegistry) -> ModuleRegistry:
    """The modules of all plugins that loaded."""
    registry = ModuleRegistry(natives)
    for plugin in loaded.plugins:
        registry.add(RegisteredModule(plugin.manifest, plugin.path, plugin.invoke))
    for refused in loaded.refused:
        registry.refuse(refused.module_name, refused.reason)
    return registry
