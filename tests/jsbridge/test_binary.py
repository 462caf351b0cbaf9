from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from goplugin.core.errors import RemoteProtocolError
from jsbridge.binary import (
    bytes_capability,
    decode_base64,
    encode_base64,
    read_result,
    reading_bytes,
    returns_bytes,
)
from tests.support import requirement


@given(st.binary())
def test_base64_is_the_standard_one_with_padding(data: bytes) -> None:
    assert encode_base64(data) == base64.b64encode(data).decode()
    assert decode_base64(encode_base64(data)) == data


@pytest.mark.parametrize("text", ["QQ", "Q===", "QQ==QQ==", "QQ==\n", "Q Q==", "-_==", "====", "é", "hello"])
def test_nothing_else_is_taken_for_base64(text: str) -> None:
    with pytest.raises(ValueError, match=r"[Bb]ase64|padding|ASCII"):
        decode_base64(text)


@given(st.text())
def test_any_text_is_bytes_or_a_value_error(text: str) -> None:
    try:
        data = decode_base64(text)
    except ValueError:
        return
    assert len(encode_base64(data)) == len(text)


@requirement("ow.bytes")
@pytest.mark.parametrize(
    ("export", "method", "capability"),
    [
        ("digest", "", "goplugin.bytes/1:digest"),
        ("hash", "sha256", "goplugin.bytes/1:hash.sha256"),
        ("o.p", "", "goplugin.bytes/1:o%2Ep"),
        ("100%", "a.b", "goplugin.bytes/1:100%25.a%2Eb"),
    ],
)
def test_a_function_that_returns_bytes_is_named_by_a_capability(export: str, method: str, capability: str) -> None:
    assert bytes_capability(export, method) == capability
    assert returns_bytes(["examples", capability], export, method)
    assert not returns_bytes(["examples", export], export, method)


@given(st.tuples(st.text(), st.text()), st.tuples(st.text(), st.text()))
def test_no_two_functions_have_one_capability(one: tuple[str, str], other: tuple[str, str]) -> None:
    assume(one[0])
    assume(other[0])  # an export has a name

    assert (bytes_capability(*one) == bytes_capability(*other)) == (one == other)


@pytest.mark.parametrize(("sent", "data"), [("AP8=", b"\x00\xff"), ("", b""), (None, None)])
def test_a_result_that_is_bytes_is_read(sent: str | None, data: bytes | None) -> None:
    assert read_result(sent) == data


@pytest.mark.parametrize("sent", ["x", 5.0, True, ["AP8="], {}])
def test_a_result_that_should_be_bytes_and_is_not_is_the_plugins_error(sent: Any) -> None:
    with pytest.raises(RemoteProtocolError, match="result is declared to be bytes, and is no base64: "):
        read_result(sent)


def test_only_results_that_are_announced_are_read() -> None:
    def invoke(export: str, method: str, args: list[Any], timeout: float | None) -> Any:
        return "AP8="

    read = reading_bytes(invoke, ["examples", "goplugin.bytes/1:hash.sha256"])

    assert read("hash", "sha256", [], None) == b"\x00\xff"
    assert read("hash", "name", [], None) == "AP8="
    assert read("hash", "", [], None) == "AP8="


def test_a_module_without_bytes_is_called_as_before() -> None:
    def invoke(export: str, method: str, args: list[Any], timeout: float | None) -> Any: ...

    assert reading_bytes(invoke, ["examples"]) is invoke
