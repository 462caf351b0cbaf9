"""Modules of plugins as objects, and the ways to call their functions; see jsbridge/shim/modules.js."""
from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from goplugin.core.errors import PluginLostError, RemoteError
from goplugin.core.status import Code
from tests.jsbridge.scripts import Session
from tests.support import requirement


@requirement("jm.require")
def test_a_plugin_module_is_built_at_its_first_require_and_then_cached(session: Session) -> None:
    session.engine.eval("var first = require('plugin:echo'); first.mine = 1")

    assert session.engine.eval("require('plugin:echo') === first && require('plugin:echo').mine") == 1
    assert session.calls == []


@requirement("jm.export.function")
def test_a_function_export_is_called_with_its_name_and_no_method(session: Session) -> None:
    session.install("plugin:m", greet=lambda name: f"hello, {name}")

    assert session.engine.eval("require('plugin:m').greet('you')") == "hello, you"
    assert session.calls == [("greet", "", ["you"], 5.0)]


@requirement("jm.export.object")
def test_an_object_export_has_its_methods(session: Session) -> None:
    session.install("plugin:m", strings__upper=str.upper, strings__lower=str.lower)

    assert session.engine.eval("var m = require('plugin:m'); Object.keys(m.strings)") == ["upper", "lower"]
    assert session.engine.eval("m.strings.upper('a') + m.strings.lower('B')") == "Ab"
    assert [call[:2] for call in session.calls] == [("strings", "upper"), ("strings", "lower")]


def test_properties_are_in_the_order_of_the_manifest(session: Session) -> None:
    session.install("plugin:m", zeta=int, alpha__z=int, alpha__a=int, beta=int)

    assert session.engine.eval("var m = require('plugin:m'); Object.keys(m).concat(Object.keys(m.alpha))") == [
        "zeta", "alpha", "beta", "z", "a",
    ]


@pytest.mark.parametrize("name", ["weird name-1", "o.p", "constructor", "__proto__", "toString", "naïve", "then", "7"])
def test_names_are_used_verbatim(session: Session, name: str) -> None:
    session.register("plugin:m", {(name,): lambda: "function", ("object", name): lambda: "method"})

    assert session.engine.eval(f"var m = require('plugin:m'); var name = {name!r}; Object.keys(m).sort()") == sorted(
        [name, "object"]
    )
    own = "Object.getOwnPropertyDescriptor"
    assert session.engine.eval(f"[{own}(m, name).value(), {own}(m.object, name).value()]") == ["function", "method"]
    assert session.engine.eval("Object.getPrototypeOf(m) === Object.prototype") is True


def test_a_function_of_a_plugin_is_a_plain_property_and_no_constructor(session: Session) -> None:
    session.engine.eval("var m = require('plugin:echo'); var echo = m.echo")

    assert session.engine.eval("[typeof echo, echo.length, echo.name, echo.call({}, 5), echo.apply(null, [6])]") == [
        "function", 0, "echo", 5, 6,
    ]
    session.engine.eval("var d = Object.getOwnPropertyDescriptor(m, 'echo'); null")
    assert session.engine.eval("[d.writable, d.enumerable, d.configurable]") == [True, True, True]
    assert session.error("new echo()").name == "TypeError"
    assert session.error("m.nope()").name == "TypeError"


# --- a call with options ---------------------------------------------------------------------------------------------


def test_a_function_with_a_timeout_is_the_same_function(session: Session) -> None:
    session.install("plugin:m", f=lambda *args: list(args), o__f=lambda value: value)

    session.engine.eval("var m = require('plugin:m')")

    assert session.engine.eval("m.f.with({ timeout: 500 })('a', [null, 1])") == ["a", [None, 1]]
    assert session.engine.eval_text("m.o.f.with({ timeout: 2500 })(NaN)") == "NaN"
    assert [call[3] for call in session.calls] == [0.5, 2.5]
    assert session.engine.eval("[m.f.with({}).name, m.f.with({}).length, Object.keys(m.f)]") == ["f", 0, []]


def test_options_add_up(session: Session) -> None:
    session.engine.eval("var f = require('plugin:echo').echo.with({ timeout: 100 }), signal = AbortSignal.abort('no')")

    assert session.error("f.with({ signal: signal })(1)").message == '"no"'
    assert session.engine.eval("f.with({ timeout: 200 })(1) + f(1) + f.with({ timeout: undefined })(1)") == 3
    assert [call[3] for call in session.calls] == [0.2, 0.1, 0.1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("", "with() takes an object, not undefined"),
        ("500", "with() takes an object, not 500"),
        ("{ timeot: 1 }", "with() knows timeout and signal, not timeot"),
        ("{ timeout: 0 }", "timeout is a number of milliseconds, not 0"),
        ("{ timeout: Infinity }", "timeout is a number of milliseconds, not Infinity"),
        ("{ timeout: 'x' }", 'timeout is a number of milliseconds, not "x"'),
        ("{ signal: {} }", "signal is an AbortSignal, not {}"),
    ],
)
def test_options_are_checked(session: Session, options: str, message: str) -> None:
    error = session.error(f"require('plugin:echo').echo.with({options})")

    assert (error.name, error.message) == ("TypeError", message)


def test_a_call_with_options_may_fail_like_any_other(session: Session) -> None:
    original = RemoteError(Code.NOT_FOUND, "why")
    session.install("plugin:m", f=failing(original))

    error = session.error("require('plugin:m').f.with({ timeout: 1 })()")

    assert error.cause_error is original
    assert error.code == "NotFound"


