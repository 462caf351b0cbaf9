from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host.repl.bindings import Binding
from host.repl.evaluator import Evaluator, is_expression_like, own_lines
from jsbridge.engine import DukpyEngine, JSError
from jsbridge.registry import ModuleRegistry


def test_the_last_result_is_kept(evaluator: Evaluator) -> None:
    assert evaluator.run("6 * 7") == "42"
    assert evaluator.run("_ + 1;") == "43"
    evaluator.run("let x = 1")
    assert evaluator.run("_") == "43"
    assert evaluator.run("await Promise.resolve('later')") == '"later"'
    assert evaluator.run("_ // a comment") == '"later"'


@pytest.mark.parametrize("code", ["var _ = 'mine'", "_ = 'mine'", "const _ = 'mine'"])
def test_unless_the_name_is_given_something_else(evaluator: Evaluator, code: str) -> None:
    evaluator.run(code)
    evaluator.run("1")

    assert evaluator.run("_") == '"mine"'


def test_a_bare_evaluator_keeps_nothing() -> None:
    with DukpyEngine(ModuleRegistry()) as engine:
        bare = Evaluator(engine, keeps_last=False)
        bare.run("1")

        assert bare.run("typeof _") == '"undefined"'


def test_braces_are_an_object_and_with_a_semicolon_a_block(evaluator: Evaluator) -> None:
    assert evaluator.run("{ a: 1 }") == "{ a: 1 }"
    assert evaluator.run("{ a: 1 };") == "1"
    assert evaluator.run("{}") == "{}"


@pytest.mark.parametrize(
    "code", ["function f() { return 1 }", "async function f() {}", "class f {}", "var f = 1", "let f = 1"]
)
def test_declarations_stay_declarations(evaluator: Evaluator, code: str) -> None:
    evaluator.run(code)

    assert evaluator.run("typeof f") != '"undefined"'


@pytest.mark.parametrize("code", ["1); (2", ")", "let x", "if (1) 2", "{a: 1};", ""])
def test_what_is_no_expression_is_not_taken_for_one(code: str) -> None:
    assert not is_expression_like(code)


@pytest.mark.parametrize(
    ("code", "frame"), [("f()", "<eval>:1:1"), ("\n\nf()", "<eval>:3:1"), ("var y;\nf()", "<eval>:2:1")]
)
def test_the_lines_of_an_error_are_those_that_were_typed(evaluator: Evaluator, code: str, frame: str) -> None:
    evaluator.run("let f = () => { throw new Error }")
    with pytest.raises(JSError) as caught:
        evaluator.run(code)

    assert frame in own_lines(caught.value.stack)


def test_live_objects_have_keys(evaluator: Evaluator) -> None:
    evaluator.run("const point = { x: 1, move() {}, 'not a name': 1, get hidden() { throw 1 } }")

    assert ("point", False) in evaluator.keys([])
    assert evaluator.keys(["point"])[:3] == [("x", False), ("move", True), ("hidden", False)]
    assert ("toFixed", True) in evaluator.keys(["point", "x"])
    assert evaluator.keys(["point", "hidden"]) == ()
    assert evaluator.keys(["none"]) == ()
    assert not [name for name, _ in evaluator.keys([]) if name in ("$repl", "$jsbridge")]


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)


@settings(max_examples=15)
@given(VALUES)
def test_what_is_plain_is_restored_in_another_engine(value: Any) -> None:
    with DukpyEngine(ModuleRegistry()) as first, DukpyEngine(ModuleRegistry()) as second:
        Evaluator(first).prepare()
        first.eval(f"var it = {_literal(value)}")
        captured = Evaluator(first).capture([])
        assert Evaluator(second).restore(captured.bindings) == []

        assert second.eval_text("it") == first.eval_text("it")
        assert second.eval("it") == value


def _literal(value: Any) -> str:
    """JavaScript for `value`, in which a key `__proto__` is a key."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'[{json.dumps(key)}]: {_literal(item)}' for key, item in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    if isinstance(value, float) and math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return repr(value) if isinstance(value, float) else json.dumps(value)


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("var x = -0", "-0"), ("var x = NaN", "NaN"), ("var x = 10n", "10n"), ("var x", "undefined"),
        ("var x = [undefined]", "[ undefined ]"), ("var x = Object.create(null)", "[Object: null prototype] {}"),
        ("function x(a) { return a }", "[Function: x]"), ("const x = async a => a", "[Function: x]"),
        ("class x { #p = 1 }", "[class x]"), ("const { y: x } = { y: 1 }", "1"),
    ],
)
def test_values_and_functions_have_a_source(evaluator: Evaluator, code: str, shown: str) -> None:
    evaluator.run(code)
    captured = evaluator.capture([])

    with DukpyEngine(ModuleRegistry()) as other:
        assert Evaluator(other).restore(captured.bindings) == []
        assert (other.eval_text("x") or "undefined") == shown


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("var x = Promise.resolve()", "it is or has a Promise"), ("var x = [new Date]", "it is or has a Date"),
        ("var x = Symbol()", "it is a symbol, or has one in it"), ("var x = Math.abs", "it is a native function"),
        ("var x = {}; x.x = x", "it contains itself"), ("var x = { f() {} }", "it has a function in it"),
        ("var { f: x } = { f() {} }", "it is a method: its source stands only within its object"),
        ("var x = { get a() { return 1 } }", "it has a getter"), ("var x = [,]", "it is or has an array with holes"),
        ("function x() {}; x.y = 1", "it is a function with properties"),
        ("var x = { [Symbol()]: 1 }", "it has properties that are symbols"),
        ("var x = 'x'.repeat(2000000)", "it is larger than 1 MiB"),
        ("throw_ = { get x() { throw new TypeError('no') } }; var x = throw_", "it has a getter"),
    ],
)
def test_what_has_none_is_named_with_the_reason(evaluator: Evaluator, code: str, reason: str) -> None:
    evaluator.run(code)
    reasons = {each.name: each.reason for each in evaluator.capture([]).unkept}

    assert reasons["x"].startswith(reason)


def test_the_last_result_is_no_declaration(evaluator: Evaluator) -> None:
    evaluator.run("5")
    assert evaluator.capture([]).bindings == ()

    evaluator.run("var _ = 5")
    assert evaluator.capture([]).bindings == (Binding("_", False, "5"),)


def test_what_cannot_be_declared_again_is_told(evaluator: Evaluator) -> None:
    (unkept,) = evaluator.restore([Binding("x", True, "require('plugin:gone')"), Binding("y", True, "1")])

    assert str(unkept) == "x (Error: Cannot find module 'plugin:gone')"
    assert evaluator.run("y") == "1"


def test_lexical_names_are_lexical_again(evaluator: Evaluator) -> None:
    evaluator.run("let a = 1; var b = 2")

    assert {each.statement for each in evaluator.capture([]).bindings} == {"let a = (1\n);", "var b = (2\n);"}
