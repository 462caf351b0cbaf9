from __future__ import annotations

import pytest
from hpack import Encoder
from hypothesis import given
from hypothesis import strategies as st

from goplugin.core.http2.faults import PROTOCOL_ERROR, CallFault, ConnectionFault, StreamFault
from goplugin.core.http2.headers import BlockCache, Fields, HeaderReader, split_fields
from goplugin.core.http2.hpack import DROP_TABLE, encode_field
from goplugin.core.http2.metadata import decode_timeout

from .support import block

TIMEOUT = "grpc-timeout"
NAMES = frozenset((":path", ":method"))


def names_of(fields: Fields) -> tuple[str, ...]:
    return tuple(name for name, _ in fields)


def new(max_list_size: int = 1 << 20) -> tuple[HeaderReader, BlockCache[tuple[str, ...]]]:
    reader = HeaderReader(max_list_size)
    return reader, reader.cache(names_of)


def all_of(fields: Fields) -> tuple[tuple[str, str], ...]:
    dict(fields).get(TIMEOUT) is None or decode_timeout(dict(fields)[TIMEOUT])
    return tuple(fields)


def with_timeout(fields: tuple[tuple[str, str], ...], timeout: str) -> tuple[tuple[str, str], ...]:
    decode_timeout(timeout)
    last = max(index for index, (name, _) in enumerate(fields) if name == TIMEOUT)
    return (*fields[:last], (TIMEOUT, timeout), *fields[last + 1 :])


def new_watching() -> tuple[HeaderReader, BlockCache[tuple[tuple[str, str], ...]]]:
    reader = HeaderReader(1 << 20, watched=TIMEOUT)
    return reader, reader.cache(all_of, with_timeout)


def test_a_block_without_memory_is_remembered() -> None:
    reader, cache = new()
    one = block(("x-one", "1"))

    assert reader.read(one, cache) == ("x-one",)
    assert cache.known == {one: ("x-one",)}
    assert reader.read(one, cache) is cache.known[one]


def test_a_block_that_enters_the_table_empties_the_memory() -> None:
    reader, cache = new()
    reader.read(block(("x-one", "1")), cache)

    reader.read(b"\x40\x05x-two\x01\x32", cache)

    assert cache.known == {}
    reader.read(block(("x-one", "1")), cache)
    assert cache.known == {}            # the table is there, so nothing is remembered


def test_a_new_table_size_empties_the_memory_and_is_not_remembered() -> None:
    reader, cache = new()
    one = block(("x-one", "1"))
    reader.read(one, cache)

    reader.read(DROP_TABLE + one, cache)

    assert cache.known == {}
    reader.read(one, cache)
    assert list(cache.known) == [one]


def test_a_block_that_nobody_wants_is_followed() -> None:
    reader, cache = new(max_list_size=40)

    reader.skip(b"\x40\x05x-two\x01\x32" * 2)    # too long a list, too

    assert reader.read(b"\xbe", cache) == ("x-two",)


def test_the_memory_is_bounded() -> None:
    reader, cache = new_watching()

    for number in range(500):
        reader.read(block(("x-one", str(number)), (TIMEOUT, "1S")), cache)
    reader.read(block(("x-large", "v" * 2000)), cache)

    assert len(cache.known) <= 128
    assert len(cache.patterns) <= 32
    assert all(len(known) < 1100 for known in cache.known)


def test_what_cannot_be_parsed_is_not_remembered() -> None:
    reader = HeaderReader(1 << 20)

    def refuse(fields: Fields) -> str:
        raise StreamFault(PROTOCOL_ERROR, fields[0][0])

    cache = reader.cache(refuse)
    for _ in range(2):
        with pytest.raises(StreamFault, match="x-one"):
            reader.read(block(("x-one", "1")), cache)
    assert cache.known == {}


def test_a_block_that_is_known_but_for_its_timeout_is_recalled() -> None:
    reader, cache = new_watching()
    before, behind = (":method", "POST"), ("x-one", "1")
    reader.read(block(before, (TIMEOUT, "5S"), behind), cache)
    other = block(before, (TIMEOUT, "250m"), behind)

    assert reader.recall(other, cache) == (before, (TIMEOUT, "250m"), behind)
    assert reader.read(other, cache) == (before, (TIMEOUT, "250m"), behind)
    assert other not in cache.known


