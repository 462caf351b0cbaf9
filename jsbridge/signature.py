"""Handlers that are plain typed functions: the arguments of a call are checked against the annotations.

    @store.method
    def get(key: str, fallback: str | None = None) -> str | None: ...

Rule 1: a function whose only parameter is annotated `Call`, or is called `call` and not annotated, takes the call
itself and looks after its arguments.
Rule 2: every other function takes the arguments, as many as it has parameters. They are checked from left to right,
the insides of a `list[str]` too. Nothing is converted, but that `int` takes an integral number and gets an int. What
comes beyond the parameters is ignored, as JavaScript does it: `keys.map(store.get)` passes three arguments.
Rule 3: an argument that is missing, or null where the annotation takes no None, leaves its parameter its default:
JavaScript passes `undefined` for a parameter it skips, and on the wire that is null.
Rule 4: `bytes` as an annotation means base64 text: of an argument, what JavaScript sends for a Uint8Array; of the
result, what it gets one for (binary.py). A result may be `bytes | None` too, and is declared in just these words.
Rule 5: annotations are read at the first call. Until then a plugin has better things to do, and names that are
defined further down in the author's file exist. Whether bytes are returned is known before, for the manifest.
"""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import FunctionType, MethodType, UnionType
from typing import Any, NamedTuple, Union, get_args, get_origin

from goplugin.core.environ import go_quote
from goplugin.core.errors import ConfigError

from .binary import encode_base64
from .call import ArgumentError, Call, format_number, mismatch, out_of_range, read_bytes

__all__ = ["Handler"]

_VAR_POSITIONAL, _COROUTINE, _ASYNC_GENERATOR = 0x04, 0x80, 0x200  # flags of a code object, as inspect names them


class Handler:
    """An author's function, called with a Call.

    Raises ConfigError for what cannot be a handler; `label` says in its text what the handler belongs to. `returns`
    stands in for the annotation of the result.
    """

    __slots__ = ("_function", "_label", "_run", "returns_bytes")

    def __init__(self, function: Callable[..., object], label: str, returns: object = None) -> None:
        signed, _, _ = _signature_of(function, label)
        if returns is None:
            returns = _return_annotation(signed)
        self.returns_bytes = returns in _BYTES
        """Whether the result is bytes, or None."""
        self._function = function
        self._label = label
        self._run: Callable[[Call], object] | None = None

    def __call__(self, call: Call) -> object:
        """What the function returns.

        Raises what the function raises, ArgumentError for arguments that it does not take, and ConfigError, at the
        first call, for annotations that arguments cannot be checked against.
        """
        run = self._run
        if run is None:
            run = _bind(self._function, self._label)
            self._run = run = _bytes_from(run, self._label) if self.returns_bytes else run
        return run(call)


class _Signature(NamedTuple):
    """The function with the parameters, and the names of those that a call can fill."""

    function: FunctionType
    names: tuple[str, ...]
    rest: str | None  # the name of *args


def _signature_of(handler: Any, label: str) -> _Signature:
    if handler is None:
        raise ConfigError(f"{label} has nil handler")
    function: Any = handler.__func__ if isinstance(handler, MethodType) else handler
    while True:
        code = getattr(function, "__code__", None)
        if code and code.co_flags & (_COROUTINE | _ASYNC_GENERATOR):
            raise ConfigError(f"{label} is an async function; a handler is a plain function")
        if not hasattr(function, "__wrapped__"):
            break
        function = function.__wrapped__
    if not isinstance(function, FunctionType):
        raise ConfigError(f"{label} is no Python function: {handler!r}")
    code = function.__code__
    positional, keyword = code.co_argcount, code.co_argcount + code.co_kwonlyargcount
    missing = set(code.co_varnames[positional:keyword]) - set(function.__kwdefaults__ or ())
    if missing:
        raise ConfigError(f"{label} has a keyword-only parameter without a default: {', '.join(sorted(missing))}")
    first = 1 if isinstance(handler, MethodType) else 0
    rest = code.co_varnames[keyword] if code.co_flags & _VAR_POSITIONAL else None
    return _Signature(function, code.co_varnames[first:positional], rest)


def _bind(handler: Callable[..., object], label: str) -> Callable[[Call], object]:
    """`handler` as a function of the Call, with what its annotations ask for."""
    function, names, rest = _signature_of(handler, label)
    annotations, scope = function.__annotations__, function.__globals__
    if len(names) == 1 and rest is None and _takes_call(names[0], annotations, scope, label):
        return handler

    def type_of(name: str) -> _Type:
        return _type_of(annotations.get(name, Any), scope, f"{label} parameter {go_quote(name)}")

    reads = [type_of(name).read for name in names]
    read_rest = type_of(rest).read if rest else None
    defaults = function.__defaults__ or ()
    required = len(names) - len(defaults)
    reads[required:] = [_or_default(read, default) for read, default in zip(reads[required:], defaults, strict=True)]

    def run(call: Call) -> object:
        args = call.args
        values = [read(arg, index) for index, (read, arg) in enumerate(zip(reads, args, strict=False))]
        if len(args) < required:
            raise out_of_range(len(args), len(args))
        if read_rest:
            values += [read_rest(args[index], index) for index in range(len(reads), len(args))]
        return handler(*values)

    return run


