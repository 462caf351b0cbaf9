"""What a running script may ask of Python: plugin calls, modules, console output.

The script's half is shim/python.js. Every request is a name and JSON arguments; the reply is JSON, or None for "ask
for the outcome", which says more than a JSON value can:

    {"value": ..., "nan": ...}  a result that JSON cannot hold, as jstext.write_exact writes it
    {"error": ...}              to be thrown as a JavaScript Error: name, message, code, details, plugin, origin
    {"stop": name}              an exception that is no script's business: it waits in `stop` until the script has ended

Nothing ever raises into the engine, which would lose the exception.
"""
from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from functools import partial
from typing import Any, cast

from goplugin.core.errors import PluginError, RemoteError

from . import jstext
from .contract import NAMESPACE
from .module import find_file, is_path, module_shape, read_source
from .registry import Invoke, ModuleRegistry, RegisteredModule
from .values import encode_text

__all__ = ["Bridge"]

_MAX_ORIGINS = 64


class Bridge:
    """Answers one engine's script; the engine's parameters are explained there."""

    def __init__(
        self,
        registry: ModuleRegistry,
        *,
        call_timeout: float | None,
        stdout: Callable[[str], object],
        stderr: Callable[[str], object],
        explain: Callable[[str], str] | None,
    ) -> None:
        self.stop: BaseException | None = None
        self._registry = registry
        self._call_timeout = call_timeout
        self._sinks = {1: stdout, 2: stderr}
        self._explain = explain
        self._outcome = b""
        self._origins: dict[int, PluginError] = {}
        self._errors = 0
        self._handlers: dict[bytes, Callable[[bytes], bytes | None]] = {
            b"outcome": self._take_outcome,
            b"resolve": self._resolve,
            b"read": self._read,
            b"print": self._print,
        }

    def dispatch(self, name: bytes, arguments: bytes) -> bytes | None:
        """Answer the request `name`; see the module's text."""
        try:
            return self._handlers[name](arguments)
        except BaseException as error:  # noqa: BLE001 - the engine raises it again when the script has ended
            self.stop = error
            return self._tell(stop=type(error).__name__)

    def origin(self, number: int | None) -> PluginError | None:
        """The exception behind the error that carries `number`; the last ones are kept."""
        return None if number is None else self._origins.get(number)

    def last_origin(self, message: str) -> int | None:
        """The number of the last exception with this text, for an error of which only its text is known."""
        return next((number for number in reversed(self._origins) if str(self._origins[number]) == message), None)

    # A plugin call.

    def _bind(self, module: RegisteredModule, export: str, method: str) -> str:
        name = str(len(self._handlers))
        self._handlers[name.encode()] = partial(self._call, module.invoke, module.name, export, method)
        return name

    def _call(self, invoke: Invoke, module: str, export: str, method: str, arguments: bytes) -> bytes | None:
        args = jstext.read_arguments(arguments)
        try:
            return self._result(invoke(export, method, args, self._call_timeout))
        except PluginError as error:
            return self._tell(error=self._describe(error, module))

    def _result(self, value: Any) -> bytes | None:
        try:
            return jstext.write(value).encode()
        except (ValueError, RecursionError):  # NaN, an infinity, or too deep for json
            self._outcome = jstext.write_exact({"value": value}).encode()
            return None

    def _describe(self, error: PluginError, module: str) -> dict[str, Any]:
        self._errors += 1
        self._origins[self._errors] = error
        if len(self._origins) > _MAX_ORIGINS:
            del self._origins[next(iter(self._origins))]
        fields: dict[str, Any] = {"name": "GoError", "message": str(error), "plugin": module, "origin": self._errors}
        if isinstance(error, RemoteError):
            fields["code"] = error.code.go_name
            fields["details"] = [_plain(detail) for detail in error.details]
        return fields

    # Modules and output.

    def _resolve(self, arguments: bytes) -> bytes | None:
        directory, name, parent = cast("tuple[str | None, str, str | None]", json.loads(arguments)[0])
        module = self._registry.get(name)
        if module is not None:
            return json.dumps({"shape": module_shape(module.manifest, partial(self._bind, module))}).encode()
        refusal = self._registry.refusal(name)
        if refusal is not None:
            return self._throw(refusal, "ERR_NOT_ALLOWED")
        path = find_file(name, directory or "") if is_path(name) else None
        if path is not None:
            return json.dumps({"path": path, "directory": os.path.dirname(path)}).encode()
        message = f"Cannot find module '{name}'"
        if self._explain is not None and name.startswith(NAMESPACE):
            message += "\n" + self._explain(name)
        elif parent is not None:
            message += "\nRequired by " + parent
        return self._throw(message, "MODULE_NOT_FOUND")

    def _read(self, arguments: bytes) -> bytes | None:
        path: str = json.loads(arguments)[0]
        try:
            return json.dumps(read_source(path)).encode()
        except OSError as error:
            return self._throw(f"cannot read {path}: {error.strerror}", errno.errorcode.get(error.errno or 0, "EIO"))
        except UnicodeDecodeError as error:
            return self._throw(f"cannot read {path}: not UTF-8 at byte {error.start}", "EILSEQ")

    def _print(self, arguments: bytes) -> bytes:
        stream, text = cast("tuple[int, str]", json.loads(arguments)[0])
        self._sinks[stream](encode_text(text).decode())
        return b"null"

    # Outcomes.

    def _throw(self, message: str, code: str) -> None:
        self._tell(error={"name": "Error", "message": message, "code": code})

    def _tell(self, **outcome: Any) -> None:
        self._outcome = json.dumps(outcome).encode()

    def _take_outcome(self, arguments: bytes) -> bytes:
        return self._outcome


def _plain(detail: Any) -> Any:
    """A status detail as JavaScript shall see it: data as it is, a message as its text."""
    try:
        json.dumps(detail, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return str(detail)
    return detail
