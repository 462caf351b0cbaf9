"""JavaScript that calls plugins: the `Engine` interface, and the in-process engine on dukpy 0.6 (QuickJS).

A plugin function blocks the script until the plugin has answered. Arguments and results cross as text (jstext.py and
shim/values.js); a PluginError raised by a call crosses as data and is thrown as a JavaScript Error; any other
exception, KeyboardInterrupt first of all, stops the script and is raised again when it has ended.
Source: go-go-goja pkg/hashiplugin/host, behind the shim in the directory shim.
"""
from __future__ import annotations

import functools
import json
import os
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol, final

from goplugin.core.errors import LocalProtocolError, PluginError, RemoteError

from . import jstext
from ._dukpy import Interpreter, JSRuntimeError
from .bridge import Bridge
from .registry import ModuleRegistry

__all__ = ["UNDEFINED", "DukpyEngine", "Engine", "JSError"]


@final
class _Undefined:
    """JavaScript's undefined, where None is null; only a whole result is ever undefined."""

    def __repr__(self) -> str:
        return "UNDEFINED"

    def __bool__(self) -> bool:
        return False


UNDEFINED: Final = _Undefined()


class JSError(PluginError):
    """JavaScript threw, and nothing caught it.

    `name`, `message` and `stack` are the error's; for a thrown value that is no Error, `name` and `stack` are empty
    and `message` shows the value. `code` is its string property of that name: "NotFound" and the like from a plugin,
    "MODULE_NOT_FOUND" and "ERR_NOT_ALLOWED" from require. `cause_error` (and `__cause__`) is the exception behind an
    error that a plugin call threw.
    """

    def __init__(
        self,
        text: str,
        *,
        name: str = "",
        message: str = "",
        stack: str = "",
        code: str | None = None,
        cause_error: PluginError | None = None,
    ) -> None:
        super().__init__(text)
        self.name = name
        self.message = message
        self.stack = stack
        self.code = code
        self.cause_error = self.__cause__ = cause_error


class Engine(Protocol):
    """Runs JavaScript; one engine is one global scope. Calls from several threads wait for one another."""

    def eval(self, code: str) -> Any:
        """Run `code` in the global scope; the value of its last expression statement.

        What `code` declares at its top level stays for later code. The result is a plain value (see values.py), or
        UNDEFINED. Raises JSError, also for a result that is no plain value.
        """
        ...

    def eval_text(self, code: str) -> str:
        """Like `eval`, with the result as text for people, whatever it is; empty for undefined. Raises JSError."""
        ...

    def run_file(self, path: str | os.PathLike[str], argv: Sequence[str] = ()) -> None:
        """Run the file as the main CommonJS module; `argv` follows its path in `process.argv`.

        Raises JSError, with code "MODULE_NOT_FOUND" if there is no such file.
        """
        ...

    def close(self) -> None:
        """Free the script's memory. Idempotent; every other method raises LocalProtocolError afterwards."""
        ...


