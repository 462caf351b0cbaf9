"""What a handler is called with, and the texts for arguments that are not what it wants.

The helpers convert nothing: "12" is no number, 1 is no boolean and null is nothing at all. Their texts are those of
Go's SDK, Go's type names included, so that a module says the same in either language.
Source: go-go-goja pkg/hashiplugin/sdk, Call.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from goplugin.core.errors import LocalProtocolError, PluginError

from .binary import decode_base64
from .values import encode_value

if TYPE_CHECKING:
    import builtins

    from google.protobuf.struct_pb2 import Value

    from goplugin.context import CallContext

__all__ = ["ArgumentError", "Call", "format_number", "mismatch", "out_of_range", "read_bytes"]

_GO_TYPES: dict[type, str] = {
    type(None): "<nil>",
    bool: "bool",
    float: "float64",
    int: "float64",
    str: "string",
    list: "[]interface {}",
    dict: "map[string]interface {}",
}


class ArgumentError(PluginError):
    """The caller's arguments are not those that the handler takes."""


class Call:
    """One call from JavaScript.

    `args` are its arguments as Python values: None, bool, float, str, list and dict. An explicit `undefined` is None
    and counts; an argument that was left out does not. `method_name` is empty if the export is a function.

    Every helper takes the argument's position, from 0, and raises ArgumentError if there is none or, except for
    `value` and `string_default`, if it is of another type.
    """

    __slots__ = ("_context", "args", "export_name", "method_name")

    def __init__(
        self, export_name: str, method_name: str, args: tuple[Any, ...], context: CallContext | None = None
    ) -> None:
        self.export_name = export_name
        self.method_name = method_name
        self.args = args
        self._context = context

    def __len__(self) -> int:
        return len(self.args)

    @property
    def context(self) -> CallContext:
        """How long the caller waits, whether it has given up, and the metadata of its call.

        A call that was not made through a server has one without deadline and metadata.
        """
        if self._context is None:
            from goplugin.context import CallContext

            self._context = CallContext()
        return self._context

    @property
    def raw_args(self) -> tuple[Value, ...]:
        """The arguments as protobuf's own messages, made anew each time.

        Raises LocalProtocolError if one is nested deeper than protobuf's parser goes.
        """
        from google.protobuf.message import DecodeError
        from google.protobuf.struct_pb2 import Value

        try:
            return tuple(Value.FromString(encode_value(arg)) for arg in self.args)
        except DecodeError as error:
            raise LocalProtocolError(f"argument is too deep for google.protobuf.Value: {error}") from error

    def value(self, index: int) -> Any:
        """The argument, whatever it is."""
        if 0 <= index < len(self.args):
            return self.args[index]
        raise out_of_range(index, len(self.args))

    def string(self, index: int) -> str:
        value = self.value(index)
        if isinstance(value, str):
            return value
        raise mismatch(index, "string", value)

    def number(self, index: int) -> float:
        """The number, integral or not, NaN and the infinities included."""
        value = self.value(index)
        if isinstance(value, float):
            return value
        if isinstance(value, int) and not isinstance(value, bool):
            return float(value)  # made in Python: from the wire, every number is a float
        raise mismatch(index, "float64", value)

    def boolean(self, index: int) -> bool:
        value = self.value(index)
        if isinstance(value, bool):
            return value
        raise mismatch(index, "bool", value)

    def map(self, index: int) -> dict[str, Any]:
        """The object, as a dict."""
        value = self.value(index)
        if isinstance(value, dict):
            return value  # pyright: ignore[reportUnknownVariableType] - its values are JavaScript's
        raise mismatch(index, "map[string]any", value)

    def slice(self, index: int) -> list[Any]:
        """The array, as a list."""
        value = self.value(index)
        if isinstance(value, list):
            return value  # pyright: ignore[reportUnknownVariableType] - its values are JavaScript's
        raise mismatch(index, "[]any", value)

    def bytes(self, index: int) -> builtins.bytes:
        """The bytes of a Uint8Array or ArrayBuffer, which arrives as base64 text; see binary.py."""
        return read_bytes(self.value(index), index)

    def string_default(self, index: int, fallback: str) -> str:
        """The string; `fallback` if it is empty, something else or missing."""
        value = self.args[index] if 0 <= index < len(self.args) else None
        return value if isinstance(value, str) and value else fallback


def read_bytes(value: object, where: int | str) -> bytes:
    """The bytes that the argument at `where` stands for. Raises ArgumentError if it is no base64 text."""
    if not isinstance(value, str):
        raise mismatch(where, "bytes", value)
    try:
        return decode_base64(value)
    except ValueError as error:
        raise ArgumentError(f"sdk call argument {where} expected bytes, got text that is no base64: {error}") from None


def mismatch(where: int | str, want: str, value: object) -> ArgumentError:
    """The error for the argument at `where` that should be a `want` and is `value`."""
    got = _GO_TYPES.get(type(value)) or type(value).__name__
    return ArgumentError(f"sdk call argument {where} expected {want}, got {got}")


def out_of_range(index: int, count: int) -> ArgumentError:
    """The error for the argument at `index` that is missing; there are `count`."""
    return ArgumentError(f"sdk call argument {index} out of range (have {count})")


def format_number(value: float) -> str:
    """A JavaScript number for a message, as Go's `%v` prints it: `3`, `-1.5`, `1e+21`, `NaN`, `+Inf`."""
    text = repr(float(value))
    if text in ("nan", "inf", "-inf"):
        return {"nan": "NaN", "inf": "+Inf", "-inf": "-Inf"}[text]
    digits, _, exponent = text.partition("e+")
    if exponent and int(exponent) < 21:  # Python changes to an exponent at 1e16
        whole, _, fraction = digits.partition(".")
        return whole + fraction.ljust(int(exponent), "0")
    return text.removesuffix(".0")
