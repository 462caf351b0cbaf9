from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goplugin.core.errors import RemoteProtocolError
from jsbridge.jstext import read, read_arguments, write, write_exact
from jsbridge.values import MAX_DEPTH
from tests.support import requirement

SCALARS = st.none() | st.booleans() | st.floats() | st.text() | st.integers(-(2**53), 2**53)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))


def nested(depth: int, kind: str) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value] if kind == "list" else {"a": value}
    return value


def depth_of(value: Any) -> int:
    depth = 0
    while value != 1 if isinstance(value, (int, float)) else True:
        value = value[0] if isinstance(value, list) else value["a"]
        depth += 1
    return depth


def exact_value(outcome: dict[str, Any]) -> Any:
    """What the shim makes of the text of `write_exact`."""
    for name in ("nan", "bytes"):
        for path, keys in outcome[name]:
            container: Any = outcome
            for key in path:
                container = container[key]
            for key in keys:
                container[key] = math.nan if name == "nan" else container[key].encode("latin-1")
    return outcome["value"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("null", None),
        ("1", 1),
        ("1.5", 1.5),
        ("1e+21", 1e21),
        ("[true,false]", [True, False]),
        ('{"b":1,"a":[]}', {"b": 1, "a": []}),
        ('"\\u0000\\\\"', "\0\\"),
        ("Infinity", math.inf),
        ("-Infinity", -math.inf),
    ],
)
def test_the_text_of_the_shim_is_json_and_a_little_more(text: str, value: Any) -> None:
    assert read(text) == value


def test_nan_and_minus_zero_arrive_as_they_are() -> None:
    assert math.isnan(read("NaN"))
    assert math.copysign(1, read("-0.0")) == -1


@given(VALUES)
def test_any_value_reads_the_same_however_deep_it_stands(value: Any) -> None:
    depth = 2_000
    text = "[" * depth + json.dumps(value) + "]" * depth

    inner = read(text)
    for _ in range(depth):
        (inner,) = inner

    assert json.dumps(inner) == json.dumps(value)


def test_object_keys_keep_their_order_when_deep() -> None:
    text = "[" * 2_000 + '{"z":1,"a":{"y":[],"b":{}},"":3}' + "]" * 2_000

    inner = read(text)
    while isinstance(inner, list):
        (inner,) = inner

    assert json.dumps(inner) == '{"z": 1, "a": {"y": [], "b": {}}, "": 3}'


def test_arguments_are_scalars_and_texts_of_other_values() -> None:
    assert read_arguments(b'[["a",1,null,true,["{\\"k\\":[NaN]}"]]]')[:4] == ["a", 1, None, True]
    assert read_arguments(b'[["[Infinity]",["[Infinity]"]]]') == ["[Infinity]", [math.inf]]
    assert read_arguments(b"[[]]") == []


def test_a_lone_surrogate_becomes_the_replacement_character() -> None:
    assert read_arguments(b'[["a\\ud800b","\\\\ud800"]]') == ["a\ufffdb", "\\ud800"]


@given(VALUES)
def test_any_value_is_written_exactly_by_one_of_the_two_ways(value: Any) -> None:
    try:
        read_back = json.loads(write(value))
    except ValueError:
        read_back = exact_value(json.loads(write_exact({"value": value})))

    assert json.dumps(read_back) == json.dumps(value)


@given(VALUES)
def test_the_exact_way_writes_any_value(value: Any) -> None:
    outcome = json.loads(write_exact({"value": value}), parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))

    assert json.dumps(exact_value(outcome)) == json.dumps(value)


def test_where_nan_belongs_is_told_beside_the_value() -> None:
    outcome = json.loads(write_exact({"value": {"a": [1, math.nan, math.nan], "b": math.nan}}))

    assert outcome == {
        "value": {"a": [1, None, None], "b": None},
        "nan": [[["value", "a"], [1, 2]], [["value"], ["b"]]],
        "bytes": [],
    }


def test_where_bytes_belong_is_told_beside_the_value() -> None:
    assert json.loads(write_exact({"value": b"\x00\xff"})) == {
        "value": "\x00\xff", "nan": [], "bytes": [[[], ["value"]]],
    }
    assert json.loads(write_exact({"value": [b"a", {"k": b""}]}))["bytes"] == [[["value", 1], ["k"]], [["value"], [0]]]


@requirement("ow.bytes")
@given(st.recursive(SCALARS | st.binary(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_bytes_are_written_exactly_wherever_they_stand(value: Any) -> None:
    assert repr(exact_value(json.loads(write_exact({"value": value})))) == repr(value)


@pytest.mark.parametrize("kind", ["list", "dict"])
def test_a_deep_value_is_written_without_recursion(kind: str) -> None:
    text = write_exact({"value": nested(MAX_DEPTH, kind)})

    assert depth_of(read(text)["value"]) == MAX_DEPTH


@pytest.mark.parametrize("kind", ["list", "dict"])
def test_too_deep_a_value_is_refused(kind: str) -> None:
    with pytest.raises(RemoteProtocolError, match=f"nested deeper than {MAX_DEPTH} levels"):
        write_exact({"value": nested(MAX_DEPTH + 1, kind)})


def test_a_value_that_contains_itself_is_refused() -> None:
    value: list[Any] = []
    value.append(value)

    with pytest.raises(RemoteProtocolError):
        write_exact({"value": value})


def test_what_is_no_value_is_refused() -> None:
    with pytest.raises(TypeError):
        write(object())
    with pytest.raises(TypeError):
        write_exact({"value": [object()]})
