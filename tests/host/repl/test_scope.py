from __future__ import annotations

import pytest

from host.repl.scope import Scope, chain_before, required
from host.repl.syntax import significant, tokens

from .manifests import KV, PAD


def scope(text: str = "") -> Scope:
    made = Scope([KV, PAD])
    made.learn(text)
    return made


def meaning(text: str, *chain: str) -> str | None:
    node = scope(text).find(chain)
    return None if node is None else node.id


@pytest.mark.parametrize("keyword", ["const ", "let ", "var ", ""])
@pytest.mark.parametrize("quote", "\"'")
def test_a_name_that_is_given_a_module_stands_for_it(keyword: str, quote: str) -> None:
    text = f"{keyword}kv = require({quote}plugin:kv{quote})"

    assert meaning(text, "kv") == "plugin:kv"
    assert meaning(text, "kv", "store") == "plugin:kv/store"
    assert meaning(text, "kv", "store", "get") == "plugin:kv/store.get"
    assert meaning(text, "kv", "none") is None


@pytest.mark.parametrize(
    "text",
    [
        "const s = require('plugin:kv').store",
        "const kv = require('plugin:kv'); const s = kv.store",
        "const kv = require('plugin:kv')\nconst s = kv.store\n1",
        "const { store: s } = require('plugin:kv')",
        "const { echo, store: s, } = require('plugin:kv');",
        "const kv = require('plugin:kv'), s = kv.store",
    ],
)
def test_a_name_may_stand_for_a_part(text: str) -> None:
    assert meaning(text, "s") == "plugin:kv/store"


def test_destructuring_names_parts_after_themselves() -> None:
    assert meaning("const { store, echo = 1 } = require('plugin:kv')", "store") == "plugin:kv/store"
    assert meaning("const { store, echo = 1 } = require('plugin:kv')", "echo") == "plugin:kv/echo"


@pytest.mark.parametrize("text", ["kv = 1", "kv = kv.store.get()", "({ kv } = other)", "kv = kv + 1", "kv ="])
def test_a_name_that_is_given_something_else_stands_for_nothing(text: str) -> None:
    assert meaning(f"var kv = require('plugin:kv');\n{text}", "kv") is None


def test_a_property_of_the_same_name_is_another_thing() -> None:
    assert meaning("var kv = require('plugin:kv'); other.kv = 1", "kv") == "plugin:kv"


def test_a_module_can_be_used_without_a_name() -> None:
    assert meaning("", "require('plugin:kv')", "store") == "plugin:kv/store"


def test_a_function_has_an_asynchronous_twin_and_options() -> None:
    twin = scope("").find(["require('plugin:kv')", "store", "get", "async"])

    assert twin is not None
    assert str(twin.signature) == "(key: string, fallback?: string | null): Promise<string | null>"
    assert scope("").find(["require('plugin:kv')", "echo", "with"]) is not None


def test_summaries_are_one_line_without_the_signature() -> None:
    names = dict(scope("const {store, echo} = require('plugin:kv')").names())

    assert names["echo"].summary == "Give it back"
    assert names["store"].members["set"].summary == "Write a key."


def test_a_copy_learns_for_itself() -> None:
    original = scope("const kv = require('plugin:kv')")
    copy = original.copy()
    copy.learn("kv = 1; pad = require('plugin:pad')")

    assert original.find(["kv"]) is not None
    assert original.find(["pad"]) is None
    assert copy.find(["kv"]) is None


def test_names_go_over_to_another_runtimes_scope_if_it_has_the_module() -> None:
    later = Scope([KV])
    later.adopt(scope("const g = require('plugin:kv').store.get, p = require('plugin:pad')"))

    assert {name: node.id for name, node in later.names()} == {"g": "plugin:kv/store.get"}


@pytest.mark.parametrize(
    ("text", "chain"),
    [
        ("a", ["a"]), ("f(a.b", ["a", "b"]), ("a?.b", ["a", "b"]), ("this.x", ["this", "x"]), ("f().b", None),
        ("a[0].b", None), ("1", None), ("", None), (".b", None), ("require('m').b", ["require('m')", "b"]),
        ("(a).b", None),
    ],
)
def test_a_chain_is_names_with_dots_between(text: str, chain: list[str] | None) -> None:
    assert chain_before(significant(tokens(text))) == chain


def test_only_a_plain_string_names_a_module() -> None:
    assert required("require('m')") == "m"
    assert required("require(m)") is None
    assert required("require('a'+b)") is None
    assert required("other('m')") is None
