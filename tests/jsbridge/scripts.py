"""JavaScript engines for tests, with modules that live in this process: their `invoke` is the real interface."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jsbridge.cancellation import Cancellation
from jsbridge.contract import ExportKind, ExportSpec, MethodSpec, ModuleManifest
from jsbridge.engine import DukpyEngine, JSError
from jsbridge.registry import ModuleRegistry, RegisteredModule


class Session:
    """An engine, what its modules were called with, and what its scripts printed.

    It comes with two modules: `plugin:echo`, whose `echo` returns its argument, and `plugin:result`.
    """

    def __init__(self, **options: Any) -> None:
        self.registry = ModuleRegistry()
        self.calls: list[tuple[str, str, list[Any], float | None]] = []
        self.cancellations: list[Cancellation | None] = []
        self.stdout: list[str] = []
        self.stderr: list[str] = []
        self.engine = DukpyEngine(self.registry, stdout=self.stdout.append, stderr=self.stderr.append, **options)
        self.result: Any = None
        self.install("plugin:result", get=lambda: self.result)
        self.install("plugin:echo", echo=lambda *args: args[0] if args else None)

    def install(self, name: str, **functions: Callable[..., Any]) -> None:
        """Register a module whose exports are `functions`; `object__method` is a method."""
        self.register(name, {tuple(path.split("__")): function for path, function in functions.items()})

    def register(self, name: str, functions: dict[tuple[str, ...], Callable[..., Any]]) -> None:
        exports: dict[str, list[MethodSpec]] = {}
        for export, *method in functions:
            exports.setdefault(export, []).extend(MethodSpec(name=part) for part in method)
        manifest = ModuleManifest(
            module_name=name,
            exports=tuple(
                ExportSpec(export, ExportKind.OBJECT if methods else ExportKind.FUNCTION, method_specs=tuple(methods))
                for export, methods in exports.items()
            ),
        )

        def invoke(
            export: str, method: str, args: list[Any], timeout: float | None, cancel: Cancellation | None = None
        ) -> Any:
            self.calls.append((export, method, args, timeout))
            self.cancellations.append(cancel)
            return functions[(export, method) if method else (export,)](*args)

        self.registry.add(RegisteredModule(manifest, f"/plugins/{name}", invoke))

    def sent(self, expression: str) -> Any:
        """What `expression` is when it arrives in a plugin as an argument."""
        self.engine.eval(f"require('plugin:echo').echo({expression}); null")
        return self.calls[-1][2][0]

    def received(self, value: Any, expression: str) -> Any:
        """What the script sees as `value`: the result of `expression`, when a plugin returns `value`."""
        self.result = value
        return self.engine.eval(f"var value = require('plugin:result').get(); {expression}")

    def error(self, code: str) -> JSError:
        """The error that ends `code`."""
        try:
            result = self.engine.eval(code)
        except JSError as error:
            return error
        raise AssertionError(f"no error, but {result!r}")
