"""setTimeout and its kin, and microtasks; see jsbridge/shim/timers.js."""
from __future__ import annotations

import pytest

from tests.jsbridge.scripts import Session


def printed(session: Session, code: str) -> list[str]:
    session.engine.eval(code)
    return [line.removesuffix("\n") for line in session.stdout]


def test_a_timer_gets_its_arguments_and_the_run_waits_for_it(session: Session) -> None:
    code = "setTimeout(function (a, b) { console.log(a, b, this === undefined) }, 5, 'x', 1); null"

    assert printed(session, code) == ["x 1 false"]


def test_timers_come_in_the_order_of_their_times(session: Session) -> None:
    code = "[30, 10, 20, 10].forEach(function (ms, i) { setTimeout(console.log, ms, i) })"

    assert printed(session, code) == ["1", "3", "2", "0"]


def test_an_interval_comes_again_until_it_is_cleared(session: Session) -> None:
    assert printed(session, """
        var n = 0, timer = setInterval(function () { console.log(n++); if (n === 3) clearInterval(timer) }, 1);
    """) == ["0", "1", "2"]


@pytest.mark.parametrize("name", ["Timeout", "Interval", "Immediate"])
def test_a_cleared_timer_does_not_come(session: Session, name: str) -> None:
    assert printed(session, f"clear{name}(set{name}(console.log, 1)); clear{name}(undefined); clear{name}(99)") == []


def test_an_immediate_comes_before_a_timeout(session: Session) -> None:
    assert printed(session, "setTimeout(console.log, 0, 'timeout'); setImmediate(console.log, 'immediate')") == [
        "immediate", "timeout",
    ]


@pytest.mark.parametrize("delay", ["", "-5", "NaN", "'x'", "1e12", "Infinity"])
def test_a_delay_that_is_none_is_a_millisecond(session: Session, delay: str) -> None:
    assert printed(session, f"setTimeout(console.log, {delay or 'undefined'})") == [""]


@pytest.mark.parametrize("name", ["setTimeout", "setInterval", "setImmediate"])
def test_a_timer_takes_a_function(session: Session, name: str) -> None:
    error = session.error(f"{name}('code')")

    assert error.name == "TypeError"
    assert error.message == 'The "callback" argument must be of type function. Received "code"'


def test_an_error_in_a_timer_ends_the_run_and_all_that_is_pending(session: Session) -> None:
    error = session.error("""
        setTimeout(console.log, 20, 'never'); setInterval(console.log, 20, 'never');
        setTimeout(function late() { null.x }, 1)
    """)

    assert error.name == "TypeError"
    assert "at late (<eval>:3" in error.stack
    assert printed(session, "setTimeout(console.log, 30, 'next')") == ["next"]


def test_a_timer_may_set_timers(session: Session) -> None:
    assert printed(session, """
        function again(n) { console.log(n); if (n < 3) setTimeout(again, 1, n + 1) }
        again(1)
    """) == ["1", "2", "3"]


def test_microtasks_run_before_the_next_timer(session: Session) -> None:
    assert printed(session, """
        [1, 2].forEach(function (n) {
            setTimeout(function () {
                console.log('timer', n);
                queueMicrotask(function () { console.log('microtask', n) });
                Promise.resolve().then(function () { console.log('reaction', n) });
            }, 1);
        });
    """) == ["timer 1", "microtask 1", "reaction 1", "timer 2", "microtask 2", "reaction 2"]


def test_an_error_in_a_microtask_ends_the_run_and_not_the_engine(session: Session) -> None:
    error = session.error("""
        queueMicrotask(function () { throw new RangeError('x') });
        Promise.resolve().then(function () { console.log('reaction') });
    """)

    assert error.name == "RangeError"
    assert session.stdout == ["reaction\n"]
    assert session.engine.eval("1") == 1


def test_a_microtask_is_a_function(session: Session) -> None:
    assert session.error("queueMicrotask()").name == "TypeError"
