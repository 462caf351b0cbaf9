from __future__ import annotations

import base64
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goplugin.core.errors import LocalProtocolError
from goplugin.core.http2.faults import CallFault
from goplugin.core.http2.hpack import Decoder
from goplugin.core.http2.metadata import (
    UNLIMITED,
    decode_metadata,
    decode_timeout,
    encode_binary,
    encode_metadata,
    encode_timeout,
)
from goplugin.core.status import Code

keys = st.text(string.ascii_lowercase + string.digits + "-_.", min_size=1, max_size=10).map("x-".__add__)
texts = st.text(st.characters(min_codepoint=32, max_codepoint=126)).map(str.strip)
pairs = st.one_of(
    st.tuples(keys.filter(lambda key: not key.endswith("-bin")), texts),
    st.tuples(keys.map(lambda key: key + "-bin"), st.binary()),
)


@given(st.lists(pairs))
def test_what_is_encoded_comes_back_in_order(metadata: list[tuple[str, str | bytes]]) -> None:
    fields = Decoder(1 << 30).decode(encode_metadata(metadata, UNLIMITED))

    assert decode_metadata(fields) == tuple(metadata)


@given(st.binary())
def test_binary_values_are_base64_without_padding(value: bytes) -> None:
    assert encode_binary(value) == base64.b64encode(value).decode().rstrip("=")


def test_binary_values_come_with_or_without_padding_and_joined_by_commas() -> None:
    fields = [("k-bin", "YQ=="), ("k-bin", "YQ,YWI=, YWJj"), ("k-bin", "")]

    assert decode_metadata(fields) == tuple(("k-bin", value) for value in (b"a", b"a", b"ab", b"abc", b""))


@pytest.mark.parametrize("value", ["Y", "Y*Q", "YQ=x", "\u00e9"])
def test_a_binary_value_that_is_not_base64_ends_the_call(value: str) -> None:
    with pytest.raises(CallFault, match="malformed binary metadata") as caught:
        decode_metadata([("k-bin", value)])

    assert (caught.value.code, caught.value.http_status) == (Code.INTERNAL, 400)


def test_fields_of_grpc_and_http_are_not_metadata() -> None:
    fields = [
        (":path", "/"), ("te", "trailers"), ("content-type", "application/grpc"), ("user-agent", "x"),
        ("grpc-timeout", "1S"), ("grpc-status", "0"), ("grpc-message", ""), ("grpc-encoding", "gzip"),
        ("grpc-accept-encoding", "gzip"), ("grpc-status-details-bin", "YQ"), ("grpc-trace-bin", "YQ"), ("mine", "1"),
    ]

    assert decode_metadata(fields) == (("grpc-trace-bin", b"a"), ("mine", "1"))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("", "v"), ("Upper", "v"), ("with space", "v"), (":path", "/"), ("te", "x"), ("grpc-status", "0"),
        ("connection", "close"), ("content-type", "text/html"), ("k-bin", "text"), ("k", b"bytes"),
        ("k", "line\nbreak"), ("k", " space"), ("k", "space "), ("k", "\u00e9"), ("k", 1), ("k\u00e9", "v"),
    ],
)
def test_what_cannot_be_sent_is_refused(key: str, value: str) -> None:
    with pytest.raises(LocalProtocolError, match="metadata"):
        encode_metadata([(key, value)], UNLIMITED)


def test_more_than_the_peer_accepts_is_refused() -> None:
    metadata = [("key", "value")] * 2
    size = 2 * (len("keyvalue") + 32)

    assert encode_metadata(metadata, size)
    with pytest.raises(LocalProtocolError, match="1 octets larger"):
        encode_metadata(metadata, size - 1)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0n"), (-1, "0n"), (1e-9, "1n"), (0.05, "50000000n"), (0.099999999, "99999999n"), (0.1, "100000u"),
        (5, "5000000u"), (100, "100000m"), (99_999.999, "99999999m"), (100_000, "100000S"), (1e8, "1666667M"),
        (1e10, "2777778H"), (1e15, "99999999H"), (float("inf"), "99999999H"), (1.5e-9, "2n"),
    ],
)
def test_a_timeout_is_sent_in_the_finest_unit_that_fits(seconds: float, text: str) -> None:
    assert encode_timeout(seconds) == text


def test_a_timeout_has_to_be_a_number() -> None:
    with pytest.raises(LocalProtocolError, match="number"):
        encode_timeout(float("nan"))


@given(st.floats(1e-9, 1e11))
def test_a_timeout_comes_back_no_shorter_and_hardly_longer(seconds: float) -> None:
    text = encode_timeout(seconds)

    assert len(text) <= 9
    assert seconds * (1 - 1e-12) <= decode_timeout(text) <= seconds * (1 + 1e-5) + 1e-9


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1n", 1e-9), ("7u", 7e-6), ("250m", 0.25), ("3S", 3.0), ("2M", 120.0), ("99999999H", 99_999_999 * 3600.0)],
)
def test_every_unit_of_a_timeout(text: str, seconds: float) -> None:
    assert decode_timeout(text) == seconds


@pytest.mark.parametrize("text", ["", "S", "5", "5s", "-1S", "1.5S", "123456789S", "\u0665S", " 1S", "1S "])
def test_a_malformed_timeout_ends_the_call(text: str) -> None:
    with pytest.raises(CallFault, match="malformed grpc-timeout") as caught:
        decode_timeout(text)

    assert (caught.value.code, caught.value.http_status) == (Code.INTERNAL, 400)
