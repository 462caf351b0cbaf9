"""The value matrix from JavaScript to a plugin, and back; see jsbridge/shim/values.js and python.js."""
from __future__ import annotations

import base64
import math
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jsbridge.binary import decode_base64
from jsbridge.native import native_module
from jsbridge.sdk import Module
from jsbridge.values import MAX_DEPTH
from tests.jsbridge.scripts import Session
from tests.support import requirement

SCALARS = st.none() | st.booleans() | st.floats() | st.text() | st.integers(-(2**53), 2**53)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)
SHARED = Session()
PAGE = Path(__file__).parents[3].joinpath("docs", "values.md").read_text("utf-8")


@requirement("jm.values.to-wire")
@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("undefined", None),
        ("null", None),
        ("true", True),
        ("1", 1),
        ("-1.5", -1.5),
        ("1e21", 1e21),
        ("2 ** 53 - 1", 2**53 - 1),
        ("-(2 ** 53)", -(2.0**53)),
        ("2 ** 60 + 2 ** 10", 2.0**60 + 2**10),
        ("5e-324", 5e-324),
        ("1.7976931348623157e308", 1.7976931348623157e308),
        ("Infinity", math.inf),
        ("-Infinity", -math.inf),
        ("new Number(5)", 5),
        ("new Boolean(false)", False),
        ("''", ""),
        (r"'a\0b'", "a\0b"),
        (r"'\u2028\"\\'", "\u2028\"\\"),
        ("'😀'", "😀"),
        (r"'a\ud800'", "a\ufffd"),
        (r"'\udc00\ud83d\ude00'", "\ufffd😀"),
        (r"['\ud800']", ["\ufffd"]),
        (r"({'\ud800': '\\ud800'})", {"\ufffd": "\\ud800"}),
        ("[]", []),
        ("[1, 'a', [null]]", [1, "a", [None]]),
        ("[undefined, , 3]", [None, None, 3]),
        ("new Array(2)", [None, None]),
        ("(function () { return arguments })(1, 2)", [1, 2]),
        ("({})", {}),
        ("({b: undefined, a: [{}]})", {"b": None, "a": [{}]}),
        ("({[Symbol('s')]: 1, ['__proto__']: 2})", {"__proto__": 2}),
        ("Object.create({inherited: 1}, {own: {value: 1, enumerable: true}, hidden: {value: 2}})", {"own": 1}),
        ("Object.assign(Object.create(null), {a: 1})", {"a": 1}),
        ("new (class Point { x = 1; get y() { return 2 } })", {"x": 1}),
        ("({get a() { return this.b }, b: 1})", {"a": 1, "b": 1}),
        ("new Proxy([1], {})", [1]),
        ("new Uint8Array([0, 255, 16, 8])", "AP8QCA=="),
        ("new Uint8ClampedArray([1, 2, 3])", "AQID"),
        ("new Uint8Array(new Uint8Array([1, 2, 3, 4]).buffer, 1, 2)", "AgM="),
        ("[new Uint8Array(0)]", [""]),
        ("new Uint8Array([0, 255, 16, 8]).buffer", "AP8QCA=="),
        ("new Uint8Array([0, 1, 2, 3, 4, 5]).subarray(2, 5).buffer", "AAECAwQF"),
        ("({data: new ArrayBuffer(3), list: [new Uint8Array([1])]})", {"data": "AAAA", "list": ["AQ=="]}),
        ("new (class Buffer extends Uint8Array {})(2)", "AAA="),
        ("Object.assign([1, 2], {name: 'lost, as in JSON'})", [1, 2]),
        ("Math", {}),
    ],
)
def test_a_value_arrives_in_the_plugin(session: Session, expression: str, value: Any) -> None:
    sent = session.sent(expression)

    assert sent == value
    assert type(sent) is type(value)


def test_nan_and_minus_zero_arrive_in_the_plugin(session: Session) -> None:
    nan, zero, nested = session.sent("NaN"), session.sent("-0"), session.sent("[NaN, -0]")

    assert [math.isnan(number) for number in (nan, nested[0])] == [True, True]
    assert [math.copysign(1, number) for number in (zero, nested[1])] == [-1, -1]


