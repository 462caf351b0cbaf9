"""What a running script may ask of Python: plugin calls, modules, timers, console output.

The script's half is shim/python.js. Every request is a name and JSON arguments; the reply is JSON, or None for "ask
for the outcome", which says more than a JSON value can:

    {"value": ..., "nan": ...}  a result that JSON cannot hold, as jstext.write_exact writes it
    {"error": ...}              to be thrown as a JavaScript Error: name, message, code, details, plugin, origin
    {"stop": name}              an exception that is no script's business: it waits in `stop` until the script has ended

Nothing ever raises into the engine, which would lose the exception.
"""
from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, cast

from goplugin.core.errors import PluginError, RemoteError

from . import jstext
from .cancellation import Cancellation
from .event_loop import EventLoop, Finished
from .lookup import Lookup
from .registry import Invoke, ModuleRegistry, NativeError
from .resolution import RequireError
from .script_process import ScriptProcess
from .values import encode_text

__all__ = ["Bridge"]

_MAX_ORIGINS = 64


class _Function(NamedTuple):
    """A function that a script may call."""

    invoke: Invoke
    module: str
    export: str
    method: str


class Bridge:
    """Answers one engine's script; the engine's parameters are explained there.

    `settled` has, by the number of a run, the reply of one that awaited (see shim/main.js) once it is known.
    """

    def __init__(
        self,
        registry: ModuleRegistry,
        *,
        call_timeout: float | None,
        stdout: Callable[[str], object],
        stderr: Callable[[str], object],
        explain: Callable[[str], str | PluginError] | None,
        time_left: Callable[[], float | None] | None = None,
        on_stop: Callable[[], object] = lambda: None,
    ) -> None:
        self.stop: BaseException | None = None
        self.settled: dict[int, str] = {}
        self.loop = EventLoop()
        self._call_timeout = call_timeout
        self._time_left = time_left
        self._on_stop = on_stop
        self._sinks = {1: stdout, 2: stderr}
        self._outcome = b""
        self._origins: dict[int, PluginError] = {}
        self._errors = 0
        self._functions: dict[str, _Function] = {}
        self._handlers: dict[bytes, Callable[[bytes], bytes | None]] = {
            b"outcome": self._take_outcome,
            b"print": self._print,
            b"call": self._call_with,
            b"events": self._events,
        }
        answers: dict[str, Callable[..., Any]] = {
            "start": self._start,
            "cancel": self.loop.cancel,
            "timer": self.loop.set_timer,
            "untimer": self.loop.clear_timer,
            "settle": self.settled.__setitem__,
            "es5": _to_es5,
        }
        self.process = ScriptProcess()
        answers |= {**Lookup(registry, self._bind, explain).requests, **self.process.requests}
        for name, answer in answers.items():
            self._handlers[name.encode()] = partial(self._answer, answer)

    def dispatch(self, name: bytes, arguments: bytes) -> bytes | None:
        """Answer the request `name`; see the module's text."""
        try:
            return self._handlers[name](arguments)
        except BaseException as error:  # noqa: BLE001 - the engine raises it again when the script has ended
            self.stop = error
            self._on_stop()
            return self._tell(stop=type(error).__name__)

    def origin(self, number: int | None) -> PluginError | None:
        """The exception behind the error that carries `number`; the last ones are kept."""
        return None if number is None else self._origins.get(number)

    def last_origin(self, message: str) -> int | None:
        """The number of the last exception with this text, for an error of which only its text is known."""
        return next((number for number in reversed(self._origins) if str(self._origins[number]) == message), None)

    # A plugin call.

    def _bind(self, module: str, invoke: Invoke, export: str, method: str) -> str:
        function = _Function(invoke, module, export, method)
        name = str(len(self._handlers))
        self._functions[name] = function
        self._handlers[name.encode()] = partial(self._call, function)
        return name

    def _call(self, function: _Function, arguments: bytes) -> bytes | None:
        invoke, module, export, method = function
        args = jstext.read_arguments(arguments)
        timeout = self._call_timeout if self._time_left is None else self._timeout(None)
        try:
            return self._result(invoke(export, method, args, timeout))
        except PluginError as error:
            return self._tell(error=self._describe(error, module))

    def _call_with(self, arguments: bytes) -> bytes | None:
        """A call with a timeout of its own."""
        name, milliseconds, text = cast("tuple[str, float | None, str]", json.loads(arguments)[0])
        invoke, module, export, method = self._functions[name]
        args = jstext.read_arguments(text.encode())
        try:
            return self._result(invoke(export, method, args, self._timeout(milliseconds)))
        except PluginError as error:
            return self._tell(error=self._describe(error, module))

    def _timeout(self, milliseconds: float | None) -> float | None:
        """The limit of a call in seconds: `milliseconds` or else the engine's, and no more than the script has left."""
        limits = (
            self._call_timeout if milliseconds is None else milliseconds / 1000,
            None if self._time_left is None else self._time_left(),
        )
        return min((limit for limit in limits if limit is not None), default=None)

    # An asynchronous call.

    def _start(self, number: int, name: str, milliseconds: float | None, text: str) -> None:
        invoke, module, export, method = self._functions[name]
        args = jstext.read_arguments(text.encode())

        def call(cancel: Cancellation) -> tuple[Any, PluginError | None, str]:
            try:
                return invoke(export, method, args, self._timeout(milliseconds), cancel), None, module
            except PluginError as error:
                return None, error, module

        self.loop.start(number, call)

    def _events(self, arguments: bytes) -> bytes:
        """What the event loop has next, for the shim's `turn`."""
        event = self.loop.take()
        if isinstance(event, int):
            return b'{"timer":%d}' % event
        return ('{"calls":[' + ",".join(map(self._report, event)) + "]}").encode()

    def _report(self, finished: Finished) -> str:
        if finished.error is not None:
            raise finished.error
        number = finished.number
        value, error, module = cast("tuple[Any, PluginError | None, str]", finished.result)
        try:
            if error is None:
                return _report_value(number, value)
        except PluginError as refusal:
            error = refusal
        return json.dumps({"number": number, "error": self._describe(error, module)})

    def _result(self, value: Any) -> bytes | None:
        try:
            return jstext.write(value).encode()
        except (ValueError, TypeError, RecursionError):  # NaN, an infinity, bytes, or too deep for json
            self._outcome = jstext.write_exact({"value": value}).encode()
            return None

    def _keep(self, error: PluginError) -> int:
        """The number under which `origin` gives `error`."""
        self._errors += 1
        self._origins[self._errors] = error
        if len(self._origins) > _MAX_ORIGINS:
            del self._origins[next(iter(self._origins))]
        return self._errors

    def _describe(self, error: PluginError, module: str) -> dict[str, Any]:
        origin = self._keep(error)
        if isinstance(error, NativeError):
            return {"name": error.name, "message": str(error), "code": error.code, "origin": origin}
        fields: dict[str, Any] = {"name": "GoError", "message": str(error), "plugin": module, "origin": origin}
        if isinstance(error, RemoteError):
            fields["code"] = error.code.go_name
            fields["details"] = [_plain(detail) for detail in error.details]
        return fields

    # Modules and output.

    def _answer(self, answer: Callable[..., Any], arguments: bytes) -> bytes | None:
        try:
            return self._result(answer(*json.loads(arguments)[0]))
        except RequireError as error:
            fields = {"name": "Error", "message": str(error), "code": error.code, **error.properties}
            if isinstance(error.__cause__, PluginError):  # the plugin that has the module did not load
                fields["origin"] = self._keep(error.__cause__)
            return self._tell(error=fields)

    def _print(self, arguments: bytes) -> bytes:
        stream, text = cast("tuple[int, str]", json.loads(arguments)[0])
        self._sinks[stream](encode_text(text).decode())
        return b"null"

    # Outcomes.

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


def _report_value(number: int, value: Any) -> str:
    try:
        return f'{{"number":{number},"value":{jstext.write(value)},"nan":[],"bytes":[]}}'
    except (ValueError, TypeError, RecursionError):
        return jstext.write_exact({"number": number, "value": value})


def _to_es5(name: str, source: str) -> dict[str, Any]:
    from ._duktape import to_es5  # no other engine asks

    return to_es5(name, source)
