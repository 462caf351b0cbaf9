from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goplugin.wasm.binary import CUSTOM, FUNCTION, Reader, sections

HEAD = b"\0asm\1\0\0\0"


def encoded(value: int) -> bytes:
    groups = [value & 127]
    while value := value >> 7:
        groups.append(value & 127)
    return bytes([*(group | 128 for group in groups[:-1]), groups[-1]])


@given(st.integers(0, 2**32 - 1))
def test_a_number_is_read_as_it_was_written(value: int) -> None:
    reader = Reader(encoded(value) + b"\7")

    assert (reader.number(), reader.byte(), reader.at_end) == (value, 7, True)


@pytest.mark.parametrize("data", [b"", b"\x80", b"\xff" * 1_000_000], ids=["nothing", "cut off", "endless"])
def test_a_number_of_more_than_five_bytes_is_none(data: bytes) -> None:
    with pytest.raises(ValueError, match="bytes"):
        Reader(data).number()


def test_a_name_that_is_cut_off_is_none() -> None:
    assert Reader(b"\2hi").name() == "hi"
    with pytest.raises(ValueError, match="3 bytes at 1 of 3"):
        Reader(b"\3hi").name()


def test_a_module_is_its_sections() -> None:
    assert list(sections(HEAD)) == []
    assert list(sections(HEAD + b"\0\2\1x" + b"\3\1\0")) == [(CUSTOM, b"\1x"), (FUNCTION, b"\0")]
