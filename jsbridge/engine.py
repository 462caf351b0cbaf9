"""JavaScript that calls plugins: the `Engine` interface, and the in-process engine on dukpy.

A plugin function blocks the script until the plugin has answered, and its asynchronous twin gives a promise, for which
the event loop waits (event_loop.py). Arguments and results cross as text (jstext.py and shim/values.js); a PluginError
raised by a call crosses as data and is thrown as a JavaScript Error; any other exception, KeyboardInterrupt first of
all, stops the script and is raised again when it has ended.
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
from typing import Any, Final, Protocol, TypeAlias, final

from goplugin.core.errors import LocalProtocolError, PluginError, RemoteError

from . import _dukpy, jstext
from ._dukpy import JSRuntimeError
from .bridge import Bridge
from .registry import ModuleRegistry

__all__ = ["UNDEFINED", "Dispatch", "DukpyEngine", "Engine", "Interpreter", "JSError"]


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
    """Runs JavaScript; one engine is one global scope. Calls from several threads wait for one another.

    `eval`, `eval_text` and `run_file` are runs: they return when nothing is pending any more, no timer and no
    asynchronous call. What ends a run early, an error or a KeyboardInterrupt, cancels what is.
    """

    def eval(self, code: str) -> Any:
        """Run `code` in the global scope; the value of its last expression statement.

        What `code` declares at its top level stays for later code. If it awaits there, its value is that in the end.
        The result is a plain value (see values.py), or UNDEFINED.
        Raises JSError, also for a result that is no plain value, and for a rejection that nobody handles.
        """
        ...

    def eval_text(self, code: str) -> str:
        """Like `eval`, with the result as text for people, whatever it is; empty for undefined. Raises JSError."""
        ...

    def run_file(self, path: str | os.PathLike[str], argv: Sequence[str] = ()) -> None:
        """Run the file as the main CommonJS module; `argv` follows its path in `process.argv`.

        Raises JSError, with code "MODULE_NOT_FOUND" if there is no such file; and ScriptExit, a SystemExit, if the
        script ends with an exit code of its own (`eval` too, if it calls `process.exit`).
        """
        ...

    def close(self) -> None:
        """Free the script's memory. Idempotent; every other method raises LocalProtocolError afterwards.

        A run of another thread that waits is ended by a LocalProtocolError.
        """
        ...


class Interpreter(Protocol):
    """What an engine runs JavaScript with: that of _quickjs.py or _duktape.py, or one in another process."""

    def run(self, code: str, variables: Mapping[str, Any]) -> Any: ...


_Reply: TypeAlias = tuple[str, str]
"""The first letter of a text from shim/main.js, and the rest of it."""

# What dukpy says in place of evaluating.
_UNUSABLE = "DukPy interpreter context is unusable after aborted pending jobs"
_BUSY = "Cannot call evaljs while QuickJS Promise jobs are draining"

Dispatch: TypeAlias = "Callable[[bytes, bytes], bytes | None]"
"""What answers a script's `call_python(name, argument)`, as _quickjs.py has it."""


