"""dukpy's C extension, loaded alone: its package imports an npm installer with urllib, tarfile and ssl (22 ms).

Both lines of dukpy have the same two functions, with different engines behind: _quickjs.py and _duktape.py say what
differs, and what C code reads from the interpreter object that `eval_string` is given.
"""
from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import module_from_spec
from typing import Protocol, cast

__all__ = ["IS_DUKTAPE", "JSRuntimeError", "create_context", "eval_string", "package_directory"]


class _Extension(Protocol):
    JSRuntimeError: type[Exception]

    def create_context(self) -> object: ...
    def eval_string(self, interpreter: object, code: bytes, variables: bytes, /) -> bytes | None: ...


def package_directory() -> str:
    """Where dukpy is installed. Raises ModuleNotFoundError if it is not."""
    return (_find_package().submodule_search_locations or [""])[0]


def _find_package() -> ModuleSpec:
    package = PathFinder.find_spec("dukpy")
    if package is None:
        raise ModuleNotFoundError("No module named 'dukpy'", name="dukpy")
    return package


def _load_extension() -> _Extension:
    name = "dukpy._dukpy"
    if name not in sys.modules:
        spec = PathFinder.find_spec(name, _find_package().submodule_search_locations)
        if spec is None or spec.loader is None:
            raise ModuleNotFoundError("No module named 'dukpy._dukpy'", name=name)
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        sys.modules[name] = module
    return cast(_Extension, sys.modules[name])


_extension = _load_extension()

create_context = _extension.create_context
eval_string = _extension.eval_string

JSRuntimeError = _extension.JSRuntimeError
"""What an interpreter raises for an error thrown by JavaScript."""

IS_DUKTAPE = "duktape" in (_extension.__doc__ or "")
"""Whether this is dukpy 0.5; 0.6 has QuickJS."""
