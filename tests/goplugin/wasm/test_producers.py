from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from goplugin.wasm.producers import read_producers

HEAD = b"\0asm\1\0\0\0"


def text(value: str) -> bytes:
    return bytes([len(value)]) + value.encode()


def section(kind: int, content: bytes) -> bytes:
    size = len(content)
    return bytes([kind, size & 127 | 128, size >> 7]) + content


GO = section(
    0,
    text("producers") + b"\2"
    + text("language") + b"\1" + text("Go") + text("go1.26")
    + text("processed-by") + b"\2" + text("Go cmd/compile") + text("go1.26") + text("other") + text(""),
)  # fmt: skip


def test_the_toolchain_names_itself() -> None:
    module = HEAD + section(1, b"\0" * 200) + section(0, text("name") + b"\0") + GO

    assert read_producers(module) == {"language": ("Go",), "processed-by": ("Go cmd/compile", "other")}


def test_a_module_need_not_say_who_made_it() -> None:
    assert read_producers(HEAD) == {}
    assert read_producers(HEAD + section(0, text("name"))) == {}


@given(st.integers(0, len(GO) - 1))
def test_a_section_that_is_cut_off_is_not_known(size: int) -> None:
    assert read_producers(HEAD + GO[:size]) == {}


@given(st.binary())
def test_any_bytes_are_read_without_an_error(data: bytes) -> None:
    read_producers(HEAD + data)
    read_producers(HEAD + section(0, text("producers") + data))
