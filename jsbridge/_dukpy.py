"""dukpy's QuickJS, by its C extension alone: every touch of dukpy's private parts is here.

What is used of dukpy 0.6: `create_context()`, `eval_string(interpreter, code, variables_json, as_module, name)` and
the attributes that C code reads from the interpreter object: `_ctx`, `_check_exported_function_exists` and
`_call_python` behind the global `call_python`, `_normalize_module` and `loader` behind `import()`.

Facts that shape this module, from dukpy's C sources and by experiment:
- The package's `__init__` imports an npm installer with urllib, tarfile and ssl (22 ms): the extension is loaded alone.
- `eval_string` runs a full garbage collection, twice: one call per evaluation, none per plugin call.
- An exception raised in `_call_python` becomes an InternalError that a script may catch, and is lost: `dispatch` must
  not raise. A signal handler that runs as the call enters it still may; only the exception's repr is left of that.
- A signal handler that raises while JavaScript runs ends the script, uncatchably. One that runs as dukpy polls
  signals around a Python call leaves its exception pending, and the script goes on; if the script then ends well,
  `eval_string` "returned a result with an exception set": a SystemError with that exception as its cause.
- The stack limit of 1 MiB is measured from where `eval_string` was called, so one interpreter may be used by many
  threads, but only by one at a time.
- The heap holds 128 MiB; when it is full, the error thrown is often the value null.
"""
from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from typing import Any, Protocol, cast

__all__ = ["Interpreter", "JSRuntimeError"]


class _Extension(Protocol):
    JSRuntimeError: type[Exception]

    def create_context(self) -> object: ...
    def eval_string(self, interpreter: object, code: bytes, variables: bytes, /) -> bytes | None: ...


def _load_extension() -> _Extension:
    name = "dukpy._dukpy"
    if name not in sys.modules:
        package = PathFinder.find_spec("dukpy")
        spec = package and PathFinder.find_spec(name, package.submodule_search_locations)
        if spec is None or spec.loader is None:
            raise ModuleNotFoundError("No module named 'dukpy'", name="dukpy")
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        sys.modules[name] = module
    return cast(_Extension, sys.modules[name])


_extension = _load_extension()

JSRuntimeError = _extension.JSRuntimeError
"""What `run` raises for an error thrown by JavaScript."""


class _NoModules:
    """Answers `import()`, which has no way to plugin modules, for any name with "cannot find module"."""

    def load(self, name: str) -> tuple[None, None, None]:
        return None, None, None


class Interpreter:
    """One QuickJS runtime. `dispatch(name, arguments)` answers the script's `call_python(name, *arguments)`.

    `arguments` is JSON, and so is the reply, or None for `undefined`. `dispatch` must not raise.
    """

    def __init__(self, dispatch: Callable[[bytes, bytes], bytes | None]) -> None:
        self._ctx = _extension.create_context()
        # C code, so that no signal handler runs between dukpy's poll and `dispatch`; true for every name.
        self._check_exported_function_exists = bool
        self._call_python = dispatch
        self._normalize_module = _keep_name
        self.loader = _NoModules()

    def run(self, code: str, variables: Mapping[str, Any]) -> Any:
        """Evaluate `code` as a script that sees `variables` as the global `dukpy`; None for `undefined`.

        Raises JSRuntimeError, and what a signal handler raised meanwhile.
        """
        try:
            result = _extension.eval_string(self, code.encode(), json.dumps(variables).encode())
        except SystemError as error:
            if error.__cause__ is None:
                raise
            raise error.__cause__ from None
        return None if result is None else json.loads(result)


def _keep_name(base: str, name: str) -> str:
    return name
