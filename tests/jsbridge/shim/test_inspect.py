"""Values as text for people; see jsbridge/shim/inspect.js."""
from __future__ import annotations

import pytest

from goplugin.core.errors import RemoteError
from goplugin.core.status import Code
from tests.jsbridge.scripts import Session


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("undefined", ""),
        ("null", "null"),
        ("true", "true"),
        ("1", "1"),
        ("-0", "-0"),
        ("NaN", "NaN"),
        ("1e21", "1e+21"),
        ("10n", "10n"),
        ("'hello, hello'", '"hello, hello"'),
        (r"'a\n\"b\"'", r'"a\n\"b\""'),
        ("Symbol('s')", "Symbol(s)"),
        ("[]", "[]"),
        ("({})", "{}"),
        ("[1, 'a', null, undefined]", '[ 1, "a", null, undefined ]'),
        ("[1, , 3]", "[ 1, <empty>, 3 ]"),
        ("({a: 1, 'b-c': 'x', $d: [true]})", '{ a: 1, "b-c": "x", $d: [ true ] }'),
        ("({get a() { throw 1 }})", "{ a: [Getter] }"),
        ("new (class Point { x = 1 })", "Point { x: 1 }"),
        ("Object.create(null)", "[Object: null prototype] {}"),
        ("(function () { return arguments })(1)", "[Arguments] [ 1 ]"),
        ("(function named() {})", "[Function: named]"),
        ("(() => 1)", "[Function (anonymous)]"),
        ("(class A {})", "[class A]"),
        ("Object.assign(function f() {}, {a: 1})", "[Function: f] { a: 1 }"),
        ("new Map([[1, 'a'], [{b: 2}, []]])", 'Map(2) { 1 => "a", { b: 2 } => [] }'),
        ("new Set(['a'])", 'Set(1) { "a" }'),
        ("new Date(0)", "1970-01-01T00:00:00.000Z"),
        ("new Date(NaN)", "Invalid Date"),
        ("/x/g", "/x/g"),
        ("new String('s')", '[String: "s"]'),
        ("Object(5)", "[Number: 5]"),
        ("new Uint8Array([1, 2])", "Uint8Array(2) [ 1, 2 ]"),
        ("Promise.resolve(1)", "Promise {}"),
        ("Math", "Object [Math] {}"),
        ("[[[[[[1]]]]]]", "[ [ [ [ [ [Array] ] ] ] ] ]"),
        ("({a: {a: {a: {a: {a: {}}}}}})", "{ a: { a: { a: { a: { a: [Object] } } } } }"),
        ("var c = {}; c.self = c; c", "{ self: [Circular] }"),
    ],
)
def test_a_value_is_shown_as_node_shows_it(session: Session, expression: str, text: str) -> None:
    assert session.engine.eval_text(expression) == text


def test_what_is_long_is_broken_into_lines(session: Session) -> None:
    code = "({first: 'x'.repeat(30), second: ['y'.repeat(30), {a: 1}], third: 'z'.repeat(10)})"

    assert session.engine.eval_text(code).splitlines() == [
        "{",
        f'  first: "{"x" * 30}",',
        f'  second: [ "{"y" * 30}", {{ a: 1 }} ],',
        '  third: "zzzzzzzzzz"',
        "}",
    ]


def test_long_lists_are_cut(session: Session) -> None:
    assert session.engine.eval_text("new Array(102).fill(0)").endswith("... 2 more items\n]")
    assert session.engine.eval_text("new Set(new Array(101).fill(0).map((_, i) => i))").endswith("... 1 more item\n}")


def test_an_error_is_shown_with_its_stack_and_properties(session: Session) -> None:
    text = session.engine.eval_text("Object.assign(new RangeError('too big'), {code: 'E'})")

    header, frame = text.split("\n")
    assert header == "RangeError: too big"
    assert frame.startswith("    at <eval>:1:")
    assert frame.endswith(' { code: "E" }')


def test_an_error_from_a_plugin_is_shown_with_its_code(session: Session) -> None:
    def fail() -> None:
        raise RemoteError(Code.NOT_FOUND, "no such key")

    session.install("plugin:kv", get=fail)

    text = session.engine.eval_text("try { require('plugin:kv').get() } catch (e) { [e] }")

    assert text.startswith("[\n  GoError: rpc error: code = NotFound desc = no such key\n      at ")
    assert '{ code: "NotFound", details: [], plugin: "plugin:kv" }' in text
