from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from goplugin.core.errors import RemoteProtocolError
from goplugin.core.protowire import (
    BYTES,
    FIXED32,
    FIXED64,
    VARINT,
    bytes_field,
    decode_varint,
    encode_varint,
    fields,
    uint_field,
)
from tests.goplugin.core.oracle import message_types

EVERY_KIND: Any = message_types(
    "wire", {"EveryKind": ["uint64 number = 1", "bytes content = 2", "fixed64 eight = 3", "fixed32 four = 300"]}
)["EveryKind"]
UINT64 = st.integers(0, 2**64 - 1)


@pytest.mark.parametrize(
    ("value", "data"),
    [(0, b"\x00"), (127, b"\x7f"), (128, b"\x80\x01"), (300, b"\xac\x02"), (2**64 - 1, b"\xff" * 9 + b"\x01")],
)
def test_a_varint_has_seven_bits_a_byte_the_lowest_first(value: int, data: bytes) -> None:
    assert encode_varint(value) == data
    assert decode_varint(data, 0) == (value, len(data))


@given(UINT64)
def test_a_varint_comes_back(value: int) -> None:
    encoded = encode_varint(value)

    assert decode_varint(b"\xff" + encoded + b"\xff", 1) == (value, 1 + len(encoded))


@given(UINT64, st.binary(max_size=300), UINT64, st.integers(0, 2**32 - 1))
def test_fields_reads_what_protobuf_writes(number: int, content: bytes, eight: int, four: int) -> None:
    data = EVERY_KIND(number=number, content=content, eight=eight, four=four).SerializeToString()

    values = {key: (wire_type, value) for key, wire_type, value in fields(data)}

    assert values == {
        **({1: (VARINT, number)} if number else {}),
        **({2: (BYTES, content)} if content else {}),
        **({3: (FIXED64, eight.to_bytes(8, "little"))} if eight else {}),
        **({300: (FIXED32, four.to_bytes(4, "little"))} if four else {}),
    }


@given(UINT64, st.binary(max_size=300))
def test_protobuf_reads_what_the_field_functions_write(number: int, content: bytes) -> None:
    message = EVERY_KIND.FromString(uint_field(1, number) + bytes_field(2, content))

    assert (message.number, message.content) == (number, content)


def test_a_zero_is_not_written_and_empty_bytes_are() -> None:
    assert uint_field(1, 0) == b""
    assert bytes_field(2, b"") == b"\x12\x00"


def test_bits_above_the_sixty_fourth_are_dropped() -> None:
    assert decode_varint(b"\xff" * 9 + b"\x7f", 0) == (2**64 - 1, 10)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\x80", "message ends inside a varint"),
        (b"\x08", "message ends inside a varint"),
        (b"\x08" + b"\x80" * 10 + b"\x00", "varint longer than ten bytes"),
        (b"\x00\x00", "field number 0"),
        (b"\x0b\x0c", "wire type 3 is not used here"),
        (b"\x0e", "wire type 6 is not used here"),
        (b"\x12\x02x", "message ends inside a field"),
        (b"\x19\x00", "message ends inside a field"),
    ],
)
def test_a_damaged_message_is_refused(data: bytes, text: str) -> None:
    with pytest.raises(RemoteProtocolError, match=f"^protobuf: {text}$"):
        list(fields(data))


@given(st.binary(max_size=64))
def test_any_bytes_are_fields_or_refused(data: bytes) -> None:
    try:
        list(fields(data))
    except RemoteProtocolError as error:
        # Groups are the one thing that protobuf reads and we do not: proto3 cannot declare them.
        if "is not used here" not in str(error):
            with pytest.raises(DecodeError):
                EVERY_KIND.FromString(data)
