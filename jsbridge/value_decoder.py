"""The reading half of values.py: the bytes of a `google.protobuf.Value` to a Python value.

A list or dict is put in its place at once and filled later, level by level; so nothing recurses, and nothing is
copied but what ends up in the result.
Source: google/protobuf/struct.proto and the "Encoding" page of the protobuf documentation.
"""
from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import Any

from goplugin.core.errors import RemoteProtocolError
from goplugin.core.protowire import BYTES, FIXED32, FIXED64, VARINT, decode_varint

__all__ = ["MAX_DEPTH", "decode_text", "decode_value"]

MAX_DEPTH = 10_000
"""Lists and dicts inside one another. Peers may stop earlier: protobuf for Python and C++ at 33 dicts or 50 lists."""

# field number << 3 | wire type
_NULL, _NUMBER, _STRING, _BOOL, _STRUCT, _LIST = 0x08, 0x11, 0x1A, 0x20, 0x2A, 0x32
_ITEM = 0x0A  # a value of a ListValue, and an entry of a Struct
_KEY, _VALUE = 0x0A, 0x12  # inside an entry
_KINDS = frozenset((_NULL, _NUMBER, _STRING, _BOOL, _STRUCT, _LIST))
_FIXED_SIZES = {FIXED64: 8, FIXED32: 4}
_read_double = Struct("<d").unpack_from
_read_items = Struct("<3xd").iter_unpack  # numbers in a list, each with its three bytes of head

_Pending = tuple[Any, int, int]
"""A list or dict that is in its place and still empty, and where in the message its contents begin and end."""


def decode_value(data: bytes) -> Any:
    """The Python value of one google.protobuf.Value; None if its kind is absent.

    Raises RemoteProtocolError for bytes that are no such message, and for nesting deeper than MAX_DEPTH.
    """
    pending: list[_Pending] = []
    try:
        value = _read_value(data, 0, len(data), pending)
        depth = 0
        while pending:
            depth += 1
            if depth > MAX_DEPTH:
                raise RemoteProtocolError(f"protobuf: value is nested deeper than {MAX_DEPTH} levels")
            deeper: list[_Pending] = []
            for container, start, end in pending:
                fill: Any = _fill_list if type(container) is list else _fill_dict
                fill(container, data, start, end, deeper)
            pending = deeper
    except IndexError:  # read on where the message had ended
        raise RemoteProtocolError("protobuf: message ends inside a field") from None
    except UnicodeDecodeError as error:
        raise _not_utf8(error) from None
    return value


