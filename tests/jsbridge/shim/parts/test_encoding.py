"""TextEncoder, TextDecoder, atob and btoa; see jsbridge/shim/parts/encoding.js."""
from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.jsbridge.scripts import Session


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    """One engine for all the examples of a property."""
    session = Session()
    with session.engine:
        session.install("plugin:give", value=lambda: session.result)
        session.engine.eval("var give = require('plugin:give').value")
        yield session


def given_to(session: Session, value: object, expression: str) -> object:
    """What `expression` makes of `value`, which it sees as `it`."""
    session.result = value
    return session.engine.eval(f"var it = give(); {expression}")


@given(st.text())
def test_text_is_encoded_as_utf_8(session: Session, text: str) -> None:
    assert given_to(session, text, "Array.prototype.slice.call(new TextEncoder().encode(it))") == list(text.encode())


def test_a_surrogate_alone_is_encoded_as_the_replacement_character(session: Session) -> None:
    for text, size in [("\\ud800", 3), ("\\ude00", 3), ("\\ud800a", 4), ("\\ude00\\ud83d", 6)]:
        assert session.engine.eval(f"new TextEncoder().encode('{text}').length") == size


@given(st.binary())
def test_bytes_that_are_no_utf_8_are_replaced_as_python_does_it(session: Session, data: bytes) -> None:
    code = "new TextDecoder('UTF-8', {ignoreBOM: true}).decode(new Uint8Array(it))"

    assert given_to(session, list(data), code) == data.decode("utf-8", "replace")


@given(st.binary())
def test_a_fatal_decoder_refuses_them(session: Session, data: bytes) -> None:
    code = "try { new TextDecoder('utf8', {fatal: true}).decode(new Uint8Array(it)); true } catch (e) { e.name }"
    try:
        data.decode()
    except UnicodeDecodeError:
        assert given_to(session, list(data), code) == "TypeError"
    else:
        assert given_to(session, list(data), code) is True


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("new TextEncoder().encoding + new TextDecoder().encoding", "utf-8utf-8"),
        ("new TextEncoder().encode().length", 0),
        ("new TextDecoder().decode()", ""),
        ("new TextDecoder().decode(new Uint8Array([0xef, 0xbb, 0xbf, 0x61]))", "a"),
        ("new TextDecoder().decode(new Uint8Array([0x61, 0x62]).buffer)", "ab"),
        ("new TextDecoder().decode(new DataView(new Uint8Array([0x61, 0x62]).buffer, 1))", "b"),
        ("Object.keys(new TextDecoder())", []),
    ],
)
def test_coders_are_those_of_the_standard(session: Session, expression: str, value: object) -> None:
    assert session.engine.eval(expression) == value


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("TextEncoder()", "TypeError"),
        ("TextDecoder()", "TypeError"),
        ("new TextDecoder('utf-16')", "RangeError"),
        ("new TextDecoder().decode('text')", "TypeError"),
        ("new TextDecoder().decode(new Uint8Array(1), {stream: true})", "TypeError"),
        ("atob('a')", "InvalidCharacterError"),
        ("atob('a-==')", "InvalidCharacterError"),
        ("atob('aGk==')", "InvalidCharacterError"),
        ("btoa('\\u0100')", "InvalidCharacterError"),
    ],
)
def test_what_they_do_not_take_is_an_error(session: Session, code: str, name: str) -> None:
    assert session.error(code).name == name


@given(st.binary())
def test_base64_is_that_of_python(session: Session, data: bytes) -> None:
    text = base64.b64encode(data).decode()

    assert given_to(session, data.decode("latin-1"), "btoa(it)") == text
    assert given_to(session, text, "atob(it)") == data.decode("latin-1")


def test_white_space_and_missing_padding_do_no_harm(session: Session) -> None:
    assert session.engine.eval("[atob(' a\\nGk= '), atob('aGk'), atob('')]") == ["hi", "hi", ""]
