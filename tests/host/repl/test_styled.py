from __future__ import annotations

import pytest

from goplugin.core.errors import ConfigError
from host.repl import styled
from jsbridge.engine import JSError


def styles(text: str) -> list[tuple[str, str]]:
    return [part for part in styled.result(text) if part[0] not in ("space", "punctuation")]


def test_the_values_in_a_result_have_their_styles() -> None:
    assert styles('{ a: 1, b: "x", c: null }') == [
        ("name", "a"), ("number", "1"), ("name", "b"), ("string", '"x"'), ("name", "c"), ("constant", "null"),
    ]


@pytest.mark.parametrize(
    "label", ["[Function: f]", "[Circular]", "[class A]", "[Object]", "<2 empty items>", "... 3 more items", "[Getter]"]
)
def test_what_stands_for_a_value_is_a_label(label: str) -> None:
    assert ("label", label) in styles(f"{{ x: {label} }}") + styles(label)
    assert styles(f'"{label}"') == [("string", f'"{label}"')]


@pytest.mark.parametrize("text", ['{ a: [ "x", [Array] ] }', "Error: no\n    at f", "[ 1, 2 ]", "Map(1) { 1 => 2 }"])
def test_no_text_is_lost(text: str) -> None:
    assert styled.plain(styled.result(text)) == text


def test_an_error_has_its_stack_its_facts_and_what_to_do() -> None:
    cause = ConfigError("cause")
    cause.add_note("path: /x")
    error = JSError(
        "TypeError: no", name="TypeError", message="no", stack="TypeError: no\n    at <eval>:2:1", cause_error=cause
    )

    assert styled.error(error) == [
        ("error", "TypeError: no"), ("stack", "\n    at <eval>:1:1"), ("note", "\n  path: /x"),
    ]


def test_an_error_that_is_not_of_javascript_is_told_as_by_the_command_line() -> None:
    error = ConfigError("there is no x")
    error.add_note("hint: is it y?")

    assert styled.plain(styled.error(error)) == "error: there is no x\n  hint: is it y?"


def test_a_table_has_aligned_columns_and_no_blanks_at_the_end() -> None:
    table = styled.table([("a", "bb", ""), ("ccc", "", "d")], ("x", "", "z"))

    assert styled.plain(table) == "a    bb\nccc      d"
    assert ("x", "ccc") in table