def test_keys_arrive_in_the_order_of_the_script(session: Session) -> None:
    assert list(session.sent("({z: 1, a: 2, m: 3, 10: 4, 2: 5})")) == ["2", "10", "z", "a", "m"]


def test_omitted_arguments_are_not_sent_and_undefined_ones_are(session: Session) -> None:
    session.install("plugin:count", count=lambda *args: len(args))

    assert session.engine.eval("var c = require('plugin:count').count; [c(), c(1), c(undefined), c(1, undefined)]") == [
        0, 1, 1, 2,
    ]


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("function () {}", "function cannot cross to a plugin; pass what it returns, or data"),
        ("class {}", "function cannot cross to a plugin; pass what it returns, or data"),
        ("new Proxy(function () {}, {})", "function cannot cross to a plugin; pass what it returns, or data"),
        ("Symbol('s')", "Symbol cannot cross to a plugin; pass symbol.description"),
        ("10n", "BigInt cannot cross to a plugin; pass Number(value) or String(value)"),
        ("Object(10n)", "BigInt cannot cross to a plugin; pass Number(value) or String(value)"),
        ("new Date()", "Date cannot cross to a plugin; pass date.toISOString() or date.getTime()"),
        ("new Map()", "Map cannot cross to a plugin; pass Object.fromEntries(map)"),
        ("new Set()", "Set cannot cross to a plugin; pass Array.from(set)"),
        ("Promise.resolve()", "Promise cannot cross to a plugin; pass the value it resolves to"),
        ("/x/", "RegExp cannot cross to a plugin; pass regexp.source"),
        ("new RangeError('x')", "Error cannot cross to a plugin; pass error.message"),
        ("new String('s')", "String object cannot cross to a plugin; pass String(value)"),
        ("new WeakMap()", "WeakMap cannot cross to a plugin; pass what it holds for the keys that matter"),
        ("new WeakRef({})", "WeakRef cannot cross to a plugin; pass ref.deref()"),
        ("new FinalizationRegistry(function () {})", "FinalizationRegistry cannot cross to a plugin; pass data"),
        ("new SharedArrayBuffer(1)", "SharedArrayBuffer cannot cross to a plugin; pass new Uint8Array(buffer)"),
        (
            "new DataView(new ArrayBuffer(1))",
            "DataView cannot cross to a plugin; pass new Uint8Array(view.buffer, view.byteOffset, view.byteLength)",
        ),
        ("new BigInt64Array(1)", "BigInt64Array cannot cross to a plugin; pass Array.from(array, Number)"),
        ("new Float16Array(1)", "Float16Array cannot cross to a plugin; pass Array.from(array)"),
        ("new Float64Array(1)", "Float64Array cannot cross to a plugin; pass Array.from(array)"),
        ("new Int8Array(1)", "Int8Array cannot cross to a plugin; pass Array.from(array)"),
        ("[].values()", "iterator cannot cross to a plugin; pass Array.from(iterator)"),
        ("(function* () {})()", "Generator cannot cross to a plugin; pass Array.from(generator)"),
        ("[1].values().map(String)", "iterator cannot cross to a plugin; pass Array.from(iterator)"),
        ("(async function* () {})()", "AsyncGenerator cannot cross to a plugin; pass an array of what it yields"),
        ("new (class Failure extends Error {})('x')", "Error cannot cross to a plugin; pass error.message"),
        ("new Proxy(new Date(), {})", "Date cannot cross to a plugin; pass date.toISOString() or date.getTime()"),
        (
            "new (class extends Map { get [Symbol.toStringTag]() { return 'Table' } })()",
            "Map cannot cross to a plugin; pass Object.fromEntries(map)",
        ),
        ("new Proxy(new Uint8Array(1), {})", "Uint8Array in disguise cannot cross to a plugin; pass a plain one"),
    ],
)
def test_what_would_lose_content_is_refused(session: Session, expression: str, text: str) -> None:
    error = session.error(f"require('plugin:echo').echo(1, {expression})")

    assert error.name == "TypeError"
    assert error.message == f"convert argument 1: {text}"
    assert session.calls == []


