from __future__ import annotations

import contextlib
import enum
import math
import random
import re
import tracemalloc
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple, cast

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, struct_pb2
from google.protobuf.message import DecodeError
from hypothesis import example, given
from hypothesis import strategies as st

from goplugin.core.errors import LocalProtocolError, RemoteProtocolError
from goplugin.core.protowire import bytes_field, encode_varint
from jsbridge.values import MAX_DEPTH, decode_text, decode_value, encode_text, encode_value
from tests.support import requirement

SCALARS = st.none() | st.booleans() | st.floats() | st.text()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=30
)

# What no encoder writes and every parser must take: fields repeated, unknown, out of order, in long varints.
TAGS = st.sampled_from([0x08, 0x0A, 0x0D, 0x10, 0x11, 0x12, 0x18, 0x1A, 0x20, 0x2A, 0x32, 0x3A, 0x7D])


def long_varint(value: int, padding: int) -> bytes:
    """A varint with more bytes than it needs."""
    *others, last = encode_varint(value)
    return bytes((*others, last | 128, *[128] * (padding - 1), 0)) if padding else encode_varint(value)


def field(tag: int, number: bytes, content: bytes) -> bytes:
    payload = {0: number, 1: content[:8].ljust(8, b"\x01"), 2: encode_varint(len(content)) + content, 5: b"four"}
    return bytes((tag,)) + payload[tag & 7]


def messages(inner: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    varints = st.builds(long_varint, st.integers(0, 300), st.integers(0, 2))
    return st.lists(st.builds(field, TAGS, varints, inner), max_size=4).map(b"".join)


WIRE = st.recursive(st.binary(max_size=9) | st.just(b"text"), messages, max_leaves=20)


def value_without_maps() -> type[Any]:
    """google.protobuf.Value with the entries of a Struct as the messages that they are on the wire.

    protobuf for Python drops an entry that holds an unknown field, where Go keeps it; with this class it keeps it too.
    """
    file = descriptor_pb2.FileDescriptorProto()
    struct_pb2.DESCRIPTOR.CopyToProto(file)
    file.message_type[0].nested_type[0].options.ClearField("map_entry")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("google.protobuf.Value"))


VALUE_WITHOUT_MAPS = value_without_maps()


def protobufs_reading(data: bytes) -> Any:
    """What protobuf's own runtime makes of `data`. Raises google.protobuf.message.DecodeError."""
    return python_value(VALUE_WITHOUT_MAPS.FromString(data))


def python_value(value: Any) -> Any:
    kind = value.WhichOneof("kind")
    if kind is None or kind == "null_value":
        return None
    if kind == "struct_value":
        return {entry.key: python_value(entry.value) for entry in value.struct_value.fields}
    if kind == "list_value":
        return [python_value(item) for item in value.list_value.values]
    return getattr(value, kind)


def protobufs_value(value: Any) -> Any:
    """`value` as protobuf's own message, made by protobuf's own means."""
    message = struct_pb2.Value()
    if value is None:
        message.null_value = struct_pb2.NULL_VALUE
    elif isinstance(value, bool):
        message.bool_value = value
    elif isinstance(value, float):
        message.number_value = value
    elif isinstance(value, str):
        message.string_value = value
    elif isinstance(value, dict):
        message.struct_value.SetInParent()
        for key, member in cast("dict[str, Any]", value).items():
            message.struct_value.fields[key].CopyFrom(protobufs_value(member))
    else:
        message.list_value.values.extend(map(protobufs_value, value))
        message.list_value.SetInParent()
    return message


