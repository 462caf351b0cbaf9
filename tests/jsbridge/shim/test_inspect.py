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
        ("[1, , 3]", "[ 1, <1 empty item>, 3 ]"),
        ("new Array(3)", "[ <3 empty items> ]"),
        ("[, 1, , , ]", "[ <1 empty item>, 1, <2 empty items> ]"),
        ("Object.assign([1], {a: 2, [Symbol('s')]: 3})", "[ 1, a: 2, [Symbol(s)]: 3 ]"),
        ("'ab'.match(/b/)", '[ "b", groups: undefined, index: 1, input: "ab" ]'),
        ("({[Symbol('s')]: 1})", "{ [Symbol(s)]: 1 }"),
        ("({set a(x) {}, get b() {}, set b(x) {}})", "{ a: [Setter], b: [Getter/Setter] }"),
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
        ("Object(Symbol('s'))", "[Symbol: Symbol(s)]"),
        ("Object(5n)", "[BigInt: 5n]"),
        ("({[Symbol.toStringTag]: 'Number'})", 'Object [Number] { [Symbol(Symbol.toStringTag)]: "Number" }'),
        ("new (class extends Map {})", "Map(0) {}"),
        ("new Uint8Array([1, 2])", "Uint8Array(2) [ 1, 2 ]"),
        ("new Uint8Array([1, 255]).buffer", "ArrayBuffer { [Uint8Contents]: <01 ff> }"),
        ("new ArrayBuffer(0)", "ArrayBuffer { [Uint8Contents]: <> }"),
        ("new SharedArrayBuffer(1)", "SharedArrayBuffer { [Uint8Contents]: <00> }"),
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


def test_many_short_items_share_lines(session: Session) -> None:
    lines = session.engine.eval_text("new Uint8Array(40).fill(100)").splitlines()

    assert lines[0] == "Uint8Array(40) ["
    assert lines[1] == "  " + ", ".join(["100"] * 14) + ","
    assert lines[-2:] == ["  " + ", ".join(["100"] * 12), "]"]


def test_long_lists_are_cut(session: Session) -> None:
    assert session.engine.eval_text("new Array(102).fill(0)").endswith("... 2 more items\n]")
    assert session.engine.eval_text("new ArrayBuffer(101)").endswith("00 ... 1 more item> }")
    assert session.engine.eval_text("new Set(new Array(101).fill(0).map((_, i) => i))").endswith("... 1 more item\n}")


def test_an_error_is_shown_with_its_stack_and_properties(session: Session) -> None:
    text = session.engine.eval_text("Object.assign(new RangeError('too big'), {code: 'E'})")

    header, frame = text.split("\n")
    assert header == "RangeError: too big"
    assert frame.startswith("    at <eval>:1:")
    assert frame.endswith(' { code: "E" }')


def test_an_error_is_shown_with_what_it_hides(session: Session) -> None:
    text = session.engine.eval_text("new Error('outer', {cause: new Error('inner')})")

    assert text.startswith("Error: outer\n    at <eval>:1:")
    assert "  [cause]: Error: inner\n      at <eval>:1:" in text
    assert "[errors]: [\n    Error: a" in session.engine.eval_text("new AggregateError([new Error('a')])")


def test_an_error_from_a_plugin_is_shown_with_its_code(session: Session) -> None:
    def fail() -> None:
        raise RemoteError(Code.NOT_FOUND, "no such key")

    session.install("plugin:kv", get=fail)

    text = session.engine.eval_text("try { require('plugin:kv').get() } catch (e) { [e] }")

    assert text.startswith("[\n  GoError: rpc error: code = NotFound desc = no such key\n      at ")
    assert '{ code: "NotFound", details: [], plugin: "plugin:kv" }' in text