@pytest.mark.parametrize(
    "other",
    [
        block((TIMEOUT, "6S"), ("x-one", "2")),                    # other octets behind the value
        block((TIMEOUT, "6S")),
        block((TIMEOUT, "6 S"), ("x-one", "1")),                   # a timeout that makes no sense
        block((TIMEOUT, "6S"), ("x-one", "1"))[:14],               # ends inside the value's length
        encode_field(TIMEOUT, "")[:-1],                            # ends before it
        encode_field(TIMEOUT, "")[:-1] + b"\x81\x00",              # no Huffman code
    ],
)
def test_any_other_block_is_not_recalled(other: bytes) -> None:
    reader, cache = new_watching()
    reader.read(block((TIMEOUT, "5S"), ("x-one", "1")), cache)

    assert reader.recall(other, cache) is None


def test_a_timeout_that_makes_no_sense_is_refused_though_the_rest_is_known() -> None:
    reader, cache = new_watching()
    reader.read(block((TIMEOUT, "5S")), cache)

    with pytest.raises(CallFault, match="malformed grpc-timeout"):
        reader.read(block((TIMEOUT, "5 S")), cache)


def test_patterns_are_forgotten_with_the_blocks() -> None:
    reader, cache = new_watching()
    reader.read(block((TIMEOUT, "5S")), cache)

    reader.read(b"\x40\x05x-two\x01\x32", cache)

    assert reader.recall(block((TIMEOUT, "6S")), cache) is None
    assert cache.patterns == {}
    assert not cache.lengths


fields = st.lists(
    st.tuples(st.sampled_from([":method", "te", "x-one", TIMEOUT, "x-two"]), st.sampled_from(["", "1", "5S", "77m"])),
    min_size=1,
    max_size=4,
)


@given(st.lists(st.tuples(fields, st.booleans(), st.sampled_from([None, 0, 70, 4096])), max_size=12))
def test_remembering_changes_nothing(blocks: list[tuple[list[tuple[str, str]], bool, int | None]]) -> None:
    """The reader with its caches against a decoder without, on blocks from an encoder that uses its table."""
    encoder = Encoder()
    reader, cache = new_watching()
    forgetful, scratch = new_watching()
    for sent, huffman, table_size in blocks:
        if table_size is not None:
            encoder.header_table_size = table_size
        data = encoder.encode(sent, huffman=huffman)
        scratch.forget()
        try:
            expected = forgetful.read(data, scratch)
        except CallFault:
            with pytest.raises(CallFault):
                reader.read(data, cache)
        else:
            assert reader.read(data, cache) == expected == tuple(sent)


@given(st.lists(st.binary(max_size=12), max_size=12))
def test_remembering_changes_nothing_for_any_bytes(blocks: list[bytes]) -> None:
    reader, cache = new_watching()
    forgetful, scratch = new_watching()
    for data in blocks:
        scratch.forget()
        try:
            expected: object = forgetful.read(data, scratch)
        except ConnectionFault:
            with pytest.raises(ConnectionFault):
                reader.read(data, cache)
            return
        except CallFault:
            with pytest.raises(CallFault):
                reader.read(data, cache)
        else:
            assert reader.read(data, cache) == expected


def test_pseudo_header_fields_are_told_from_others() -> None:
    pseudo, regular = split_fields([(":path", "/"), (":method", "POST"), ("te", "trailers"), ("a", "b")], NAMES)

    assert pseudo == {":path": "/", ":method": "POST"}
    assert regular == [("te", "trailers"), ("a", "b")]


@pytest.mark.parametrize(
    "fields",
    [
        [(":path", "/"), (":path", "/")],
        [(":unknown", "/")],
        [("a", "b"), (":path", "/")],
        [(":", "/")],
        [("Upper", "v")],
        [("", "v")],
        [("sp ace", "v")],
        [("b\u00e9", "v")],
        [("k", "line\nbreak")],
        [("k", "carriage\rreturn")],
        [("k", "nu\0l")],
        [("k", " before")],
        [("k", "behind\t")],
        [("connection", "close")],
        [("transfer-encoding", "chunked")],
        [("upgrade", "h2c")],
        [("te", "gzip")],
    ],
)
def test_malformed_fields_cost_the_stream(fields: Fields) -> None:
    with pytest.raises(StreamFault) as caught:
        split_fields(fields, NAMES)

    assert caught.value.error_code == PROTOCOL_ERROR
