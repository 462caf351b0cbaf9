from __future__ import annotations

import pytest
from hpack import Decoder as OtherDecoder
from hpack import Encoder as OtherEncoder
from hpack import HeaderTuple, NeverIndexedHeaderTuple
from hpack.exceptions import HPACKError
from hypothesis import given, settings
from hypothesis import strategies as st

from goplugin.core.http2.faults import COMPRESSION_ERROR, CallFault, ConnectionFault
from goplugin.core.http2.hpack import DROP_TABLE, STATIC_TABLE, Decoder, encode_field

names = st.sampled_from([name for name, _ in STATIC_TABLE] + ["x-one", "x-two", "x-three-bin", "grpc-timeout"])
values = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40)
field_lists = st.lists(st.tuples(names, values), max_size=12)


def decoder(max_list_size: int = 1 << 20) -> Decoder:
    return Decoder(max_list_size)


def other_decode(other: OtherDecoder, block: bytes) -> list[tuple[str, str]]:
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in other.decode(block, raw=True)]


@given(st.lists(st.tuples(field_lists, st.booleans(), st.sampled_from([None, 0, 100, 4096])), max_size=8))
def test_a_conversation_with_another_encoder(blocks: list[tuple[list[tuple[str, str]], bool, int | None]]) -> None:
    other, ours = OtherEncoder(), decoder()

    for fields, huffman, table_size in blocks:
        if table_size is not None:
            other.header_table_size = table_size
        assert ours.decode(other.encode(fields, huffman=huffman)) == fields


@given(field_lists)
def test_what_we_encode_another_decoder_reads(fields: list[tuple[str, str]]) -> None:
    block = b"".join(encode_field(name, value) for name, value in fields)

    assert other_decode(OtherDecoder(), block) == fields


@given(field_lists)
def test_what_we_encode_leaves_no_trace_in_a_table(fields: list[tuple[str, str]]) -> None:
    ours = decoder()

    assert ours.decode(b"".join(encode_field(name, value) for name, value in fields)) == fields
    assert ours.stateless


@pytest.mark.parametrize("length", [0, 1, 14, 126, 127, 128, 254, 255, 256, 16_383 + 127, 70_000])
def test_strings_of_every_length_of_length(length: int) -> None:
    field = "x" * max(1, length), "v" * length
    block = encode_field(*field)

    assert decoder().decode(block) == [field]
    assert other_decode(OtherDecoder(max_header_list_size=1 << 20), block) == [field]


@given(st.lists(st.binary(max_size=60), max_size=4))
@settings(max_examples=300)
def test_any_bytes_mean_what_they_mean_to_another_decoder(blocks: list[bytes]) -> None:
    other, ours = OtherDecoder(), decoder()
    for block in blocks:
        try:
            expected = other_decode(other, block)
        except HPACKError:
            expected = None
        try:
            fields = ours.decode(block)
        except ConnectionFault:
            fields = None
        # Rejecting is the other's business where it differs: it takes a table size behind a field, and integers of
        # any length.
        if fields is None or expected is None:
            assert fields is None or expected is None
            return
        assert fields == expected


def test_never_indexed_literals_are_literals() -> None:
    secret = NeverIndexedHeaderTuple(b"authorization", b"secret")
    block = OtherEncoder().encode([secret, HeaderTuple(b"te", b"trailers")])

    assert decoder().decode(block) == [("authorization", "secret"), ("te", "trailers")]


def test_a_block_is_stateless_only_if_the_table_is_empty_before_and_after_it() -> None:
    ours = decoder()
    literal, indexing = encode_field("x-one", "1"), b"\x40\x05x-two\x01\x32"

    ours.decode(literal)
    assert ours.stateless
    ours.decode(indexing)                       # enters the table
    assert not ours.stateless
    ours.decode(literal)                        # the table is there
    assert not ours.stateless
    ours.decode(DROP_TABLE + literal)           # begins with a new size
    assert not ours.stateless
    ours.decode(literal)
    assert ours.stateless
    ours.decode(indexing)                       # a table of size 0 takes nothing
    assert ours.stateless


def test_a_field_larger_than_the_table_empties_it() -> None:
    ours = decoder()
    ours.decode(b"\x40\x05x-two\x01\x32")

    ours.decode(b"\x40\x05x-two" + b"\x7f\xa1\x1f" + b"v" * 4128)

    assert not ours.stateless       # it would mean something else to a table that has entries
    with pytest.raises(ConnectionFault, match="index 62"):
        ours.decode(b"\xbe")


@pytest.mark.parametrize(
    ("block", "text"),
    [
        (b"\x80", "index 0"),
        (b"\xbe", "index 62"),
        (b"\x00\x05x-on", "inside a field"),
        (b"\x00", "inside a field"),
        (b"\x7f", "inside a field"),
        (b"\x00\x01x\x81\x00", "middle of a code"),
        (b"\xff\xff\xff\xff\xff\xff", "too long"),
        (b"\x82\x20", "behind a field"),
        (b"\x3f\xe2\x1f", "4097 octets is larger than allowed"),
    ],
)
def test_a_malformed_block_costs_the_connection(block: bytes, text: str) -> None:
    with pytest.raises(ConnectionFault, match=text) as caught:
        decoder().decode(block)

    assert caught.value.error_code == COMPRESSION_ERROR


def test_a_list_that_is_too_long_is_read_to_its_end_all_the_same() -> None:
    ours = decoder(max_list_size=100)

    with pytest.raises(CallFault) as caught:
        ours.decode(b"\x40\x05x-one\x01\x31" * 3)

    assert caught.value.http_status == 431
    assert ours.decode(b"\xbf") == [("x-one", "1")]


def test_a_table_of_no_size_takes_nothing() -> None:
    ours = decoder()
    ours.decode(b"\x40\x05x-one\x01\x31")

    assert ours.decode(b"\x20\x82") == [(":method", "GET")]
    assert ours.decode(b"\x40\x05x-one\x01\x31") == [("x-one", "1")]
    assert ours.stateless


def test_strings_are_remembered_up_to_a_limit() -> None:
    other, ours = OtherEncoder(), decoder()
    other.header_table_size = 0

    for number in range(600):
        fields = [("x-one", f"value {number}"), ("x-long", f"{number}" * 200)]
        assert ours.decode(other.encode(fields)) == fields

    assert len(ours._memo) <= 256


def test_the_watched_field_is_found_where_its_value_stands() -> None:
    ours = Decoder(1 << 20, "grpc-timeout")
    before = encode_field(":method", "POST") + b"\x00\x0cgrpc-timeout"

    ours.decode(before + b"\x025S" + encode_field("te", "trailers"))
    assert ours.span == (len(before), len(before) + 3)

    ours.decode(b"\x40\x0cgrpc-timeout\x025S")      # this one enters the table
    assert ours.span is None