def exact(value: Any) -> Any:
    """`value` for comparison: NaN equals itself, -0 does not equal 0, True does not equal 1, order does not count."""
    if isinstance(value, dict):
        return {key: exact(entry) for key, entry in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [exact(item) for item in cast("list[Any]", value)]
    return type(value), repr(value)


def nested(levels: int, innermost: Any = None) -> Any:
    """Lists and dicts in turn, `levels` of them."""
    value = innermost
    for level in range(levels):
        value = [value] if level % 2 else {"in": value}
    return value


def depth(value: Any) -> int:
    levels = 0
    while isinstance(value, list | dict):
        members = cast("dict[str, Any]", value).values() if isinstance(value, dict) else cast("list[Any]", value)
        value = next(iter(members), None)
        levels += 1
    return levels


# --- to the wire ---------------------------------------------------------------------------------------------------


GOLDEN: list[tuple[Any, str]] = [
    (None, "0800"),
    (True, "2001"),
    (False, "2000"),
    (2, "110000000000000040"),
    (2.0, "110000000000000040"),
    (-0.0, "110000000000000080"),
    (math.inf, "11000000000000f07f"),
    ("x", "1a0178"),
    ("", "1a00"),
    ("a\0b", "1a03610062"),
    ([], "3200"),
    ({}, "2a00"),
    ([None, "x"], "32090a0208000a031a0178"),
    ({"k": True}, "2a090a070a016b12022001"),
    ([[]], "32040a023200"),
    ({"k": {}}, "2a090a070a016b12022a00"),
]


@pytest.mark.parametrize(("value", "wire"), GOLDEN)
def test_golden_bytes(value: Any, wire: str) -> None:
    assert encode_value(value).hex() == wire
    assert exact(decode_value(bytes.fromhex(wire))) == exact(float(value) if type(value) is int else value)


@given(VALUES)
def test_protobuf_reads_what_is_encoded(value: Any) -> None:
    assert exact(protobufs_reading(encode_value(value))) == exact(value)


@given(VALUES)
def test_the_bytes_are_those_that_protobuf_writes(value: Any) -> None:
    encoded = encode_value(value)

    assert sorted(encoded) == sorted(protobufs_value(value).SerializeToString())  # a struct's keys have no order there
    assert struct_pb2.Value.FromString(encoded) == protobufs_value(value) or "nan" in repr(value)


@given(st.recursive(SCALARS, st.lists))
def test_without_structs_every_byte_is_in_its_place(value: Any) -> None:
    assert encode_value(value) == protobufs_value(value).SerializeToString()


@requirement("jm.sdk.results")
@given(VALUES)
def test_a_value_that_is_protobufs_already_travels_as_it_is(value: Any) -> None:
    assert exact(decode_value(encode_value(protobufs_value(value)))) == exact(value)
    assert decode_value(encode_value(struct_pb2.Value())) is None


@given(st.lists(st.floats() | st.integers(-(2**60), 2**60), max_size=40))
def test_a_list_of_numbers_is_encoded_like_any_other(numbers: list[float]) -> None:
    assert exact(protobufs_reading(encode_value(numbers))) == exact([float(number) for number in numbers])


@pytest.mark.parametrize("size", [0, 127, 128, 129, 16_383, 16_384, 70_000])
def test_lengths_of_any_size_are_right(size: int) -> None:
    text = "x" * size
    value = {"text": text, text: "key", "list": [text, [text]], "nested": {text: [{text: text}]}}

    assert protobufs_reading(encode_value(value)) == value
    assert decode_value(encode_value(value)) == value


@given(st.dictionaries(st.text(), SCALARS | st.lists(SCALARS), min_size=2))
def test_keys_keep_their_order(value: dict[str, Any]) -> None:
    assert list(decode_value(encode_value(value))) == list(value)


def test_keys_that_come_often_and_long_keys_come_out_right() -> None:
    for number in range(3000):
        key = f"{number}" * (1 + number % 40)

        assert decode_value(encode_value({key: number})) == {key: number}
    assert decode_value(encode_value({"0": 1, "7": 2})) == {"0": 1, "7": 2}


class Level(enum.IntEnum):
    HIGH = 3


class Colour(str, enum.Enum):  # noqa: UP042 - its str() is not its value, unlike StrEnum's
    RED = "red"


class Point(NamedTuple):
    x: float
    y: float


KINDRED: list[tuple[Any, Any]] = [
    (2**53 + 1, 2.0**53),
    (10**300, 1e300),
    ((1, "a"), [1.0, "a"]),
    (Point(1, 2), [1.0, 2.0]),
    (b"\x00\xff", [0.0, 255.0]),
    (bytearray(b"ab"), [97.0, 98.0]),
    (Level.HIGH, 3.0),
    (Colour.RED, "red"),
    ({Colour.RED: 1}, {"red": 1.0}),
    (defaultdict(list, a=[1]), {"a": [1.0]}),
    ([OrderedDict(b=[1], a=())], [{"b": [1.0], "a": []}]),
    ({"a": [Level.HIGH, b"\x01", [Colour.RED]]}, {"a": [3.0, [1.0], ["red"]]}),
]


@pytest.mark.parametrize(("value", "arrives_as"), KINDRED)
def test_other_types_travel_as_the_type_they_are_a_kind_of(value: Any, arrives_as: Any) -> None:
    assert exact(decode_value(encode_value(value))) == exact(arrives_as)


WRAPS: list[Callable[[Any], Any]] = [
    lambda value: value,
    lambda value: [value],
    lambda value: {"a": [1, {"b": value}]},
]

REFUSED: list[tuple[Any, str]] = [
    (10**400, "unsupported result type int beyond the range of a double"),
    (object(), "unsupported result type object"),
    ({1, 2}, "unsupported result type set"),
    (1j, "unsupported result type complex"),
    (len, "unsupported result type builtin_function_or_method"),
    (ValueError("x"), "unsupported result type ValueError"),
    (datetime(2026, 11, 21), "unsupported result type datetime.datetime"),
    (Decimal("1"), "unsupported result type decimal.Decimal"),
    ({1: "a"}, "unsupported map key type int"),
    ({None: "a"}, "unsupported map key type NoneType"),
    ({None: ["a", []]}, "unsupported map key type NoneType"),
    ({("a",): 1}, "unsupported map key type tuple"),
    (struct_pb2.Struct(), "unsupported result type google.protobuf.struct_pb2.Struct"),
]


@requirement("jm.sdk.results")
@pytest.mark.parametrize("wrap", WRAPS)
@pytest.mark.parametrize(("value", "text"), REFUSED, ids=[text for _, text in REFUSED])
def test_what_cannot_travel_is_refused_at_any_depth(value: Any, text: str, wrap: Any) -> None:
    with pytest.raises(LocalProtocolError) as caught:
        encode_value(wrap(value))

    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("text", "arrives_as"),
    [
        ("a\ud800b", "a\ufffdb"),
        ("\udc00", "\ufffd"),
        ("\udc80\udcff", "\ufffd\ufffd"),
        ("\ud83d\ude00", "\U0001f600"),
        ("\ufeff\ud800", "\ufeff\ufffd"),
    ],
)
def test_a_lone_surrogate_is_replaced(text: str, arrives_as: str) -> None:
    assert decode_value(encode_value([text, {text: [text]}])) == [arrives_as, {arrives_as: [arrives_as]}]
    assert encode_text(text).decode() == arrives_as