def decode_text(data: bytes) -> str:
    """A protobuf string. Raises RemoteProtocolError if it is not UTF-8."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise _not_utf8(error) from None


def _not_utf8(error: UnicodeDecodeError) -> RemoteProtocolError:
    return RemoteProtocolError(f"protobuf: string is not UTF-8: {error.reason}")


def _read_value(data: bytes, start: int, end: int, pending: list[_Pending]) -> Any:
    """The Value in data[start:end]; a list or dict is empty yet, and entered in `pending`.

    Encoders write a Value as exactly one field. Anything else goes to _merge_values, which knows every rule.
    """
    if end - start >= 2:
        tag = data[start]
        if tag == _NUMBER and end - start == 9:
            return _read_double(data, start + 1)[0]
        size = data[start + 1]
        body = start + 2
        if size > 127:
            size, body = decode_varint(data, start + 1)
        if body + size == end:
            if tag == _STRING:
                return data[body:end].decode()
            if tag in (_LIST, _STRUCT):
                container: Any = [] if tag == _LIST else {}
                if size:
                    pending.append((container, body, end))
                return container
        if body == end and tag in (_NULL, _BOOL):
            return size != 0 if tag == _BOOL else None
    return _merge_values(data, [(start, end)], pending)


def _fill_list(items: list[Any], data: bytes, start: int, end: int, pending: list[_Pending]) -> None:
    """Append the values of the ListValue in data[start:end]."""
    if data.startswith(b"\x0a\x09\x11", start, end) and _holds_only_numbers(data, start, end):
        items += [number for number, in _read_items(memoryview(data)[start:end])]
        return
    for item_start, item_end in _item_spans(data, start, end):
        items.append(_read_value(data, item_start, item_end, pending))


def _holds_only_numbers(data: bytes, start: int, end: int) -> bool:
    """Whether every item of this ListValue has the eleven bytes that encoders make of a number."""
    count, rest = divmod(end - start, 11)
    return (
        rest == 0
        and data[start:end:11] == b"\x0a" * count
        and data[start + 1 : end : 11] == b"\x09" * count
        and data[start + 2 : end : 11] == b"\x11" * count
    )


def _fill_dict(entries: dict[str, Any], data: bytes, start: int, end: int, pending: list[_Pending]) -> None:
    """Enter the fields of the Struct in data[start:end]."""
    for entry_start, entry_end in _item_spans(data, start, end):
        if entry_end - entry_start >= 4 and data[entry_start] == _KEY and data[entry_start + 1] < 128:
            key_start = entry_start + 2
            key_end = key_start + data[entry_start + 1]
            if key_end < entry_end and data[key_end] == _VALUE:
                size, value_start = data[key_end + 1], key_end + 2
                if size > 127:
                    size, value_start = decode_varint(data, key_end + 1)
                if value_start + size == entry_end:
                    key = data[key_start:key_end].decode()
                    entries[key] = _read_value(data, value_start, entry_end, pending)
                    continue
        key, spans = _merge_entry(data, entry_start, entry_end)
        entries[key] = _merge_values(data, spans, pending)


def _item_spans(data: bytes, position: int, end: int) -> Iterator[tuple[int, int]]:
    """Where each value of a ListValue, or each entry of a Struct, begins and ends."""
    while position < end:
        size = data[position + 1]
        if data[position] == _ITEM and size < 128:
            start, position = position + 2, position + 2 + size
            if position > end:
                raise RemoteProtocolError("protobuf: message ends inside a field")
            yield start, position
        else:
            tag, start, position = _next_field(data, position, end)
            if tag == _ITEM:
                yield start, position


def _merge_entry(data: bytes, position: int, end: int) -> tuple[str, list[tuple[int, int]]]:
    """The key of an entry and the spans of its value, whatever stands in it and in whatever order."""
    key, spans = "", list[tuple[int, int]]()
    while position < end:
        tag, start, position = _next_field(data, position, end)
        if tag == _KEY:
            key = data[start:position].decode()
        elif tag == _VALUE:
            spans.append((start, position))
    return key, spans


def _merge_values(data: bytes, spans: list[tuple[int, int]], pending: list[_Pending]) -> Any:
    """The one Value that all `spans` of the message make together."""
    kind, found = 0, list[tuple[int, int]]()
    for start, end in spans:
        position = start
        while position < end:
            tag, body, position = _next_field(data, position, end)
            if tag in _KINDS:
                if tag != kind or kind not in (_LIST, _STRUCT):  # what was found before counts no more
                    kind = tag
                    found.clear()
                if position > body or tag == _STRING:  # an empty list or struct adds nothing
                    found.append((body, position))
    if kind in (_LIST, _STRUCT):
        container: Any = [] if kind == _LIST else {}
        pending.extend((container, start, end) for start, end in found)
        return container
    return _read_scalar(data, kind, *found[-1]) if found else None


def _read_scalar(data: bytes, kind: int, start: int, end: int) -> float | str | bool | None:
    if kind == _NUMBER:
        return _read_double(data, start)[0]
    if kind == _STRING:
        return data[start:end].decode()
    return decode_varint(data, start)[0] != 0 if kind == _BOOL else None


def _next_field(data: bytes, position: int, end: int) -> tuple[int, int, int]:
    """Any field: its tag, and where its payload begins and ends."""
    tag, start = decode_varint(data, position)
    if tag < 8:
        raise RemoteProtocolError("protobuf: field number 0")
    wire_type = tag & 7
    if wire_type == VARINT:
        _, stop = decode_varint(data, start)
    elif wire_type == BYTES:
        size, start = decode_varint(data, start)
        stop = start + size
    elif wire_type in _FIXED_SIZES:
        stop = start + _FIXED_SIZES[wire_type]
    else:
        raise RemoteProtocolError(f"protobuf: wire type {wire_type} is not used here")
    if stop > end:
        raise RemoteProtocolError("protobuf: message ends inside a field")
    return tag, start, stop
