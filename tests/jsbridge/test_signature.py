from __future__ import annotations

import functools
import math
import typing
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, Optional, Union

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goplugin.core.errors import ConfigError
from jsbridge.call import ArgumentError, Call
from jsbridge.call import Call as Renamed
from jsbridge.signature import Handler
from tests.support import requirement

if TYPE_CHECKING:
    from datetime import time as Unknown

    from jsbridge import call as sdk

NOBODY = object()
LABEL = 'sdk function export "f" in module "plugin:m"'


def run(function: Callable[..., object], *args: Any) -> Any:
    return Handler(function, LABEL)(Call("f", "", args))


def error_of(function: Callable[..., object], *args: Any) -> str:
    with pytest.raises(ArgumentError) as caught:
        run(function, *args)
    return str(caught.value)


def refusal_of(function: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        Handler(function, LABEL)
    return str(caught.value)


# --- who gets the call ---------------------------------------------------------------------------------------------


def test_a_single_parameter_annotated_call_gets_the_call() -> None:
    def plain(c: Call) -> Any:
        return c

    def renamed(c: Renamed) -> Any:
        return c

    def dotted(c: sdk.Call) -> Any:  # a name for type checkers only
        return c

    def evaluated(c: Any) -> Any:
        return c

    evaluated.__annotations__["c"] = Call
    for function in (plain, renamed, dotted, evaluated):
        assert type(run(function, 1.0, 2.0)) is Call


def test_a_single_parameter_named_call_gets_the_call_unless_it_is_annotated() -> None:
    def bare(call):  # pyright: ignore
        return call  # pyright: ignore

    def annotated(call: str) -> str:
        return call

    assert type(run(bare, 1.0)) is Call  # pyright: ignore
    assert run(annotated, "text") == "text"


def test_a_bound_method_may_take_the_call_too() -> None:
    class Store:
        def get(self, call: Call) -> int:
            return len(call)

        def put(self, key: str, value: float) -> Any:
            return key, value

    assert run(Store().get, 1.0, 2.0) == 2
    assert run(Store().put, "k", 2.0) == ("k", 2.0)
    assert error_of(Store().put, "k") == "sdk call argument 1 out of range (have 1)"


# --- arguments against annotations ---------------------------------------------------------------------------------


def text(x: str) -> Any:
    return x


def number(x: float) -> Any:
    return x


def integer(x: int) -> Any:
    return x


def boolean(x: bool) -> Any:
    return x


def mapping(x: dict) -> Any:  # pyright: ignore
    return x  # pyright: ignore


def abstract_mapping(x: Mapping[str, Any]) -> Any:
    return x


def listing(x: list) -> Any:  # pyright: ignore
    return x  # pyright: ignore


def sequence(x: Sequence[object]) -> Any:
    return x


def old_listing(x: typing.List) -> Any:  # pyright: ignore  # noqa: UP006
    return x  # pyright: ignore


def nothing(x: None) -> Any:
    return x


def anything(x: Any) -> Any:
    return x


def some_object(x: object) -> Any:
    return x


def unannotated(x):  # pyright: ignore
    return x  # pyright: ignore


def optional(x: str | None) -> Any:
    return x


def old_optional(x: Optional[str]) -> Any:  # noqa: UP045
    return x


def old_union(x: Union[float, str]) -> Any:  # noqa: UP007
    return x


def numbers(x: list[int]) -> Any:
    return x


def table(x: dict[str, list[float | None]]) -> Any:
    return x


ONE_OF_EACH: dict[str, Any] = {
    "<nil>": None,
    "bool": True,
    "float64": 2.0,
    "string": "2",
    "[]interface {}": [2.0],
    "map[string]interface {}": {"k": [2.0]},
}
NAMES = set(ONE_OF_EACH)
LIST, MAP = "[]interface {}", "map[string]interface {}"


ANNOTATED: list[tuple[Callable[..., Any], str, set[str]]] = [
    (text, "string", {"string"}),
    (number, "float64", {"float64"}),
    (integer, "int", {"float64"}),
    (boolean, "bool", {"bool"}),
    (mapping, "map[string]any", {MAP}),
    (abstract_mapping, "map[string]any", {MAP}),
    (listing, "[]any", {LIST}),
    (sequence, "[]any", {LIST}),
    (old_listing, "[]any", {LIST}),
    (nothing, "<nil>", {"<nil>"}),
    (anything, "", NAMES),
    (some_object, "", NAMES),
    (unannotated, "", NAMES),
    (optional, "string or <nil>", {"string", "<nil>"}),
    (old_optional, "string or <nil>", {"string", "<nil>"}),
    (old_union, "float64 or string", {"float64", "string"}),
    (numbers, "[]any", {LIST}),
    (table, "map[string]any", {MAP}),
]


@requirement("jm.sdk.call")
@pytest.mark.parametrize(("function", "want", "takes"), ANNOTATED)
def test_an_argument_is_checked_and_not_converted(function: Callable[..., Any], want: str, takes: set[str]) -> None:
    for got, value in ONE_OF_EACH.items():
        if got in takes:
            assert run(function, value) == value
        else:
            assert error_of(function, value) == f"sdk call argument 0 expected {want}, got {got}"


@pytest.mark.parametrize(("value", "got"), [(1.5, "1.5"), (math.nan, "NaN"), (-math.inf, "-Inf"), (1e-7, "1e-07")])
def test_an_int_takes_integral_numbers_and_gets_an_int(value: float, got: str) -> None:
    assert repr(run(integer, -3.0)) == "-3"
    assert repr(run(integer, 1e21)) == "1000000000000000000000"
    assert repr(run(number, -3.0)) == "-3.0"
    assert error_of(integer, value) == f"sdk call argument 0 expected int, got {got}"


def test_an_error_inside_a_list_or_a_dict_says_where() -> None:
    assert run(numbers, [1.0, 2.0]) == [1, 2]
    assert error_of(numbers, [1.0, "2"]) == "sdk call argument 0[1] expected int, got string"
    assert run(table, {"a": [1.0, None]}) == {"a": [1.0, None]}
    assert error_of(table, {"a": [], "b": [0.0, True]}) == (
        "sdk call argument 0.b[1] expected float64 or <nil>, got bool"
    )


@requirement("ow.bytes")
def test_bytes_are_taken_from_base64_text() -> None:
    def join(data: bytes, parts: list[bytes] | None = None) -> Any:
        return [data, parts]

    def either(data: bytes | float) -> Any:
        return data

    assert run(join, "AP8=") == [b"\x00\xff", None]
    assert run(join, "", ["AA==", "AQ=="]) == [b"", [b"\x00", b"\x01"]]
    assert (run(either, "AA=="), run(either, 2.0)) == (b"\x00", 2.0)
    assert error_of(join, None) == "sdk call argument 0 expected bytes, got <nil>"
    assert error_of(join, "", ["AA==", "?"]).startswith("sdk call argument 1 expected []any or <nil>, got")
    assert error_of(join, "AA").startswith("sdk call argument 0 expected bytes, got text that is no base64: ")


def test_arguments_are_checked_from_left_to_right() -> None:
    def put(key: str, value: str) -> Any:
        return key, value

    assert run(put, "k", "v") == ("k", "v")
    assert error_of(put) == "sdk call argument 0 out of range (have 0)"
    assert error_of(put, "k") == "sdk call argument 1 out of range (have 1)"
    assert error_of(put, 1.0) == "sdk call argument 0 expected string, got float64"
    assert error_of(put, "k", None, None) == "sdk call argument 1 expected string, got <nil>"


def test_arguments_beyond_the_parameters_are_ignored() -> None:
    def none() -> str:
        return "called"

    def two(a: str, b: str = "") -> str:
        return a + b

    assert run(none, 1.0) == "called"
    assert run(two, "a", "b", "c") == "ab"


def test_a_default_stands_in_for_what_is_missing_or_null() -> None:
    def greet(name: str = "world", times: int = 1, tag: str | None = "default") -> Any:
        return name, times, tag

    assert run(greet) == ("world", 1, "default")
    assert run(greet, None, 2.0) == ("world", 2, "default")
    assert run(greet, "you", None, None) == ("you", 1, None)  # null is welcome in the last
    assert error_of(greet, 5.0) == "sdk call argument 0 expected string, got float64"


def test_further_arguments_go_to_a_variadic_parameter() -> None:
    def total(first: str, *rest: float) -> Any:
        return first, rest

    def everything(*args: Any, **options: Any) -> Any:
        return args, options

    assert run(total, "a") == ("a", ())
    assert run(total, "a", 1.0, 2.0) == ("a", (1.0, 2.0))
    assert error_of(total, "a", 1.0, "2") == "sdk call argument 2 expected float64, got string"
    assert run(everything, 1.0, "x") == ((1.0, "x"), {})


def test_a_keyword_only_parameter_keeps_its_default() -> None:
    def shout(word: str, *, mark: str = "!") -> str:
        return word + mark

    def needs(word: str, *, mark: str) -> str:
        return word + mark

    assert run(shout, "hey") == "hey!"
    assert refusal_of(needs) == f"{LABEL} has a keyword-only parameter without a default: mark"


def test_annotations_may_name_what_is_defined_further_down() -> None:
    assert run(later, [1.0]) == [1]


def later(x: Numbers) -> Any:
    return x


Numbers = list[int]


@given(st.lists(st.none() | st.booleans() | st.floats() | st.text() | st.lists(st.floats()), max_size=4))
def test_any_arguments_give_a_result_or_an_argument_error(args: list[Any]) -> None:
    def function(a: int, b: list[float] | str | None = None, *rest: bool) -> Any:
        assert type(a) is int
        assert type(b) in (list, str, type(None))
        assert all(type(each) is bool for each in rest)

    try:
        run(function, *args)
    except ArgumentError as error:
        assert str(error).startswith("sdk call argument ")  # noqa: PT017 - passing without an error is fine too


# --- bytes as the result -------------------------------------------------------------------------------------------


def binary(data: Any) -> bytes:
    return data


def binary_or_nothing(data: Any) -> bytes | None:
    return data


def old_binary_or_nothing(data: Any) -> Optional[bytes]:  # noqa: UP045
    return data


def not_binary(data: Any) -> list[bytes]:
    return data


def evaluated_annotation(annotation: Any) -> Callable[[Any], Any]:
    def function(data: Any) -> Any:
        return data

    function.__annotations__["return"] = annotation
    return function


BINARY = [
    binary,
    binary_or_nothing,
    old_binary_or_nothing,
    *map(evaluated_annotation, [bytes, bytes | None, Optional[bytes]]),  # noqa: UP045
]


@requirement("ow.bytes")
@pytest.mark.parametrize("function", BINARY)
def test_a_function_that_is_annotated_with_bytes_returns_base64_text(function: Callable[..., Any]) -> None:
    assert Handler(function, LABEL).returns_bytes
    for data in (b"\x00\xff", bytearray(b"\x00\xff"), memoryview(b"\x00\x01\xff")[::2]):
        assert Handler(function, LABEL)(Call("f", "", (data,))) == "AP8="
    assert run(function, b"") == ""
    assert run(function, None) is None


@requirement("ow.bytes")
def test_a_function_may_be_declared_to_return_bytes() -> None:
    handler = Handler(lambda: b"\x00", LABEL, bytes)

    assert handler.returns_bytes
    assert handler(Call("f", "", ())) == "AA=="


@requirement("ow.bytes")
@pytest.mark.parametrize("function", [not_binary, anything, *map(evaluated_annotation, [str, [], None])])
def test_bytes_of_any_other_function_stay_what_they_are(function: Callable[..., Any]) -> None:
    assert not Handler(function, LABEL).returns_bytes
    assert run(function, b"\x00") == b"\x00"


@requirement("ow.bytes")
@pytest.mark.parametrize(("result", "kind"), [("AA==", "str"), ([0], "list"), (0, "int")])
def test_a_result_that_should_be_bytes_and_is_not_is_an_error(result: Any, kind: str) -> None:
    with pytest.raises(TypeError) as caught:
        run(binary, result)

    assert str(caught.value) == f"{LABEL} is declared to return bytes, and has returned {kind}"


# --- what cannot be a handler --------------------------------------------------------------------------------------


@requirement("jm.sdk.validation")
def test_a_handler_must_be_there() -> None:
    assert refusal_of(None) == f"{LABEL} has nil handler"


def test_an_async_function_is_refused() -> None:
    async def fetch(call: Call) -> None: ...

    async def stream() -> Any:
        yield 1

    @functools.wraps(fetch)
    def wrapper(*args: Any) -> Any:
        return fetch(*args)

    for function in (fetch, stream, wrapper):
        assert refusal_of(function) == f"{LABEL} is an async function; a handler is a plain function"


@pytest.mark.parametrize("handler", ["envSummary", 5, len, dict, functools.partial(text, "x"), NOBODY])
def test_what_has_no_python_signature_is_refused(handler: Any) -> None:
    assert refusal_of(handler) == f"{LABEL} is no Python function: {handler!r}"


def test_a_decorated_function_is_checked_by_the_signature_it_wraps() -> None:
    @functools.cache
    def square(x: int) -> int:
        return x * x

    assert run(square, 3.0) == 9
    assert error_of(square, "3") == "sdk call argument 0 expected int, got string"


def test_an_annotation_that_cannot_be_checked_is_named_at_the_first_call() -> None:
    def birthday(day: date) -> None: ...

    def by_number(x: dict[int, str]) -> None: ...

    def mixed(call: Call, x: str) -> None: ...

    def misspelt(x: Unknown) -> None: ...

    def broken(x: str) -> None: ...

    broken.__annotations__["x"] = "not valid("
    refusals: list[tuple[Callable[..., Any], str]] = [
        (birthday, '"day" has the annotation <class \'datetime.date\'>, and no argument can be checked against that'),
        (by_number, '"x" has the annotation dict[int, str], and no argument can be checked against that'),
        (mixed, '"call" has the annotation <class \'jsbridge.call.Call\'>, and no argument can be checked'),
        (misspelt, "\"x\" has the annotation 'Unknown', which cannot be read: name 'Unknown' is not defined"),
        (broken, "\"x\" has the annotation 'not valid(', which cannot be read"),
    ]
    for function, text in refusals:
        handler = Handler(function, LABEL)
        with pytest.raises(ConfigError) as caught:
            handler(Call("f", "", (1.0, 2.0)))
        assert str(caught.value).startswith(f"{LABEL} parameter {text}")