def test_a_value_that_contains_itself_is_refused() -> None:
    knot: list[Any] = [1, 2]
    knot.append({"again": [knot]})

    with pytest.raises(LocalProtocolError, match="value contains itself"):
        encode_value(knot)


def test_a_value_may_stand_in_two_places() -> None:
    shared = [["twice"]]

    assert decode_value(encode_value([shared, {"a": shared}])) == [shared, {"a": shared}]


# --- from the wire -------------------------------------------------------------------------------------------------


@given(VALUES)
def test_a_value_comes_back(value: Any) -> None:
    assert exact(decode_value(encode_value(value))) == exact(value)


@given(VALUES)
def test_what_protobuf_writes_is_read(value: Any) -> None:
    message = protobufs_value(value)

    assert exact(decode_value(message.SerializeToString())) == exact(value)
    assert exact(decode_value(message.SerializeToString(deterministic=True))) == exact(value)


@given(st.lists(VALUES.map(encode_value), max_size=4).map(b"".join))
def test_messages_in_a_row_merge_as_in_protobuf(data: bytes) -> None:
    assert exact(decode_value(data)) == exact(protobufs_reading(data))


@given(WIRE)
@example(b"\x2a\x00\x32\x00")
@example(b"\x32\x02\x0a\x00\x32\x04\x0a\x02\x20\x01")  # two lists in one Value
@example(b"\x2a\x0d\x0a\x0b\x12\x02\x20\x01\x0a\x01k\x12\x02\x20\x00")  # an entry with its key between two values
@example(b"\x2a\x02\x0a\x00")  # an entry without key and value
@example(b"\x2a\x05\x0a\x03\x0a\x01k")  # an entry without a value
@example(b"\x2a\x08\x0a\x06\x0a\x01k\x32\x01\x0a")  # an entry with an unknown field and no value
@example(b"\x2a\x09\x0a\x07\x0a\x01k\x12\x00\x18\x05")  # an entry with an unknown field behind its value
@example(b"\x20\x80\x00")  # false, in two bytes
@example(b"\x32\x0c\x8a\x00\x09\x11" + bytes(8))  # an item whose tag has two bytes
def test_whatever_protobuf_accepts_means_the_same(data: bytes) -> None:
    try:
        expected = protobufs_reading(data)
    except DecodeError:
        return

    assert exact(decode_value(data)) == exact(expected)


@given(st.binary(max_size=40) | WIRE)
def test_any_bytes_give_a_value_or_a_protocol_error(data: bytes) -> None:
    with contextlib.suppress(RemoteProtocolError):
        decode_value(data)


@given(VALUES, st.data())
def test_a_message_that_is_cut_off_is_an_error_or_a_shorter_message(value: Any, data: st.DataObject) -> None:
    whole = encode_value(value)
    part = whole[: data.draw(st.integers(0, len(whole)))]

    try:
        result = decode_value(part)
    except RemoteProtocolError:
        return
    assert exact(result) == exact(protobufs_reading(part))


