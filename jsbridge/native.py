"""Modules written in Python that live in the host's own process: `require("name")`.

    native_module("files", {"read": read_text, "limits": {"size": 1 << 20}})
    native_module("math", math)                # any object: its public attributes
    native_module("greeter", greeter.module)   # a Module of jsbridge.sdk, as it would be in a plugin

Rule 1: a member is a function, a plain value (values.py), or an object whose members are functions and plain values.
Anything else is a ConfigError, when the module is made.
Rule 2: values cross as in a plugin call, and are copies. What differs, but for a Module of the SDK: a number without a
fraction arrives as int, and a result that is bytes is a Uint8Array. Arguments beyond a function's parameters are
dropped, as JavaScript does it.
Rule 3: what a function raises is an Error in the script, with the name of the exception's type and its text. Its `code`
is that of an OSError (ENOENT), or the exception's own `code` if that is a text. KeyboardInterrupt ends the script.
Rule 4: a function runs on the script's thread, and the script waits. `f.async(...)` runs it on another, side by side
with other calls. Neither a timeout nor an aborted signal ends it early.
"""
from __future__ import annotations

import errno
import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias, cast

from goplugin.core.errors import ConfigError, LocalProtocolError, PluginError, RemoteError

from .cancellation import Cancellation
from .contract import ExportKind, ExportSpec, InvokeRequest, InvokeResponse, MethodSpec, ModuleManifest
from .module import Shape, module_shape
from .registry import NativeError, NativeModule
from .sdk import Module
from .values import decode_value, encode_value

__all__ = ["native_module"]

_AS_THEY_ARE = (str, int, float, bool, type(None), bytes)


def native_module(name: str, module: Mapping[str, Any] | Module | object) -> NativeModule:
    """The module `name` of the functions and values in `module`. Raises ConfigError for what cannot be one."""
    if isinstance(module, Module):
        return _SDKModule(name, module)
    return _PlainModule(name, _members(module, name))


class _SDKModule:
    """A Module of the SDK, called over the bytes that its plugin would get and send."""

    def __init__(self, name: str, module: Module) -> None:
        self.name = name
        self.manifest = module.manifest()._replace(module_name=name)
        self._module = module

    def shape(self, bind: Callable[[str, str], str]) -> Shape:
        return module_shape(self.manifest, bind)

    def invoke(
        self, export: str, method: str, args: list[Any], timeout: float | None, cancel: Cancellation | None = None
    ) -> Any:
        request = InvokeRequest(export, method, tuple(args)).SerializeToString()
        response = self._module.invoke(InvokeRequest.FromString(request)).SerializeToString()
        return InvokeResponse.FromString(response).result


class _Constant(NamedTuple):
    value: Any


class _Function(NamedTuple):
    call: Callable[..., Any]
    most: int | None  # of arguments
    doc: str


_Leaf: TypeAlias = "_Function | _Constant"
_Member: TypeAlias = "_Leaf | dict[str, _Leaf]"


class _PlainModule:
    """Functions and values, by name."""

    def __init__(self, name: str, members: dict[str, _Member]) -> None:
        self.name = name
        self.manifest = ModuleManifest(name, exports=tuple(_specs(members)))
        self._members = members

    def shape(self, bind: Callable[[str, str], str]) -> Shape:
        def leaf(member: _Leaf, export: str, method: str) -> str | dict[str, Any]:
            return bind(export, method) if isinstance(member, _Function) else {"value": member.value}

        return [
            (name, [(inner, leaf(each, name, inner)) for inner, each in member.items()])
            if isinstance(member, dict)
            else (name, leaf(member, name, ""))
            for name, member in self._members.items()
        ]

    def invoke(
        self, export: str, method: str, args: list[Any], timeout: float | None, cancel: Cancellation | None = None
    ) -> Any:
        member = self._members[export]
        function = cast("_Function", member[method] if isinstance(member, dict) else member)
        try:
            result = function.call(*args[: function.most])
        except RemoteError:
            raise
        except Exception as error:  # the border to the host's own code, where anything may come
            raise _native_error(error) from error
        try:
            return _copy(result)
        except LocalProtocolError as error:
            what = f"{self.name}.{export}" + (f".{method}" if method else "")
            raise NativeError(f"convert result of {what}: {error}", name="TypeError") from error


def _native_error(error: Exception) -> NativeError:
    name, text, code = type(error).__name__, str(error), getattr(error, "code", None)
    if isinstance(error, PluginError):  # what a script threw that the function ran has a name of its own
        name, text = getattr(error, "name", "") or name, getattr(error, "message", text)
    elif isinstance(error, OSError):
        code = errno.errorcode.get(error.errno or 0)
    return NativeError(text, name=name, code=code if isinstance(code, str) else None)


def _copy(value: Any) -> Any:
    """`value` as it comes out of a plugin call. Raises LocalProtocolError if it cannot."""
    return value if type(value) in _AS_THEY_ARE else decode_value(encode_value(value))


# From a Python object to members


def _members(module: object, where: str) -> dict[str, _Member]:
    members: dict[str, _Member] = {}
    for name, value in _items(module, where).items():
        place = f"{where}.{name}"
        if callable(value) or _is_plain(value):
            members[name] = _leaf(value, place)
        else:
            members[name] = {inner: _leaf(each, f"{place}.{inner}") for inner, each in _items(value, place).items()}
    return members


def _items(owner: object, where: str) -> dict[str, Any]:
    """The entries of a mapping, or the public attributes of any other object."""
    if not isinstance(owner, Mapping):
        names: list[str] = getattr(owner, "__all__", None) or [name for name in dir(owner) if not name.startswith("_")]
        if not names:
            raise ConfigError(f"native module member {where} has nothing for JavaScript: {owner!r}")
        return {name: getattr(owner, name) for name in names}
    items = dict(cast("Mapping[Any, Any]", owner))
    for key in items:
        if not isinstance(key, str):
            raise ConfigError(f"native module member {where} has a name that is no text: {key!r}")
    return items


def _leaf(value: Any, where: str) -> _Leaf:
    if not callable(value):
        try:
            return _Constant(_copy(value))
        except LocalProtocolError as error:
            raise ConfigError(f"native module member {where} cannot cross to JavaScript: {error}") from error
    if inspect.iscoroutinefunction(value):
        raise ConfigError(f"native module member {where} is an async function; it must be a plain one")
    doc = value.__doc__
    return _Function(value, _most_arguments(value), inspect.cleandoc(doc) if isinstance(doc, str) else "")


def _is_plain(value: Any) -> bool:
    try:
        encode_value(value)
    except LocalProtocolError:
        return False
    return True


def _most_arguments(function: Callable[..., Any]) -> int | None:
    """How many arguments the function can be called with; None if that is not known, or without limit."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # some builtins do not tell
        return None
    if any(each.kind is each.VAR_POSITIONAL for each in parameters):
        return None
    return sum(each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD) for each in parameters)


def _specs(members: dict[str, _Member]) -> list[ExportSpec]:
    """The functions among `members`, as a manifest lists them."""
    specs: list[ExportSpec] = []
    for name, member in members.items():
        if isinstance(member, _Function):
            specs.append(ExportSpec(name, ExportKind.FUNCTION, member.doc))
        elif isinstance(member, dict):
            functions = {inner: each for inner, each in member.items() if isinstance(each, _Function)}
            methods = [MethodSpec(inner, each.doc.partition("\n")[0], each.doc) for inner, each in functions.items()]
            if methods:
                specs.append(ExportSpec(name, ExportKind.OBJECT, "", tuple(methods)))
    return specs