@pytest.mark.parametrize(("expression", "text"), re.findall(r"^\| `(.+?)` \| `(.+ cannot cross .+)` \|$", PAGE, re.M))
def test_the_page_on_values_says_what_users_see(session: Session, expression: str, text: str) -> None:
    error = session.error(f"require('plugin:echo').echo({expression})")

    assert str(error) == f"TypeError: convert argument 0: {text}"


@pytest.mark.parametrize(
    ("expression", "place"),
    [
        ("{user: {born: new Date()}}", ".user.born: Date"),
        ("[1, [new Date()]]", "[1][0]: Date"),
        ("{'weird name-1': [{$x: new Date()}]}", '["weird name-1"][0].$x: Date'),
        ("{a: {toJSON() { return 1 }}}", ".a.toJSON: function"),
        ("[{born: new Map()}, new Date()]", "[0].born: Map"),
        ("{'__proto__': {}, ['__proto__']: 1n}", ".__proto__: BigInt"),
        ("(x => x.a.b = x)({a: {}})", ".self: cycle (the value contains itself)"),
    ],
)
def test_a_refusal_names_the_place(session: Session, expression: str, place: str) -> None:
    code = "var v = {a: {}}; v.self = v; "
    argument = "v" if "cycle" in place else expression

    assert session.error(f"{code} require('plugin:echo').echo({argument})").message.startswith(
        f"convert argument 0: {place} cannot cross to a plugin"
    )


def test_a_cycle_is_found_and_a_value_that_is_only_shared_is_none(session: Session) -> None:
    session.engine.eval("var shared = {a: 1}, cycle = {deep: [{}]}; cycle.deep[0].up = cycle.deep; null")

    assert session.sent("[shared, {x: shared}, shared]") == [{"a": 1}, {"x": {"a": 1}}, {"a": 1}]
    assert session.error("require('plugin:echo').echo(cycle)").message.startswith(
        "convert argument 0: .deep[0].up: cycle (the value contains itself)"
    )


def test_the_error_of_a_getter_is_thrown_unchanged(session: Session) -> None:
    code = """
        var mine = new RangeError("mine"), caught;
        try { require("plugin:echo").echo({get a() { throw mine }}) } catch (error) { caught = error }
        caught === mine
    """

    assert session.engine.eval(code) is True
    assert session.calls == []


@requirement("jm.values.from-wire")
@pytest.mark.parametrize(
    ("value", "expression"),
    [
        (None, "value === null"),
        (True, "value === true"),
        (1.0, "value === 1"),
        (5, "value === 5"),
        (0.1, "value === 0.1"),
        (1e21, "value === 1e21"),
        (5e-324, "value === 5e-324"),
        (-0.0, "Object.is(value, -0)"),
        (math.nan, "value !== value"),
        (math.inf, "value === Infinity"),
        (-math.inf, "value === -Infinity"),
        ("a\0\u2028\"\\😀", r"value === 'a\0\u2028\"\\😀'"),
        ([], "Array.isArray(value) && value.length === 0"),
        ([None, [1.0]], "value[0] === null && value[1][0] === 1 && value.map(String).length === 2"),
        ({}, "Object.getPrototypeOf(value) === Object.prototype && Object.keys(value).length === 0"),
        ({"z": 1.0, "a": 2.0, "m": 3.0}, "Object.keys(value).join() === 'z,a,m'"),
        ({"__proto__": 1.0}, "Object.keys(value)[0] === '__proto__' && value.toString === Object.prototype.toString"),
        ([math.nan, {"a": [-math.inf, math.nan]}], "value[0] !== value[0] && value[1].a[1] !== value[1].a[1]"),
        ({"__proto__": math.nan, "b": math.nan}, "Object.keys(value).length === 2 && value.b !== value.b"),
        ({"value": math.nan, "nan": []}, "value.value !== value.value && value.nan.length === 0"),
        (b"\x00\xff\x80", "value instanceof Uint8Array && [].join.call(value) === '0,255,128'"),
        ([{"a": b""}], "value[0].a instanceof Uint8Array && value[0].a.length === 0"),
        ({"bytes": b"\x01", "nan": math.nan}, "value.bytes[0] === 1 && value.nan !== value.nan"),
        ({"b": 1.0, "10": 2.0, "2": 3.0}, "Object.keys(value).join() === '2,10,b'"),
    ],
)
def test_a_result_arrives_in_the_script(session: Session, value: Any, expression: str) -> None:
    assert session.received(value, expression) is True


