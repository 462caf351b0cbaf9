"""The functions that a module imports and exports, read from its bytes.

Rule 1: the engine's C API is not asked. It ends the process, at once and without an exception, when it is asked for
a type that it has no name for: a vector, a reference to a certain function. Any module can have those.
Rule 2: the engine has judged the module, so what is met here is valid. What comes of a proposal that is not known
here is refused, and not guessed.
Source: the WebAssembly specification, binary format.
"""
from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar

from .abi import Signature
from .binary import CUSTOM, EXPORT, FUNCTION, IMPORT, TYPE, Reader, sections

__all__ = ["Functions", "read_functions"]

_FUNCTION_TYPE = 0x60
_NAMES = {
    0x7F: "i32", 0x7E: "i64", 0x7D: "f32", 0x7C: "f64", 0x7B: "v128", 0x70: "funcref", 0x6F: "externref",
}
_REFERENCES = {0x63: "ref null", 0x64: "ref"}       # what they refer to comes behind
_FUNC, _TABLE, _MEMORY, _GLOBAL = 0, 1, 2, 3
_HAS_MAXIMUM = 1

_Entry = TypeVar("_Entry")


class Functions(NamedTuple):
    """By module and name, and by name."""

    imports: Mapping[tuple[str, str], Signature]
    exports: Mapping[str, Signature]


def read_functions(module: bytes) -> Functions:
    """What a valid module has. Raises ValueError for kinds of types and imports that are not known here."""
    content = {kind: data for kind, data in sections(module) if kind != CUSTOM}
    types = _each(content.get(TYPE), _read_type)
    imported = [(key, types[index]) for key, index in _each(content.get(IMPORT), _read_import) if index is not None]
    functions = [signature for _, signature in imported]    # by index: those that are imported come first
    functions += [types[index] for index in _each(content.get(FUNCTION), Reader.number)]
    exports = _each(content.get(EXPORT), _read_export)
    return Functions(dict(imported), {name: functions[index] for name, kind, index in exports if kind == _FUNC})


def _each(section: bytes | None, read: Callable[[Reader], _Entry]) -> list[_Entry]:
    """The entries of a section, which begins with their number."""
    if section is None:
        return []
    reader = Reader(section)
    return [read(reader) for _ in range(reader.number())]


def _read_type(reader: Reader) -> Signature:
    form = reader.byte()
    if form != _FUNCTION_TYPE:
        raise ValueError(f"type of the form {form:#x}")
    parameters, results = (tuple(_read_value_type(reader) for _ in range(reader.number())) for _ in range(2))
    return Signature(parameters, results)


def _read_value_type(reader: Reader) -> str:
    code = reader.byte()
    if code in _REFERENCES:
        return f"({_REFERENCES[code]} {_read_heap_type(reader)})"
    return _NAMES.get(code, f"{code:#x}")


def _read_heap_type(reader: Reader) -> str:
    """A type's number, or the code of what needs none; that is a negative number of one byte."""
    code = reader.number()
    return {0x70: "func", 0x6F: "extern"}.get(code, str(code))


def _read_import(reader: Reader) -> tuple[tuple[str, str], int | None]:
    """Module and name, and the number of the type of what is a function."""
    key = reader.name(), reader.name()
    kind = reader.byte()
    if kind == _FUNC:
        return key, reader.number()
    if kind == _TABLE:
        _read_value_type(reader)
        _read_limits(reader)
    elif kind == _MEMORY:
        _read_limits(reader)
    elif kind == _GLOBAL:
        _read_value_type(reader)
        reader.byte()
    else:
        raise ValueError(f"import of the kind {kind:#x}")
    return key, None


def _read_limits(reader: Reader) -> None:
    flags = reader.byte()
    if flags not in (0, _HAS_MAXIMUM):
        raise ValueError(f"limits with the flags {flags:#x}")
    for _ in range(1 + flags):
        reader.number()


def _read_export(reader: Reader) -> tuple[str, int, int]:
    return reader.name(), reader.byte(), reader.number()
