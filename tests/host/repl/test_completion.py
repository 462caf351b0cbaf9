from __future__ import annotations

from collections.abc import Sequence

import pytest

from host.repl.completion import Completion, Known, completions
from host.repl.scope import Scope
from tests.support import requirement

from .manifests import KV, PAD

LIVE = {
    (): [("console", False), ("Math", False), ("setTimeout", True), ("store", False)],
    ("Math",): [("abs", True), ("PI", False), ("asin", True)],
    ("a", "b"): [("inner", False)],
}


def keys(chain: Sequence[str]) -> list[tuple[str, bool]]:
    return LIVE.get(tuple(chain), [])


def complete(text: str, *, before: str = "") -> list[Completion]:
    """The completions at the bar in `text`, or at its end; `before` has been run."""
    scope = Scope([KV, PAD])
    scope.learn(before)
    head, _, tail = text.partition("|")
    known = Known(scope, ["docs"], keys, lambda prefix: [f"{prefix}-file.js"], ["repl-usage"])
    return completions(head + tail, len(head), known)


def texts(text: str, *, before: str = "") -> list[str]:
    return [each.text for each in complete(text, before=before)]


@requirement("jm.repl")
@pytest.mark.parametrize("quote", "\"'")
def test_modules_are_completed_inside_of_require(quote: str) -> None:
    assert texts(f"const x = require({quote}") == ["plugin:kv", "plugin:pad", "docs"]
    assert texts(f"require({quote}plugin:p") == ["plugin:pad"]
    assert complete(f"require({quote}PLUGIN:K")[0] == Completion(
        "plugin:kv", len("require('"), "plugin module", "A key/value store"
    )


@pytest.mark.parametrize("text", ["'plu", "f('plu", "// con", "/* con", "`con", "require(`", "12", "f(12", ""])
def test_nothing_is_completed_in_other_strings_in_comments_and_numbers(text: str) -> None:
    assert texts(text) == []


@requirement("jm.repl")
def test_exports_are_completed_behind_a_name_that_stands_for_a_module() -> None:
    kv = "const kv = require('plugin:kv')"

    assert texts("kv.", before=kv) == ["store", "echo"]
    assert complete("kv.ST", before=kv) == [Completion("store", 3, "plugin export", "Keeps texts")]
    assert texts(f"{kv}; kv.") == ["store", "echo"]
    assert texts("f(1, kv?.e", before=kv) == ["echo"]


@requirement("jm.repl")
def test_methods_are_completed_behind_an_export() -> None:
    kv = "const kv = require('plugin:kv')"

    assert complete("kv.store.g", before=kv) == [Completion("get", 9, "plugin method", "Read a key")]
    assert texts("store.", before="const { store } = require('plugin:kv')") == ["get", "set"]
    assert texts("require('plugin:kv').store.") == ["get", "set"]
    assert texts("kv.store.get.", before=kv) == ["async", "with"]


def test_the_cursor_may_stand_within_the_text() -> None:
    assert texts("f(kv.st|, 1)", before="const kv = require('plugin:kv')") == ["store"]


def test_live_objects_are_completed_where_no_manifest_tells() -> None:
    assert texts("Math.a") == ["abs", "asin"]
    assert texts("Math.p") == ["PI"]
    assert texts("x = a.b.") == ["inner"]
    assert texts("a.none.") == []
    assert texts("f().") == []


def test_globals_names_that_are_typed_and_keywords_are_completed() -> None:
    assert complete("con")[:2] == [Completion("console", 0), Completion("const", 0, "keyword")]
    assert texts("let former = 1; fo") == ["former", "for"]
    assert complete("stor", before="const { store } = require('plugin:kv')") == [
        Completion("store", 0, "plugin export", "Keeps texts")
    ]


def test_what_has_the_same_case_comes_first() -> None:
    LIVE[("b",)] = [("alpha", False), ("Alphabet", False)]

    assert texts("b.A") == ["Alphabet", "alpha"]


def test_commands_are_completed() -> None:
    assert texts(":") == [":help", ":modules", ":doc", ":plugins", ":load", ":reload", ":time", ":quit"]
    assert complete(" :ti") == [
        Completion(":time", 1, "[on|off|CODE]", "say how long CODE takes, or each input from now on")
    ]
    assert texts(":none x") == []


def test_the_arguments_of_commands_are_completed() -> None:
    kv = "const { store } = require('plugin:kv')"

    assert texts(":doc s", before=kv) == ["store"]
    assert texts(":doc plugin:k") == ["plugin:kv"]
    assert complete(":doc store.g", before=kv)[0][:2] == ("get", 11)
    assert complete(":load /a") == [Completion("/a-file.js", 6)]
    assert texts(":help rep") == ["repl-usage"]
    assert texts(":help tim") == ["time"]
    assert texts(":time of") == ["off", "of"]
    assert complete(":time Math.ab")[0][:2] == ("abs", 11)
    assert texts(":quit ") == []
