"""Who made a module, as its custom section `producers` has it.

Rule 1: the engine has judged the module; what cannot be read here is simply not known.
Source: the WebAssembly specification, binary format; tool-conventions, ProducersSection.md.
"""
from __future__ import annotations

from collections.abc import Iterator

__all__ = ["read_producers"]

_HEADER_SIZE = 8
_CUSTOM = 0


def read_producers(module: bytes) -> dict[str, tuple[str, ...]]:
    """Names by field, versions left out: ``{"language": ("Go",), "processed-by": ("Go cmd/compile",)}``."""
    try:
        for section in _custom_sections(module):
            name, position = _read_name(section, 0)
            if name == "producers":
                return _read_fields(section, position)
    except IndexError:
        pass
    return {}


def _custom_sections(module: bytes) -> Iterator[bytes]:
    position = _HEADER_SIZE
    while position < len(module):
        kind = module[position]
        size, position = _read_number(module, position + 1)
        if kind == _CUSTOM:
            yield module[position : position + size]
        position += size


def _read_fields(section: bytes, position: int) -> dict[str, tuple[str, ...]]:
    fields: dict[str, tuple[str, ...]] = {}
    count, position = _read_number(section, position)
    for _ in range(count):
        field, position = _read_name(section, position)
        values, position = _read_number(section, position)
        names: list[str] = []
        for _ in range(values):
            name, position = _read_name(section, position)
            _, position = _read_name(section, position)     # its version
            names.append(name)
        fields[field] = tuple(names)
    return fields


def _read_name(data: bytes, position: int) -> tuple[str, int]:
    size, position = _read_number(data, position)
    if position + size > len(data):
        raise IndexError(position + size)
    return data[position : position + size].decode("utf-8", "replace"), position + size


def _read_number(data: bytes, position: int) -> tuple[int, int]:
    """An unsigned LEB128. Raises IndexError if it ends behind the data."""
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, position
        shift += 7
