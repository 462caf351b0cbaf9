"""AbortController and AbortSignal; see jsbridge/shim/abort.js."""
from __future__ import annotations

from typing import Any

import pytest

from tests.jsbridge.scripts import Session


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("var c = new AbortController(); [c.signal.aborted, c.signal.reason === undefined]", [False, True]),
        ("c = new AbortController(); c.abort(); [c.signal.aborted, c.signal.reason.name]", [True, "AbortError"]),
        ("c = new AbortController(); c.abort('why'); c.abort('again'); c.signal.reason", "why"),
        ("[AbortSignal.abort().aborted, AbortSignal.abort(5).reason]", [True, 5]),
        ("[c, c.signal].map(String.prototype.toString.call, Object.prototype.toString) && 1", 1),
        ("new AbortController().signal instanceof AbortSignal", True),
        ("Object.keys(new AbortController())", ["signal"]),
    ],
)
def test_a_signal_says_whether_and_why(session: Session, code: str, value: Any) -> None:
    session.engine.eval("var c = new AbortController()")

    assert session.engine.eval(code) == value


def test_listeners_hear_of_it_once_and_in_their_order(session: Session) -> None:
    session.engine.eval("""
        const { signal } = globalThis.controller = new AbortController();
        function first(event) { console.log(event.type, event.target === signal, this === signal) }
        signal.onabort = () => console.log('property');
        signal.addEventListener('abort', first);
        signal.addEventListener('abort', first);
        signal.addEventListener('abort', { handleEvent() { console.log('object') } });
        signal.addEventListener('other', () => console.log('never'));
        const removed = () => console.log('never');
        signal.addEventListener('abort', removed);
        signal.removeEventListener('abort', removed);
        signal.addEventListener('abort', () => console.log('never'), { signal: AbortSignal.abort() });
        controller.abort();
        controller.abort();
    """)

    assert session.stdout == ["property\n", "abort true true\n", "object\n"]


def test_the_reason_may_be_thrown(session: Session) -> None:
    assert session.engine.eval("new AbortController().signal.throwIfAborted()") is not None
    error = session.error("AbortSignal.abort().throwIfAborted()")

    assert (error.name, error.message) == ("AbortError", "This operation was aborted")


def test_a_timeout_aborts_but_nobody_waits_for_it(session: Session) -> None:
    assert session.engine.eval("AbortSignal.timeout(60000).aborted") is False
    assert session.engine.eval("""
        const signal = AbortSignal.timeout(1);
        await new Promise(resolve => setTimeout(resolve, 10));
        signal.reason.name
    """) == "TimeoutError"


def test_any_of_several_signals_may_abort(session: Session) -> None:
    assert session.engine.eval("""
        const one = new AbortController(), other = new AbortController();
        const any = AbortSignal.any([one.signal, other.signal]);
        other.abort('other'); one.abort('one');
        [any.reason, AbortSignal.any([one.signal]).reason, AbortSignal.any([]).aborted]
    """) == ["other", "one", False]


@pytest.mark.parametrize("code", ["AbortController()", "new AbortSignal()"])
def test_only_the_controller_is_a_constructor(session: Session, code: str) -> None:
    assert session.error(code).name == "TypeError"