class DukpyEngine:
    """`Engine` in this process, on whichever dukpy is installed; docs/javascript-engines.md has the differences.

    While JavaScript runs, no other Python thread does; a plugin call lets them. There is no time limit. An exception
    that a signal handler raises ends a script, on the main thread only and not on Duktape. If the signal comes just as
    a plugin call begins, it arrives as a KeyboardInterrupt with the exception's repr: let the handler take a note of
    its own. One that cuts promise jobs off takes with it all that had been defined. A script that goes on for ever
    although every call it makes is refused, because it catches that, ends with the next signal.

    `registry` says what `require` finds, at the time it is called. `call_timeout` (seconds) goes with every plugin
    call; `time_left` is asked at each of them how much more the script may take. `stdout` and `stderr` take the lines
    of console.log and console.error (default: this process's). `explain` adds what a user should know to the error for
    a plugin module that is not there: a text, or the error which is its cause. `env` is `process.env`. `interpreter`
    makes another one than this process's. `on_stop` is called when an exception has come that waits for the script to
    end.
    """

    def __init__(
        self,
        registry: ModuleRegistry,
        *,
        call_timeout: float | None = 5.0,
        stdout: Callable[[str], object] | None = None,
        stderr: Callable[[str], object] | None = None,
        explain: Callable[[str], str | PluginError] | None = None,
        env: Mapping[str, str] | None = None,
        time_left: Callable[[], float | None] | None = None,
        on_stop: Callable[[], object] = lambda: None,
        interpreter: Callable[[Dispatch], Interpreter] = _dukpy.Interpreter,
    ) -> None:
        self._lock = threading.RLock()
        self._depth = 0  # a plugin call may evaluate code in the engine that makes it
        self._runs = 0
        self._env = dict(os.environ if env is None else env)
        self._make_interpreter = interpreter
        self._bridge = Bridge(
            registry,
            call_timeout=call_timeout,
            stdout=stdout or _write_stdout,
            stderr=stderr or _write_stderr,
            explain=explain,
            time_left=time_left,
            on_stop=on_stop,
        )
        self._loop = self._bridge.loop
        self._closed = False
        self._interpreter: Interpreter | None = self._new_interpreter()

    def eval(self, code: str) -> Any:
        kind, text = self._run({"code": code})
        return UNDEFINED if kind == "u" else jstext.read(text)

    def eval_text(self, code: str) -> str:
        return self._run({"code": code, "text": True})[1]

    def run_file(self, path: str | os.PathLike[str], argv: Sequence[str] = ()) -> None:
        path = os.path.abspath(path)
        self._bridge.process.exit_code = 0
        self._run({"path": path, "argv": [sys.executable, path, *argv]})
        self._bridge.process.finish()

    def interrupt(self, error: BaseException) -> None:
        """End the run that is under way as soon as it waits for a timer or a promise: it raises `error`.

        From any thread; no effect on a run that does not wait any more, or if there is none.
        """
        self._loop.interrupt(error)

    def check_thread(self) -> None:
        """Raise LocalProtocolError on a thread that makes an asynchronous call: the run would wait for it for ever."""
        if self._loop.is_making(threading.get_ident()):
            raise LocalProtocolError("code cannot be evaluated from an asynchronous call of the same engine")

    def close(self) -> None:
        self._closed = True
        self._loop.interrupt(LocalProtocolError("the JavaScript engine was closed while a script ran"))
        with self._lock:
            self._interpreter = None
            self._loop.close()

    def __enter__(self) -> DukpyEngine:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _new_interpreter(self) -> Interpreter:
        interpreter = self._make_interpreter(self._bridge.dispatch)
        interpreter.run(_shim(), {"argv": [sys.executable], "env": self._env})
        return interpreter

    def _run(self, request: Mapping[str, Any]) -> _Reply:
        """One run: what the code has come to when nothing is pending any more."""
        self.check_thread()
        with self._lock:
            if self._closed:
                raise LocalProtocolError("the JavaScript engine is closed")
            self._depth += 1
            try:
                return self._run_nested(request) if self._depth > 1 else self._run_to_the_end(request)
            finally:
                self._depth -= 1

    def _run_to_the_end(self, request: Mapping[str, Any]) -> _Reply:
        self._loop.begin()
        self._runs += 1
        run = self._runs
        try:
            reply = self._step({**request, "run": run})
            while True:
                reply = self._settled(run) or reply
                if not self._loop.wait():
                    break
                self._step({"turn": True})
        except BaseException:
            self._loop.abandon()
            raise
        if reply[0] == "p":
            text = "the code awaits a promise that nothing can settle any more"
            raise JSError(text, message=text)
        return reply

    def _run_nested(self, request: Mapping[str, Any]) -> _Reply:
        """What is pending afterwards is so for the run around it."""
        self._runs += 1
        run = self._runs
        reply = self._step({**request, "run": run, "nested": True})
        reply = self._settled(run) or reply
        if reply[0] == "p":
            raise LocalProtocolError("code that a plugin call evaluates cannot await what is still pending")
        return reply

    def _settled(self, run: int) -> _Reply | None:
        """What the code of this run has awaited, if it has. Raises JSError."""
        text = self._bridge.settled.pop(run, None)
        return None if text is None else self._read_reply(text)

    def _step(self, request: Mapping[str, Any]) -> _Reply:
        """Let JavaScript do what `request` says; its reply (see shim/main.js). Raises what it says of an error."""
        if self._interpreter is None:
            self._interpreter = self._new_interpreter()
        interpreter = self._interpreter  # a script may close its own engine
        try:
            text: str = interpreter.run("$jsbridge.serve(dukpy)", request)
        except JSRuntimeError as error:
            self._raise_stop()
            if str(error) == _UNUSABLE:
                self._interpreter = None
                return self._step(request)
            raise self._thrown(interpreter, str(error)) from None
        except PluginError:  # the interpreter is gone, perhaps because the script would not end
            self._raise_stop()
            raise
        except BaseException:
            self._bridge.stop = None
            raise
        self._raise_stop()
        return self._read_reply(text)

    def _raise_stop(self) -> None:
        stop, self._bridge.stop = self._bridge.stop, None
        if stop is not None:
            raise stop

    def _read_reply(self, text: str) -> _Reply:
        kind, rest = text[0], text[1:]
        if kind == "l":
            raise KeyboardInterrupt(rest)
        if kind == "e":
            raise self._js_error(json.loads(rest))
        return kind, rest

    def _thrown(self, interpreter: Interpreter, report: str) -> PluginError:
        """What to raise for an error that only dukpy saw and tells as text: a rejection, or a full heap.

        That is the error as a string, and on the next lines its stack.
        """
        if report == _BUSY:
            return LocalProtocolError("code cannot be evaluated by a plugin call that a promise's reaction makes")
        try:
            trace: str = interpreter.run("$jsbridge.readable(dukpy.report)", {"report": report})
        except JSRuntimeError:  # the interpreter is beyond that
            trace = report
        head = trace.partition("\n    at ")[0]
        name, colon, message = head.partition(": ")
        if not (colon and name.isidentifier()):
            return self._js_error({"text": f"Uncaught {head}", "message": head, "origin": None})
        origin = self._bridge.last_origin(message)
        return self._js_error(
            {"text": head, "name": name, "message": message, "stack": trace.rstrip(), "origin": origin}
        )

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


_SHIM = (
    "values", "python", "quickjs", "duktape", "sources", "pieces", "modules", "require", "inspect", "console",
    "process", "globals", "timers", "abort", "main",
)