class DukpyEngine:
    """`Engine` in this process, on dukpy 0.6.

    While JavaScript runs, no other Python thread does; a plugin call lets them. There is no time limit. An exception
    that a signal handler raises ends a script, on the main thread only. If the signal comes just as a plugin call
    begins, it arrives as a KeyboardInterrupt with the exception's repr: let the handler take a note of its own.

    `registry` says what `require` finds, at the time it is called. `call_timeout` (seconds) goes with every plugin
    call. `stdout` and `stderr` take the lines of console.log and console.error (default: this process's). `explain`
    adds what a user should know to the error for a plugin module that is not there. `env` is `process.env`.
    """

    def __init__(
        self,
        registry: ModuleRegistry,
        *,
        call_timeout: float | None = 5.0,
        stdout: Callable[[str], object] | None = None,
        stderr: Callable[[str], object] | None = None,
        explain: Callable[[str], str] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self._lock = threading.RLock()
        self._depth = 0  # a plugin call may evaluate code in the engine that makes it
        self._bridge = Bridge(
            registry,
            call_timeout=call_timeout,
            stdout=stdout or _write_stdout,
            stderr=stderr or _write_stderr,
            explain=explain,
        )
        self._interpreter: Interpreter | None = Interpreter(self._bridge.dispatch)
        self._interpreter.run(_shim(), {"argv": [sys.executable], "env": dict(os.environ if env is None else env)})

    def eval(self, code: str) -> Any:
        kind, text = self._serve({"code": code})
        return UNDEFINED if kind == "u" else jstext.read(text)

    def eval_text(self, code: str) -> str:
        return self._serve({"code": code, "text": True})[1]

    def run_file(self, path: str | os.PathLike[str], argv: Sequence[str] = ()) -> None:
        path = os.path.abspath(path)
        self._serve({"path": path, "argv": [sys.executable, path, *argv]})

    def close(self) -> None:
        with self._lock:
            self._interpreter = None

    def __enter__(self) -> DukpyEngine:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _serve(self, request: Mapping[str, Any]) -> tuple[str, str]:
        """The kind of the shim's answer to `request` (see shim/main.js) and what follows it."""
        with self._lock:
            if self._interpreter is None:
                raise LocalProtocolError("the JavaScript engine is closed")
            interpreter = self._interpreter  # a script may close its own engine
            self._depth += 1
            try:
                reply: str = interpreter.run("$jsbridge.serve(dukpy)", {**request, "nested": self._depth > 1})
            except JSRuntimeError as error:
                reply = "r" + str(error)
            finally:
                self._depth -= 1
                stop, self._bridge.stop = self._bridge.stop, None
            if stop is not None:
                raise stop
            kind, text = reply[0], reply[1:]
            if kind == "l":
                raise KeyboardInterrupt(text)
            if kind == "e":
                raise self._js_error(json.loads(text))
            if kind == "r":
                raise self._js_error(self._parse_report(interpreter, text))
            return kind, text

    def _parse_report(self, interpreter: Interpreter, report: str) -> dict[str, Any]:
        """The parts of an error that only dukpy saw and tells as text: an unhandled rejection, or a full heap.

        That is the error as a string, and on the next lines its stack.
        """
        try:
            trace: str = interpreter.run("$jsbridge.readable(dukpy.report)", {"report": report})
        except JSRuntimeError:  # the interpreter is beyond that
            trace = report
        head = trace.partition("\n    at ")[0]
        name, colon, message = head.partition(": ")
        if not (colon and name.isidentifier()):
            return {"text": f"Uncaught {head}", "message": head, "origin": None}
        origin = self._bridge.last_origin(message)
        return {"text": head, "name": name, "message": message, "stack": trace.rstrip(), "origin": origin}

    def _js_error(self, about: Mapping[str, Any]) -> JSError:
        text, name, message, code = about["text"], about.get("name", ""), about["message"], about.get("code")
        cause = self._bridge.origin(about["origin"])
        if isinstance(cause, RemoteError):
            code = cause.code.go_name
        if not name and message == "null":
            text += " (QuickJS throws null when its heap of 128 MiB is full)"
        return JSError(text, name=name, message=message, stack=about.get("stack", ""), code=code, cause_error=cause)


def _write_stdout(text: str) -> object:
    return sys.stdout.write(text)


def _write_stderr(text: str) -> object:
    return sys.stderr.write(text)


@functools.cache
def _shim() -> str:
    """The JavaScript that makes the global object of an engine: one function around the files of the shim."""
    parts = [Path(__file__).with_name("shim").joinpath(f"{name}.js").read_text("utf-8") for name in _SHIM]
    return "(function (global) {\n\"use strict\";\n" + "\n".join(parts) + "\n})(this);"


_SHIM = ("values", "python", "sources", "modules", "inspect", "main")