@pytest.mark.parametrize("seed", range(20))
def test_a_list_that_only_looks_like_numbers_is_read_item_by_item(seed: int) -> None:
    numbers = bytearray(encode_value([float(number) for number in range(50)]))
    chosen = random.Random(seed)
    for _ in range(2):
        numbers[chosen.randrange(2, len(numbers))] = chosen.randrange(256)

    try:
        expected = protobufs_reading(bytes(numbers))
    except DecodeError:
        with pytest.raises(RemoteProtocolError):
            decode_value(bytes(numbers))
    else:
        assert exact(decode_value(bytes(numbers))) == exact(expected)


@pytest.mark.parametrize("data", [b"", bytes_field(9, b"later"), b"\x7d1234", b"\x79" + bytes(8), b"\x10\x05"])
def test_a_value_without_a_kind_we_know_is_none(data: bytes) -> None:
    assert decode_value(data) is None
    assert decode_value(b"\x32" + encode_varint(len(data) + 2) + b"\x0a" + encode_varint(len(data)) + data) == [None]


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\x1a\x02\xc3\x28", "string is not UTF-8"),
        (b"\x2a\x07\x0a\x05\x0a\x01\xff\x12\x00", "string is not UTF-8"),
        (b"\x1a\x03\xed\xa0\x80", "string is not UTF-8"),  # a surrogate
        (b"\x1a\x05abc", "ends inside a field"),
        (b"\x11abc", "ends inside a field"),
        (b"\x32\x04\x0a\x05\x1a\x03abc", "ends inside a field"),
        (b"\x32\x01\x0a", "ends inside a field"),
        (b"\x32\x02\x0a\x05", "ends inside a field"),
        (b"\x2a\x06\x0a\x04\x0a\x05ab", "ends inside a field"),
        (b"\x1a", "ends inside a varint"),
        (b"\x20" + b"\xff" * 10, "varint longer than ten bytes"),
        (b"\x00\x01", "field number 0"),
        (b"\x0b\x0c", "wire type 3 is not used here"),
    ],
)
def test_an_error_says_what_is_wrong(data: bytes, text: str) -> None:
    with pytest.raises(RemoteProtocolError, match=re.escape(text)):
        decode_value(data)


def list_of(item: bytes, count: int) -> bytes:
    return b"\x32" + encode_varint(len(item) * count) + item * count


MANY = 20_000
COSTLY: dict[str, bytes] = {
    "nulls": list_of(b"\x0a\x00", MANY),
    "empty lists": list_of(b"\x0a\x02\x32\x00", MANY),
    "small lists": list_of(b"\x0a\x04\x32\x02\x0a\x00", MANY),
    "small structs": list_of(b"\x0a\x04\x2a\x02\x0a\x00", MANY),
    "keys": b"".join(b"\x2a\x08\x0a\x06\x0a\x04%04d" % number for number in range(MANY // 2)),
    "one list in pieces": b"\x32\x02\x0a\x00" * MANY,
    "one empty list in pieces": b"\x32\x00" * MANY,
    "one scalar again and again": b"\x20\x01" * MANY,
    "one list and one struct in turn": b"\x32\x02\x0a\x00\x2a\x02\x0a\x00" * MANY,
}


@pytest.mark.parametrize("name", COSTLY)
def test_memory_is_bounded_by_the_size_of_the_message(name: str) -> None:
    data = COSTLY[name]
    tracemalloc.start()
    try:
        decode_value(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 64 * len(data)


def test_decode_text_refuses_what_is_not_utf8() -> None:
    assert decode_text("é".encode()) == "é"
    with pytest.raises(RemoteProtocolError, match="string is not UTF-8"):
        decode_text(b"\xe9")


# --- depth ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("levels", [1, 2, 33, 1_000, MAX_DEPTH])
def test_deep_values_travel(levels: int) -> None:
    assert depth(decode_value(encode_value(nested(levels)))) == levels
    assert depth(decode_value(encode_value(nested(levels - 1, innermost=[])))) == levels


@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, 100_000])
def test_a_value_beyond_the_limit_is_not_sent(levels: int) -> None:
    with pytest.raises(LocalProtocolError, match="value is nested deeper than 10000 levels"):
        encode_value(nested(levels))


@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, 100_000])
@pytest.mark.parametrize("tag", [0x2A, 0x32])
def test_a_message_beyond_the_limit_is_refused(levels: int, tag: int) -> None:
    pieces: list[bytes] = [b"\x08\x00"]
    size = 2
    for _ in range(levels):
        for head in (0x12, 0x0A) if tag == 0x2A else (0x0A,):
            pieces.append(bytes((head,)) + encode_varint(size))
            size += len(pieces[-1])
        pieces.append(bytes((tag,)) + encode_varint(size))
        size += len(pieces[-1])
    data = b"".join(reversed(pieces))

    with pytest.raises(RemoteProtocolError, match="value is nested deeper than 10000 levels"):
        decode_value(data)
