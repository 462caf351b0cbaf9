from __future__ import annotations

import io
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goplugin import ConfigError
from host.verbs.call import read_arguments
from tests.host.outcome import RunHost


@pytest.mark.parametrize(
    ("texts", "values"),
    [
        ([], []),
        (["1", '"x"', "null", "[1, 2]"], [1, "x", None, [1, 2]]),
        (["name=Ada", "age=36"], [{"name": "Ada", "age": 36}]),
        (["1", "a=1", "2", "b=true", "c="], [1, {"a": 1, "b": True, "c": ""}, 2]),
        (["text=\"5\"", "list=[1]", "$odd-name=x=y"], [{"text": "5", "list": [1], "$odd-name": "x=y"}]),
        (["lines=a\nb"], [{"lines": "a\nb"}]),
        (['"a=b"'], ["a=b"]),
    ],
)
def test_arguments_are_json_and_members_make_one_object(texts: list[str], values: list[Any]) -> None:
    assert read_arguments(texts) == values


def test_a_dash_is_what_stdin_has(run: RunHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO('{"a": [1, 2]}\n'))

    assert run("call", "plugin:echo", "ping", "-").json == {"a": [1, 2]}


def test_stdin_that_is_no_json_is_a_usage_error(run: RunHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("hello"))

    outcome = run("call", "plugin:echo", "ping", "-")

    assert (outcome.code, outcome.err) == (2, "error: argument 1 of the call is not JSON: what stdin has\n")


@given(st.lists(st.text()))
def test_any_arguments_are_values_or_a_usage_error(texts: list[str]) -> None:
    try:
        values = read_arguments([text for text in texts if text != "-"])
    except ConfigError as error:
        assert "is not JSON: " in str(error)  # noqa: PT017 - one of two outcomes
    else:
        assert len(values) <= len(texts)