def test_a_result_belongs_to_the_script(session: Session) -> None:
    value = {"list": [1]}

    assert session.received(value, "value.list.push(2); delete value.list; value.x = 1; value") == {"x": 1}
    assert value == {"list": [1]}


@given(VALUES)
def test_any_value_comes_back_as_it_went(value: Any) -> None:
    assert comparable(SHARED.received(value, "require('plugin:echo').echo(value)")) == comparable(value)
    assert comparable(SHARED.calls[-1][2][0]) == comparable(value)


def comparable(value: Any) -> Any:
    """`value` with numbers as text, so that NaN equals itself and -0 is not 0."""
    if isinstance(value, list):
        return [comparable(item) for item in value]
    if isinstance(value, dict):
        return {key: comparable(item) for key, item in value.items()}
    return value if isinstance(value, (str, bool)) or value is None else repr(float(value))


@requirement("ow.bytes")
@given(st.binary(max_size=200))
def test_bytes_cross_as_base64_and_come_back_as_bytes(data: bytes) -> None:
    for expression in ("value", "value.buffer"):
        echoed = f"require('plugin:echo').echo({expression})"
        assert SHARED.received(data, echoed) == base64.b64encode(data).decode() == SHARED.calls[-1][2][0]


@requirement("ow.deep")
@pytest.mark.parametrize("wrap", ["[value]", "{a: value}"])
def test_a_value_of_a_thousand_levels_crosses_both_ways(session: Session, wrap: str) -> None:
    session.engine.eval(f"var value = 1; for (var i = 0; i < 1000; i++) value = {wrap}; null")

    assert session.engine.eval("JSON.stringify(require('plugin:echo').echo(value)) === JSON.stringify(value)") is True


@requirement("ow.deep")
def test_the_deepest_value_crosses_both_ways(session: Session) -> None:
    value: Any = math.nan
    for _ in range(MAX_DEPTH - 1):
        value = [value]

    session.received(value, "null")
    session.engine.eval("value = require('plugin:echo').echo(value); null")
    session.engine.eval("for (var levels = 0; Array.isArray(value); levels++) value = value[0]")

    assert session.engine.eval("[levels, value !== value]") == [MAX_DEPTH - 1, True]


def test_too_deep_a_value_is_an_error(session: Session) -> None:
    session.engine.eval(f"var value = 1; for (var i = 0; i <= {MAX_DEPTH}; i++) value = [value]; null")

    error = session.error("require('plugin:echo').echo(value)")

    assert (error.name, error.message) == (
        "RangeError", f"convert argument 0: nested deeper than {MAX_DEPTH} levels",
    )


def test_too_deep_a_result_is_an_error(session: Session) -> None:
    value: Any = 1
    for _ in range(MAX_DEPTH + 1):
        value = [value]
    session.install("plugin:deep", get=lambda: value)

    assert "nested deeper than" in session.error("require('plugin:deep').get()").message


@requirement("ow.bytes")
def test_a_module_of_this_process_returns_bytes_as_a_plugin_does(session: Session) -> None:
    module = Module("plugin:any")
    module.function(name="reverse", returns=bytes)(lambda data: decode_base64(data)[::-1])
    session.registry.natives.add("binary", lambda: native_module("binary", module))

    assert session.engine.eval("[].join.call(require('binary').reverse(new Uint8Array([1, 255])))") == "255,1"


def test_a_call_at_the_end_of_the_stack_is_an_error_and_no_crash(session: Session) -> None:
    error = session.error("(function f() { require('plugin:echo').echo({a: [1]}); f() })()")

    assert error.name == "RangeError"
    assert session.engine.eval("1 + 1") == 2


def test_megabytes_cross_both_ways(session: Session) -> None:
    session.install("plugin:big", get=lambda: ["x" * 1000] * 5000)

    assert session.engine.eval("var big = require('plugin:big').get(); big.length * big[0].length") == 5_000_000
    assert session.sent("'é'.repeat(3000000)") == "é" * 3_000_000
    assert session.sent("{list: big}")["list"][4999] == "x" * 1000
    assert session.sent("new Uint8Array(300001)") == base64.b64encode(bytes(300_001)).decode()
