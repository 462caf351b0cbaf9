"""The protobuf wire format, as far as the messages of this project need it.

The plugin side must not pay protobuf's import (28 ms of a 60 ms start) for five tiny messages, and two go-plugin
libraries in one process would fight over one descriptor pool; so the messages are written on these primitives, and
the tests hold them against protobuf's own runtime.
Source: the "Encoding" page of the protobuf documentation.
"""
from __future__ import annotations

from collections.abc import Iterator

from .errors import RemoteProtocolError

__all__ = [
    "VARINT", "FIXED64", "BYTES", "FIXED32",
    "encode_varint", "decode_varint", "bytes_field", "uint_field", "fields",
]

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_SINGLE_BYTES = [bytes((value,)) for value in range(128)]
_FIXED_SIZES = {FIXED64: 8, FIXED32: 4}


def encode_varint(value: int) -> bytes:
    """`value` (0 <= value < 2**64) as a varint."""
    if value < 128:
        return _SINGLE_BYTES[value]
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def decode_varint(data: bytes, position: int) -> tuple[int, int]:
    """The varint at `position` and the position behind it.

    Raises RemoteProtocolError if it is cut off or longer than ten bytes; bits above 64 are dropped, as protobuf does.
    """
    value = shift = 0
    try:
        while True:
            byte = data[position]
            position += 1
            value |= (byte & 127) << shift
            if byte < 128:
                return value & 0xFFFF_FFFF_FFFF_FFFF, position
            shift += 7
            if shift > 63:
                raise RemoteProtocolError("protobuf: varint longer than ten bytes")
    except IndexError:
        raise RemoteProtocolError("protobuf: message ends inside a varint") from None


def bytes_field(number: int, payload: bytes) -> bytes:
    """One length-delimited field: string, bytes or message. Writes it even if empty; proto3 callers leave it out."""
    return encode_varint(number << 3 | BYTES) + encode_varint(len(payload)) + payload


def uint_field(number: int, value: int) -> bytes:
    """One varint field: bool, enum or unsigned integer; nothing for zero, the proto3 default."""
    return encode_varint(number << 3) + encode_varint(value) if value else b""


def fields(data: bytes) -> Iterator[tuple[int, int, int | bytes]]:
    """Every field of a message as (number, wire type, value); varints are ints, all others bytes.

    Raises RemoteProtocolError on a message that is cut off, a field number of 0 or of more than 29 bits, and groups
    (proto2, never sent here).
    """
    position, end = 0, len(data)
    while position < end:
        tag, position = decode_varint(data, position)
        number, wire_type = tag >> 3, tag & 7
        if not 0 < number < 1 << 29:
            raise RemoteProtocolError(f"protobuf: field number {number}")
        if wire_type == VARINT:
            value, position = decode_varint(data, position)
            yield number, wire_type, value
            continue
        if wire_type == BYTES:
            size, position = decode_varint(data, position)
        else:
            size = _FIXED_SIZES.get(wire_type, -1)
            if size < 0:
                raise RemoteProtocolError(f"protobuf: wire type {wire_type} is not used here")
        if position + size > end:
            raise RemoteProtocolError("protobuf: message ends inside a field")
        yield number, wire_type, data[position : position + size]
        position += size