_BYTES = (bytes, bytes | None, "bytes", "bytes | None", "None | bytes", "Optional[bytes]")


def _return_annotation(function: FunctionType) -> object:
    try:
        return function.__annotations__.get("return")
    except NameError:  # Python 3.14 evaluates all of them here, and one names what exists for type checkers only
        return None


def _bytes_from(run: Callable[[Call], object], label: str) -> Callable[[Call], str | None]:
    """`run`, whose result is bytes or None, with base64 text for bytes."""

    def run_and_encode(call: Call) -> str | None:
        result = run(call)
        if result is None:
            return None
        if not isinstance(result, (bytes, bytearray, memoryview)):
            raise TypeError(f"{label} is declared to return bytes, and has returned {type(result).__name__}")
        return encode_base64(bytes(result))  # pyright: ignore[reportUnknownArgumentType] - a memoryview of anything

    return run_and_encode


def _takes_call(name: str, annotations: Mapping[str, Any], scope: dict[str, Any], label: str) -> bool:
    if name not in annotations:
        return name == "call"
    annotation = annotations[name]
    if isinstance(annotation, str):
        if annotation.rpartition(".")[2] == "Call":  # which may be imported for type checkers only
            return True
        annotation = _evaluate(annotation, scope, f"{label} parameter {go_quote(name)}")
    return annotation is Call


# What an annotation asks of an argument: annotation -> _Type


_Read = Callable[[Any, "int | str"], Any]
"""(argument, its position) -> the value for the parameter, or ArgumentError."""


class _Type(NamedTuple):
    want: str  # its name in error texts
    read: _Read


def _type_of(annotation: Any, scope: dict[str, Any], owner: str) -> _Type:
    """Raises ConfigError for an annotation that is none of those in the module's documentation."""
    if isinstance(annotation, str):
        annotation = _evaluate(annotation, scope, owner)
    for known, simple in _SIMPLE_TYPES:
        if annotation is known:
            return simple
    origin, args = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        return _union([_type_of(arg, scope, owner) for arg in args])
    if origin in (list, Sequence):
        return _list_of(_type_of(args[0], scope, owner)) if args else _LIST
    if origin in (dict, Mapping) and args[:1] in ((), (str,), (Any,)):
        return _dict_of(_type_of(args[1], scope, owner)) if args else _DICT
    raise ConfigError(f"{owner} has the annotation {annotation!r}, and no argument can be checked against that")


def _evaluate(annotation: str, scope: dict[str, Any], owner: str) -> Any:
    try:
        return eval(annotation, scope)  # the author's own code, put off by `from __future__ import annotations`
    except (NameError, AttributeError, TypeError, SyntaxError) as error:
        raise ConfigError(f"{owner} has the annotation {annotation!r}, which cannot be read: {error}") from error


def _exact(want: str, *kinds: type) -> _Type:
    def read(value: Any, where: int | str) -> Any:
        if type(value) in kinds:
            return value
        raise mismatch(where, want, value)

    return _Type(want, read)


def _read_anything(value: Any, where: int | str) -> Any:
    return value


def _read_int(value: Any, where: int | str) -> int:
    if type(value) not in (float, int):
        raise mismatch(where, "int", value)
    if value != value // 1:  # NaN and the infinities too
        raise ArgumentError(f"sdk call argument {where} expected int, got {format_number(value)}")
    return int(value)


def _union(options: list[_Type]) -> _Type:
    want = " or ".join(option.want for option in options)

    def read(value: Any, where: int | str) -> Any:
        for option in options:
            try:
                return option.read(value, where)
            except ArgumentError:
                continue
        raise mismatch(where, want, value)

    return _Type(want, read)


def _list_of(item: _Type) -> _Type:
    def read(value: Any, where: int | str) -> list[Any]:
        items: list[Any] = _LIST.read(value, where)
        return [item.read(each, f"{where}[{index}]") for index, each in enumerate(items)]

    return _Type(_LIST.want, read)


def _dict_of(item: _Type) -> _Type:
    def read(value: Any, where: int | str) -> dict[str, Any]:
        entries: dict[str, Any] = _DICT.read(value, where)
        return {key: item.read(each, f"{where}.{key}") for key, each in entries.items()}

    return _Type(_DICT.want, read)


def _or_default(read: _Read, default: Any) -> _Read:
    """`read`, with `default` for null unless null is welcome."""
    try:
        read(None, 0)
    except ArgumentError:
        return lambda value, where: default if value is None else read(value, where)
    return read


_ANY = _Type("any", _read_anything)
_LIST = _exact("[]any", list)
_DICT = _exact("map[string]any", dict)
_SIMPLE_TYPES: tuple[tuple[Any, _Type], ...] = (
    (str, _exact("string", str)),
    (float, _exact("float64", float, int)),
    (int, _Type("int", _read_int)),
    (bool, _exact("bool", bool)),
    (bytes, _Type("bytes", read_bytes)),
    (list, _LIST),
    (Sequence, _LIST),
    (dict, _DICT),
    (Mapping, _DICT),
    (None, _exact("<nil>", type(None))),
    (type(None), _exact("<nil>", type(None))),
    (Any, _ANY),
    (object, _ANY),
)
