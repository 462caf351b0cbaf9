"""What goes wrong in Python, as a script sees it; see jsbridge/shim/python.js and jsbridge/bridge.py."""
from __future__ import annotations

from collections.abc import Callable

import pytest

from goplugin.core.errors import BrokerTimeout, PluginError, PluginLostError, RemoteError
from goplugin.core.status import Code
from jsbridge.engine import DukpyEngine
from jsbridge.registry import ModuleRegistry
from tests.jsbridge.scripts import Session
from tests.support import requirement


def failing(error: BaseException) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


@requirement("jm.errors")
def test_an_error_of_a_plugin_is_an_error_with_its_code(session: Session) -> None:
    session.install("plugin:kv", get=failing(RemoteError(Code.NOT_FOUND, "no such key", ({"key": "x"}, object))))

    assert session.engine.eval("var caught; try { require('plugin:kv').get() } catch (e) { caught = e } null") is None

    assert session.engine.eval("[caught.name, caught.message, caught.code, caught.plugin, String(caught)]") == [
        "GoError",
        "rpc error: code = NotFound desc = no such key",
        "NotFound",
        "plugin:kv",
        "GoError: rpc error: code = NotFound desc = no such key",
    ]
    assert session.engine.eval("caught instanceof Error") is True
    assert session.engine.eval("Object.keys(caught)") == ["code", "details", "plugin"]
    assert session.engine.eval("caught.details") == [{"key": "x"}, str(object)]


@requirement("jm.errors")
@pytest.mark.parametrize("code", list(Code))
def test_every_code_has_the_name_that_go_gives_it(session: Session, code: Code) -> None:
    session.install("plugin:kv", get=failing(RemoteError(code, "why")))

    assert session.engine.eval("try { require('plugin:kv').get() } catch (e) { e.code }") == code.go_name


def test_an_error_without_a_code_has_none(session: Session) -> None:
    session.install("plugin:kv", get=failing(BrokerTimeout("too late")))

    assert session.engine.eval("try { require('plugin:kv').get() } catch (e) { [e.name, e.message, e.code] }") == [
        "GoError", "too late", None,
    ]


@pytest.mark.parametrize(
    "original",
    [RemoteError(Code.UNKNOWN, "why"), PluginLostError("gone"), PluginError("broken"), RemoteError(Code.UNKNOWN, "")],
)
def test_an_uncaught_error_has_the_original_as_its_cause(session: Session, original: PluginError) -> None:
    session.install("plugin:kv", get=failing(original))

    error = session.error("require('plugin:kv').get()")

    assert error.cause_error is error.__cause__ is original
    assert str(error) == f"GoError: {original}"
    assert error.code == (original.code.go_name if isinstance(original, RemoteError) else None)


def test_an_error_thrown_again_later_still_has_its_cause(session: Session) -> None:
    original = RemoteError(Code.UNKNOWN, "why")
    session.install("plugin:kv", get=failing(original), other=failing(RemoteError(Code.INTERNAL, "other")))
    session.engine.eval("var kept; try { require('plugin:kv').get() } catch (e) { kept = e } null")
    session.engine.eval("try { require('plugin:kv').other() } catch (e) {} null")

    assert session.error("throw kept").cause_error is original


def test_an_error_of_the_script_has_no_cause_even_with_the_same_text(session: Session) -> None:
    session.install("plugin:kv", get=failing(RemoteError(Code.UNKNOWN, "why")))

    error = session.error("try { require('plugin:kv').get() } catch (e) { throw new Error(e.message) }")

    assert error.cause_error is None


def test_a_rejection_with_an_error_of_a_plugin_has_its_cause(session: Session) -> None:
    original = RemoteError(Code.UNKNOWN, "two\nlines")
    session.install("plugin:kv", get=failing(original))

    error = session.error("(async function () { require('plugin:kv').get() })(); null")

    assert error.cause_error is original
    assert error.code == "Unknown"


def test_many_errors_are_not_kept_for_ever(session: Session) -> None:
    session.install("plugin:kv", get=failing(RemoteError(Code.UNKNOWN, "why")))
    session.engine.eval("""
        var first, get = require('plugin:kv').get;
        for (var i = 0; i < 1000; i++) try { get() } catch (e) { first = first || e } null
    """)

    assert session.error("throw first").cause_error is None
    assert session.error("get()").cause_error is not None


@pytest.mark.parametrize("interruption", [KeyboardInterrupt(), SystemExit(3), ZeroDivisionError("a bug")])
def test_an_exception_that_is_no_business_of_the_script_ends_it(session: Session, interruption: BaseException) -> None:
    session.install("plugin:kv", get=failing(interruption))
    code = """
        var kv = require('plugin:kv'), echo = require('plugin:echo').echo, more = [];
        try { kv.get() } catch (error) { more.push(error.message) }
        for (var ask of [echo, console.log, require]) try { ask('plugin:echo2') } catch (error) { more.push('refused') }
        more
    """

    with pytest.raises(type(interruption)) as caught:
        session.engine.eval(code)

    assert caught.value is interruption
    assert [call[0] for call in session.calls] == ["get"]
    assert session.stdout == []
    assert session.engine.eval("more.slice(1)") == ["refused"] * 3
    assert session.engine.eval("echo(5)") == 5


def test_output_that_cannot_be_written_ends_the_script() -> None:
    def broken(text: str) -> None:
        raise BrokenPipeError

    with DukpyEngine(ModuleRegistry(), stdout=broken) as engine, pytest.raises(BrokenPipeError):
        engine.eval("for (;;) { console.log('x') }")


def test_a_result_that_is_no_value_is_a_bug_of_the_caller(session: Session) -> None:
    with pytest.raises(TypeError):
        session.received(object(), "1")
