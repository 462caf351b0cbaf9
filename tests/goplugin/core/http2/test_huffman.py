from __future__ import annotations

import pytest
from hpack.exceptions import HPACKDecodingError
from hpack.huffman import HuffmanEncoder
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH
from hpack.huffman_table import decode_huffman
from hypothesis import example, given
from hypothesis import strategies as st

from goplugin.core.http2 import huffman

ENCODER = HuffmanEncoder(REQUEST_CODES, REQUEST_CODES_LENGTH)


@given(st.binary())
def test_every_string_comes_back_from_another_encoder(text: bytes) -> None:
    assert huffman.decode(ENCODER.encode(text)) == text


@pytest.mark.parametrize("symbol", range(256))
def test_every_symbol_has_the_code_of_the_appendix(symbol: int) -> None:
    assert huffman.decode(ENCODER.encode(bytes((symbol,)))) == bytes((symbol,))


@given(st.binary(max_size=64))
@example(b"\xff")
@example(b"\xff\xff\xff\xff")
@example(b"\x00")
def test_any_bytes_mean_what_they_mean_to_another_decoder_or_nothing_to_both(data: bytes) -> None:
    try:
        expected = decode_huffman(data)
    except HPACKDecodingError:
        with pytest.raises(huffman.HuffmanError):
            huffman.decode(data)
    else:
        assert huffman.decode(data) == expected


def test_padding_of_a_whole_byte_is_refused() -> None:
    with pytest.raises(huffman.HuffmanError):
        huffman.decode(ENCODER.encode(b"0") + b"\xff")


def test_padding_with_zeros_is_refused() -> None:
    with pytest.raises(huffman.HuffmanError):
        huffman.decode(b"\x38")    # a complete 5-bit code, then 000


def test_the_code_for_the_end_of_the_string_is_refused() -> None:
    with pytest.raises(huffman.HuffmanError):
        huffman.decode(b"\xff\xff\xff\xff")
