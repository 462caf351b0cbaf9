"""google.protobuf.Value to Python and back: twice per argument and result. The protobuf rows are the yardstick."""
from __future__ import annotations

from typing import Any, cast

import pytest
from google.protobuf import struct_pb2

from jsbridge.values import decode_value, encode_value

from .fixture import Benchmark

VALUES: dict[str, Any] = {
    "short string": "hello",
    "small object": {"name": "Ada", "age": 36.0, "admin": True, "tags": ["a", "b"]},
    "10,000 numbers": [float(number) for number in range(10_000)],
    "10,000 strings": [f"value {number}" for number in range(10_000)],
    "100 levels": None,
}
for _ in range(100):
    VALUES["100 levels"] = [VALUES["100 levels"]]


@pytest.mark.parametrize("name", VALUES)
def test_encode(benchmark: Benchmark, name: str) -> None:
    wire = benchmark(encode_value, VALUES[name])

    assert decode_value(wire) == VALUES[name]


@pytest.mark.parametrize("name", VALUES)
def test_decode(benchmark: Benchmark, name: str) -> None:
    assert benchmark(decode_value, encode_value(VALUES[name])) == VALUES[name]


@pytest.mark.parametrize("name", ["short string", "small object", "10,000 numbers"])
def test_encode_with_protobuf(benchmark: Benchmark, name: str) -> None:
    wire = benchmark(lambda: to_message(VALUES[name]).SerializeToString())

    assert decode_value(wire) == VALUES[name]


@pytest.mark.parametrize("name", ["short string", "small object", "10,000 numbers"])
def test_decode_with_protobuf(benchmark: Benchmark, name: str) -> None:
    wire = encode_value(VALUES[name])

    assert benchmark(lambda: from_message(struct_pb2.Value.FromString(wire))) == VALUES[name]


def to_message(value: Any) -> struct_pb2.Value:
    message = struct_pb2.Value()
    _fill(message, value)
    return message


def _fill(message: struct_pb2.Value, value: Any) -> None:
    match value:
        case None:
            message.null_value = struct_pb2.NULL_VALUE
        case bool():
            message.bool_value = value
        case float():
            message.number_value = value
        case str():
            message.string_value = value
        case list():
            items = message.list_value.values
            for item in cast("list[Any]", value):
                _fill(items.add(), item)
        case _:
            entries = message.struct_value.fields
            for key, item in value.items():
                _fill(entries[key], item)


def from_message(message: struct_pb2.Value) -> Any:
    match message.WhichOneof("kind"):
        case "number_value":
            return message.number_value
        case "string_value":
            return message.string_value
        case "bool_value":
            return message.bool_value
        case "list_value":
            return [from_message(item) for item in message.list_value.values]
        case "struct_value":
            return {key: from_message(item) for key, item in message.struct_value.fields.items()}
        case _:
            return None
