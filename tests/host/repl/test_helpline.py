from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.repl.completion import Known, completions
from host.repl.helpline import Help, help_at
from host.repl.scope import Scope
from tests.support import requirement

from .manifests import KV, PAD

BEFORE = "const kv = require('plugin:kv'), { store } = kv, pad = require('plugin:pad')"
GET = ("key: string", "fallback?: string | null")


def at(text: str) -> Help | None:
    scope = Scope([KV, PAD])
    scope.learn(BEFORE)
    head, _, tail = text.partition("|")
    return help_at(head + tail, len(head), scope)


@requirement("jm.repl")
def test_it_shows_signature_and_summary_of_the_function_at_the_cursor() -> None:
    assert at("store.get") == Help("store.get", GET, None, "string | null", "Read a key")
    assert str(at("store.get")) == "store.get(key: string, fallback?: string | null): string | null  Read a key"


@pytest.mark.parametrize("text", ["store.ge|t", "store.g|et(", "x = [1, store.get|]", "store.get|('a')"])
def test_the_cursor_may_stand_in_the_name(text: str) -> None:
    found = at(text)

    assert found is not None
    assert found.name == "store.get"


@requirement("jm.repl")
@pytest.mark.parametrize(
    ("text", "active"),
    [
        ("store.get(", 0), ("store.get('a'", 0), ("store.get('a', ", 1), ("store.get(f(1, 2), ", 1),
        ("store.get([1, 2", 0), ("store.get('a', 'b', ", None), ("pad.left(1, 2, ", 0),
    ],
)
def test_within_a_call_it_shows_which_argument_is_typed(text: str, active: int | None) -> None:
    found = at(text)

    assert found is not None
    assert found.active == active


def test_the_innermost_known_call_counts() -> None:
    found = at("pad.left(store.get(")
    outer = at("store.get(unknown(1, ")

    assert found is not None
    assert outer is not None
    assert (found.name, outer.name) == ("store.get", "store.get")


def test_a_function_whose_parameters_are_not_known_has_three_dots() -> None:
    assert str(at("store.set('a'")) == "store.set(…)  Write a key."


def test_objects_and_modules_have_a_summary() -> None:
    assert str(at("kv")) == "kv  A key/value store"
    assert str(at("require('plugin:kv|')")) == "plugin:kv  A key/value store"
    assert str(at("pad")) == "pad  plugin module"


@pytest.mark.parametrize("text", ["", "1 + 1", "unknown", "unknown(", "store.get('a')", "'kv'", "f('plugin:kv|')", "("])
def test_of_everything_else_it_knows_nothing(text: str) -> None:
    assert at(text) is None


def test_commands_are_explained() -> None:
    assert str(at(":load x")) == ":load FILE  run a file as if it were typed"
    assert at(":none") is None
    assert at(":") is None


SOUP = st.lists(
    st.sampled_from([*"(){}[].,'\"`:= \\", "require", "'plugin:kv'", "kv", "store", "get", "const "]), max_size=20
)


@given(SOUP, st.data())
def test_any_text_has_help_and_completions_or_none(parts: list[str], data: st.DataObject) -> None:
    text = "".join(parts)
    cursor = data.draw(st.integers(0, len(text)))
    scope = Scope([KV, PAD])
    scope.learn(text)

    for each in completions(text, cursor, Known(scope)):
        assert each.text.lower().startswith(text[each.start : cursor].lower())
    found = help_at(text, cursor, scope)
    assert found is None or found.name
