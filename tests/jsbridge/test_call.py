from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goplugin.context import CallContext
from goplugin.core.errors import LocalProtocolError
from jsbridge.call import ArgumentError, Call, format_number
from tests.support import requirement

ONE_OF_EACH: dict[str, Any] = {
    "<nil>": None,
    "bool": False,
    "float64": 1.5,
    "string": "12",
    "[]interface {}": ["a"],
    "map[string]interface {}": {"k": 1.0},
}
HELPERS: list[tuple[Callable[[Call, int], Any], str, str]] = [
    (Call.string, "string", "string"),
    (Call.number, "float64", "float64"),
    (Call.boolean, "bool", "bool"),
    (Call.map, "map[string]any", "map[string]interface {}"),
    (Call.slice, "[]any", "[]interface {}"),
]


def call(*args: Any) -> Call:
    return Call("export", "method", args)


def test_a_call_knows_what_was_called() -> None:
    assert (call().export_name, call().method_name) == ("export", "method")


def test_an_explicit_undefined_counts_as_an_argument() -> None:
    assert len(call()) == 0
    assert len(call(None, None)) == 2
    assert call(None).value(0) is None


@requirement("jm.sdk.call")
@pytest.mark.parametrize(("helper", "want", "takes"), HELPERS)
@pytest.mark.parametrize("got", ONE_OF_EACH)
def test_a_helper_takes_its_own_type_and_converts_nothing(
    helper: Callable[[Call, int], Any], want: str, takes: str, got: str
) -> None:
    value = ONE_OF_EACH[got]
    if got == takes:
        assert helper(call("other", value), 1) is value
        return
    with pytest.raises(ArgumentError) as caught:
        helper(call("other", value), 1)

    assert str(caught.value) == f"sdk call argument 1 expected {want}, got {got}"


@requirement("jm.sdk.call")
@pytest.mark.parametrize("helper", [Call.value, Call.bytes, *(helper for helper, _, _ in HELPERS)])
@pytest.mark.parametrize(("index", "count"), [(0, 0), (2, 2), (-1, 1), (9, 3)])
def test_an_argument_that_is_not_there_is_out_of_range(
    helper: Callable[[Call, int], Any], index: int, count: int
) -> None:
    with pytest.raises(ArgumentError) as caught:
        helper(call(*[None] * count), index)

    assert str(caught.value) == f"sdk call argument {index} out of range (have {count})"


@requirement("jm.sdk.call")
@pytest.mark.parametrize("args", [(), ("",), (5.0,), (None,), (True,), (["a"],), ({"a": "b"},)])
def test_string_default_falls_back_for_everything_but_a_text(args: tuple[Any, ...]) -> None:
    assert call(*args).string_default(0, "world") == "world"
    assert call("a", *args).string_default(0, "world") == "a"
    assert call("a").string_default(-1, "world") == "world"


@requirement("ow.bytes")
def test_bytes_are_read_from_base64_text() -> None:
    assert call("AP8QCA==").bytes(0) == b"\x00\xff\x10\x08"
    assert call("").bytes(0) == b""


@requirement("ow.bytes")
@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("hello", "expected bytes, got text that is no base64: "),
        ("AP8", "expected bytes, got text that is no base64: Incorrect padding"),
        ("naïve", "expected bytes, got text that is no base64: "),
        (None, "expected bytes, got <nil>"),
        ([0.0, 255.0], "expected bytes, got []interface {}"),
    ],
)
def test_what_is_no_base64_is_not_taken_for_bytes(value: Any, text: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        call("other", value).bytes(1)

    assert str(caught.value).startswith(f"sdk call argument 1 {text}")


def test_a_call_has_the_context_of_its_server() -> None:
    context = CallContext(deadline=time.monotonic() + 60)

    assert Call("export", "", (), context).context is context


def test_a_call_without_a_server_never_ends() -> None:
    here = call()

    assert (here.context.time_remaining(), here.context.cancelled, here.context.metadata) == (None, False, {})
    assert here.context is here.context


def test_a_number_made_in_python_is_a_number() -> None:
    assert repr(call(3).number(0)) == "3.0"
    with pytest.raises(ArgumentError, match="expected string, got float64"):
        call(3).string(0)


def test_numbers_that_are_none_are_numbers() -> None:
    assert math.isnan(call(math.nan).number(0))
    assert call(-math.inf).number(0) == -math.inf


@requirement("jm.sdk.call")
def test_raw_args_are_protobufs_own_messages() -> None:
    number, text, missing, items = call(math.nan, "x", None, [True]).raw_args

    assert math.isnan(number.number_value)
    assert (text.string_value, missing.WhichOneof("kind")) == ("x", "null_value")
    assert [item.bool_value for item in items.list_value.values] == [True]


def test_raw_args_that_are_too_deep_for_protobuf_are_refused() -> None:
    deep: Any = "bottom"
    for _ in range(60):
        deep = [deep]

    with pytest.raises(LocalProtocolError, match=r"too deep for google\.protobuf\.Value"):
        _ = call(deep).raw_args


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "-0"),
        (-1, "-1"),
        (-1.5, "-1.5"),
        (0.1, "0.1"),
        (100000.0, "100000"),
        (1e15, "1000000000000000"),
        (1e16, "10000000000000000"),
        (-123456789012345678.0, "-123456789012345680"),
        (1.2345678901234567e20, "123456789012345670000"),
        (-1e21, "-1e+21"),
        (1.5e300, "1.5e+300"),
        (0.0001, "0.0001"),
        (0.00001, "1e-05"),
        (5e-324, "5e-324"),
        (math.nan, "NaN"),
        (math.inf, "+Inf"),
        (-math.inf, "-Inf"),
    ],
)
def test_a_number_prints_as_in_go(value: float, text: str) -> None:
    assert format_number(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_printed_number_reads_back_as_itself(value: float) -> None:
    text = format_number(value)

    assert repr(float(text)) == repr(value)
    assert ("e" in text) == (value != 0 and not 1e-4 <= abs(value) < 1e21)