def failing(error: BaseException) -> Any:
    def fail(*args: object) -> None:
        raise error

    return fail


# --- an asynchronous call --------------------------------------------------------------------------------------------


def test_the_twin_of_a_function_gives_a_promise(session: Session) -> None:
    session.engine.eval("const { echo } = require('plugin:echo')")

    assert session.engine.eval("echo.async(1) instanceof Promise") is True
    assert session.engine.eval("await echo.async({ a: [1, null, 'x'] })") == {"a": [1, None, "x"]}
    session.engine.eval("const twin = echo.async")

    assert session.engine.eval("[typeof twin, twin.name, twin.length, twin === echo.async]") == [
        "function", "echo", 0, True,
    ]
    assert session.error("new echo.async()").name == "TypeError"


@pytest.mark.parametrize("value", ["NaN", "-Infinity", "-0", "'\\ud83d\\ude00'", "[[NaN], {a: NaN}]", "null"])
def test_values_cross_as_in_any_other_call(session: Session, value: str) -> None:
    session.engine.eval(f"const {{ echo }} = require('plugin:echo'); const value = {value}")

    assert session.engine.eval_text("await echo.async(value)") == session.engine.eval_text("echo(value)")


@requirement("ow.async-js")
def test_calls_are_made_at_once(session: Session) -> None:
    meeting = threading.Barrier(10)
    session.install("plugin:m", meet=lambda n: meeting.wait(10) * 0 + n)

    assert session.engine.eval("""
        const { meet } = require('plugin:m');
        await Promise.all([0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map(n => meet.async(n)))
    """) == list(range(10))


def test_the_script_goes_on_while_a_call_is_under_way(session: Session) -> None:
    event = threading.Event()
    session.install("plugin:m", wait=lambda: event.wait(10), set=event.set)

    assert session.engine.eval("const m = require('plugin:m'), p = m.wait.async(); m.set(); await p") is True


@requirement("jm.errors")
def test_a_call_that_fails_rejects_with_the_error_of_the_plugin(session: Session) -> None:
    session.install("plugin:m", f=failing(RemoteError(Code.NOT_FOUND, "why", ({"key": "x"},))))

    assert session.engine.eval("""
        let caught;
        try { await require('plugin:m').f.async() } catch (error) { caught = error }
        [caught instanceof Error, caught.name, caught.message, caught.code, caught.details, caught.plugin]
    """) == [True, "GoError", "rpc error: code = NotFound desc = why", "NotFound", [{"key": "x"}], "plugin:m"]


def test_a_rejection_that_nobody_handles_names_the_call_and_its_cause(session: Session) -> None:
    original = PluginLostError("gone")
    session.install("plugin:m", f=failing(original))

    error = session.error("function load() {\n  return require('plugin:m').f.async()\n}\nload(); null")

    assert error.cause_error is original
    assert error.code == "Unavailable"
    assert "at load (<eval>:2:" in error.stack


def test_arguments_that_cannot_cross_reject(session: Session) -> None:
    assert session.engine.eval("""
        let caught;
        void require('plugin:echo').echo.async(new Date()).catch(error => { caught = error });
    """) is not None
    assert session.engine.eval("caught.message").startswith("convert argument 0: Date cannot cross to a plugin")
    assert session.calls == []


def test_a_bug_in_a_call_ends_the_run(session: Session) -> None:
    session.install("plugin:m", f=failing(ZeroDivisionError("a bug")))

    with pytest.raises(ZeroDivisionError):
        session.engine.eval("try { await require('plugin:m').f.async() } catch (error) { console.log('caught') }")
    assert session.stdout == []
    assert session.engine.eval("1") == 1


def test_a_call_may_be_cancelled(session: Session) -> None:
    cancelled = threading.Event()

    def wait() -> None:
        cancel = session.cancellations[-1]
        assert cancel is not None
        cancel.on_cancel(cancelled.set)
        assert cancelled.wait(10)

    session.install("plugin:m", wait=wait)

    assert session.engine.eval("""
        const controller = new AbortController();
        setTimeout(() => controller.abort(), 5);
        let caught;
        try { await require('plugin:m').wait.with({ signal: controller.signal }).async() } catch (e) { caught = e }
        [caught.name, caught === controller.signal.reason]
    """) == ["AbortError", True]
    assert cancelled.wait(10)


def test_a_call_that_is_aborted_beforehand_is_not_made(session: Session) -> None:
    error = session.error("await require('plugin:echo').echo.with({ signal: AbortSignal.abort() }).async(1)")

    assert error.name == "AbortError"
    assert session.calls == []


def test_a_signal_that_aborts_too_late_changes_nothing(session: Session) -> None:
    assert session.engine.eval("""
        const late = new AbortController();
        const value = await require('plugin:echo').echo.with({ signal: late.signal }).async(1);
        late.abort();
        value
    """) == 1


def test_a_call_that_waits_for_its_turn_loses_no_time(session: Session) -> None:
    session.install("plugin:m", sleep=lambda: time.sleep(0.03))

    session.engine.eval("""
        const { sleep } = require('plugin:m');
        await Promise.all(new Array(80).fill(0).map(() => sleep.with({ timeout: 20 }).async()));
    """)
    assert {call[3] for call in session.calls} == {0.02}
