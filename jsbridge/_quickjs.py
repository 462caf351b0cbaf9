"""QuickJS-NG, the engine of dukpy 0.6.

What is used of dukpy: `create_context()`, `eval_string(interpreter, code, variables_json)` and the attributes that C
code reads from the interpreter object: `_ctx`, `_check_exported_function_exists` and `_call_python` behind the global
`call_python`, `_normalize_module` and `loader` behind `import()`.

Facts that shape this module, from dukpy's C sources and by experiment:
- `eval_string` runs a full garbage collection, twice: one call for each evaluation and each turn of the event loop,
  none for a plugin call.
- `eval_string` runs the microtasks behind the script, and then raises the first rejection that nobody handled, as text.
  A script cannot run them itself. None can be evaluated while they run, and an interpreter whose microtasks were cut
  off, by a signal handler that raised, cannot be used again.
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
from collections.abc import Callable, Mapping
from typing import Any

from ._extension import create_context, eval_string

__all__ = ["Interpreter"]


class _NoModules:
    """Answers `import()`, which has no way to plugin modules, for any name with "cannot find module"."""

    def load(self, name: str) -> tuple[None, None, None]:
        return None, None, None


class Interpreter:
    """One QuickJS runtime. `dispatch(name, arguments)` answers the script's `call_python(name, *arguments)`.

    `arguments` is JSON, and so is the reply, or None for `undefined`. `dispatch` must not raise.
    """

    def __init__(self, dispatch: Callable[[bytes, bytes], bytes | None]) -> None:
        self._ctx = create_context()
        # C code, so that no signal handler runs between dukpy's poll and `dispatch`; true for every name.
        self._check_exported_function_exists = bool
        self._call_python = dispatch
        self._normalize_module = _keep_name
        self.loader = _NoModules()

    def run(self, code: str, variables: Mapping[str, Any]) -> Any:
        """Evaluate `code` as a script that sees `variables` as the global `dukpy`; None for `undefined`.

        Raises JSRuntimeError, and what a signal handler raised meanwhile.
        """
        result = self.evaluate(code.encode(), json.dumps(variables).encode())
        return None if result is None else json.loads(result)

    def evaluate(self, code: bytes, variables: bytes) -> bytes | None:
        """`run`, from JSON to JSON."""
        try:
            return eval_string(self, code, variables)
        except SystemError as error:
            if error.__cause__ is None:
                raise
            raise error.__cause__ from None


def _keep_name(base: str, name: str) -> str:
    return name
