from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.render import json_text, table

VALUES = st.recursive(
    st.none() | st.booleans() | st.text() | st.floats(allow_nan=False, allow_infinity=False),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
)


@given(VALUES)
def test_the_text_of_a_value_is_json_and_means_the_same(value: Any) -> None:
    assert json.loads(json_text(value)) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3.0, "3"),
        (-0.0, "0"),
        (0.5, "0.5"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (math.nan, "null"),
        (-math.inf, "null"),
        (True, "true"),
        ("straße\n", '"straße\\n"'),
        ([], "[]"),
        ({}, "{}"),
        ({"b": [1.0, {"a": None}], "a": ("x",)}, '{"b": [1, {"a": null}], "a": ["x"]}'),
    ],
)
def test_values_are_written_as_javascript_writes_them(value: Any, text: str) -> None:
    assert json_text(value) == text


def test_a_deep_value_is_written_without_recursion() -> None:
    value: list[Any] = []
    for _ in range(10_000):
        value = [value]

    assert json_text(value) == "[" * 10_001 + "]" * 10_001


def test_a_table_has_aligned_columns() -> None:
    assert table([("NAME", "V", "PATH"), ("a", "v1", "/p/a"), ("longer", "", "/q")]) == (
        "NAME    V   PATH\n"
        "a       v1  /p/a\n"
        "longer      /q"
    )
