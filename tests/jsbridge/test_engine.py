from __future__ import annotations

import contextlib
import gc
import math
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from goplugin.core.errors import LocalProtocolError, PluginError, PluginLostError
from jsbridge.engine import UNDEFINED, DukpyEngine, Engine, JSError
from jsbridge.registry import ModuleRegistry
from tests.jsbridge.scripts import Session


@pytest.fixture
def engine(session: Session) -> Engine:
    return session.engine


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("1 + 1", 2),
        ("'a'", "a"),
        ("null", None),
        ("[1, {b: undefined}]", [1, {"b": None}]),
        ("1 / 0", math.inf),
        ("2 ** 53", 2.0**53),
        ("new Uint8Array([1])", "AQ=="),
        ("'\\0é😀'", "\0é😀"),
    ],
)
def test_the_value_of_a_script_is_a_python_value(engine: Engine, code: str, value: Any) -> None:
    result = engine.eval(code)

    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize("code", ["undefined", "", "var a = 1", "if (false) 1"])
def test_no_value_is_undefined_and_not_none(engine: Engine, code: str) -> None:
    assert engine.eval(code) is UNDEFINED
    assert engine.eval_text(code) == ""


def test_undefined_is_false_and_shows_its_name() -> None:
    assert not UNDEFINED
    assert repr(UNDEFINED) == "UNDEFINED"


@pytest.mark.parametrize("code", ["(function () {})", "[new Date()]", "Promise.resolve(1)", "10n"])
def test_a_result_that_is_no_value_is_an_error_but_has_a_text(engine: Engine, code: str) -> None:
    with pytest.raises(JSError, match=r"TypeError: convert result: .*cannot cross to Python"):
        engine.eval(code)
    assert engine.eval_text(code)


def test_the_text_of_a_string_is_quoted(engine: Engine) -> None:
    assert engine.eval_text("'hello, hello'") == '"hello, hello"'


def test_an_uncaught_error_is_an_error_of_this_project(engine: Engine) -> None:
    with pytest.raises(PluginError) as caught:
        engine.eval("throw new RangeError('x')")

    assert isinstance(caught.value, JSError)
    assert str(caught.value) == "RangeError: x"


def test_the_timeout_goes_with_every_call() -> None:
    session = Session(call_timeout=1.5)
    session.sent("1")

    assert session.calls[0][3] == 1.5


def test_the_scopes_of_two_engines_are_two(session: Session) -> None:
    other = Session()
    session.engine.eval("let x = 1")

    assert other.engine.eval("typeof x") == "undefined"


def test_a_plugin_call_may_evaluate_code_in_the_same_engine(session: Session) -> None:
    session.install("plugin:host", run=session.engine.eval)

    assert session.engine.eval("var x = 1; require('plugin:host').run('x += 1; console.log(x); x') + x") == 4
    assert session.stdout == ["2\n"]


def test_an_error_crosses_a_nested_evaluation_with_its_cause(session: Session) -> None:
    def lose() -> None:
        raise PluginLostError("gone")

    session.install("plugin:host", run=session.engine.eval, lose=lose)

    error = session.error("""require('plugin:host').run("require('plugin:host').lose()")""")

    assert isinstance(error.cause_error, JSError)
    assert isinstance(error.cause_error.cause_error, PluginLostError)


def test_an_interruption_crosses_a_nested_evaluation(session: Session) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    session.install("plugin:host", run=session.engine.eval, interrupt=interrupt)

    with pytest.raises(KeyboardInterrupt):
        session.engine.eval("""
            try { require('plugin:host').run("try { require('plugin:host').interrupt() } catch (e) {}") } catch (e) {}
        """)
    assert session.engine.eval("1") == 1


# --- until nothing is pending ----------------------------------------------------------------------------------------


def test_a_run_lasts_until_nothing_is_pending(session: Session, tmp_path: Path) -> None:
    session.install("plugin:m", f=lambda: 1)
    (tmp_path / "main.js").write_text("""
        setTimeout(function () {
            require('plugin:m').f.async().then(function (value) { console.log('answer', value) });
        }, 5);
        console.log('end');
    """)
    session.engine.run_file(tmp_path / "main.js")

    assert session.stdout == ["end\n", "answer 1\n"]


def test_the_value_is_that_at_the_end_of_the_code(session: Session) -> None:
    assert session.engine.eval("var list = []; setTimeout(function () { list.push(1) }, 1); list") == []
    assert session.engine.eval("list") == [1]


def test_what_nobody_settles_is_not_waited_for_in_vain(session: Session) -> None:
    assert "nothing can settle" in str(session.error("await new Promise(() => {})"))
    assert session.engine.eval("new Promise(() => {}); null") is None


def test_a_rejection_that_nobody_handles_ends_a_run_at_once(session: Session) -> None:
    error = session.error("setInterval(console.log, 20); Promise.reject(new RangeError('x'))")

    assert str(error) == "RangeError: x"
    assert session.engine.eval("await 5") == 5
    assert session.stdout == []


def test_an_error_behind_an_await_ends_a_run_at_once(session: Session) -> None:
    assert session.error("setInterval(() => {}, 1); await 0; throw new RangeError('x')").name == "RangeError"


def test_an_interruption_ends_the_waiting(session: Session) -> None:
    stop = threading.Timer(0.05, session.engine.interrupt, [KeyboardInterrupt()])
    stop.start()

    with pytest.raises(KeyboardInterrupt):
        session.engine.eval("setTimeout(console.log, 60000, 'never')")
    stop.join()
    assert session.engine.eval("await 5") == 5
    assert session.stdout == []


def test_an_interruption_cancels_the_calls_that_are_under_way(session: Session) -> None:
    cancelled, begun = threading.Event(), threading.Event()

    def wait() -> None:
        cancel = session.cancellations[-1]
        assert cancel is not None
        cancel.on_cancel(cancelled.set)
        begun.set()
        assert cancelled.wait(10)

    def stop() -> None:
        assert begun.wait(10)
        session.engine.interrupt(KeyboardInterrupt())

    session.install("plugin:m", wait=wait)
    thread = threading.Thread(target=stop)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        session.engine.eval("await require('plugin:m').wait.async()")
    thread.join()

    assert cancelled.is_set()


def test_to_close_an_engine_ends_a_run_that_waits(session: Session) -> None:
    thread = threading.Timer(0.05, session.engine.close)
    thread.start()

    with pytest.raises(LocalProtocolError, match="closed while a script ran"):
        session.engine.eval("setTimeout(console.log, 60000)")
    thread.join()
    with pytest.raises(LocalProtocolError, match="is closed"):
        session.engine.eval("1")


def test_a_nested_evaluation_leaves_what_is_pending_to_the_run_around_it(session: Session) -> None:
    session.install("plugin:host", run=session.engine.eval)

    assert session.engine.eval("require('plugin:host').run('setTimeout(console.log, 5, 1); await 2')") == 2
    assert session.stdout == ["1\n"]
    with pytest.raises(JSError, match="cannot await what is still pending"):
        session.engine.eval("require('plugin:host').run('await new Promise(r => setTimeout(r, 1))')")


def test_a_reaction_cannot_evaluate_code(session: Session) -> None:
    session.install("plugin:host", run=session.engine.eval)

    error = session.error("await 0; require('plugin:host').run('1')")

    assert "cannot be evaluated by a plugin call that a promise's reaction makes" in error.message


def test_an_asynchronous_call_cannot_evaluate_code(session: Session) -> None:
    session.install("plugin:host", run=session.engine.eval)

    assert "from an asynchronous call" in session.error("await require('plugin:host').run.async('1')").message


def test_a_call_gets_no_more_time_than_the_script_has_left() -> None:
    left: list[float | None] = [60.0, 0.5, None]
    session = Session(time_left=lambda: left[0])
    for _ in range(3):
        session.sent("1")
        left.pop(0)
        left.append(None)

    assert [call[3] for call in session.calls] == [5.0, 0.5, 5.0]


# --- threads and signals ---------------------------------------------------------------------------------------------


def test_threads_take_turns(session: Session) -> None:
    entered, leave = threading.Event(), threading.Event()
    order: list[str] = []

    def block() -> None:
        entered.set()
        assert leave.wait(10)
        order.append("first")

    def second() -> None:
        order.append(session.engine.eval("'second'"))

    session.install("plugin:m", block=block)
    threads = [threading.Thread(target=session.engine.eval, args=["require('plugin:m').block()"])]
    threads[0].start()
    assert entered.wait(10)
    threads.append(threading.Thread(target=second))
    threads[1].start()
    leave.set()
    for thread in threads:
        thread.join(10)

    assert order == ["first", "second"]


def test_other_threads_run_during_a_plugin_call(session: Session) -> None:
    event = threading.Event()
    session.install("plugin:m", wait=lambda: event.wait(10))
    thread = threading.Thread(target=event.set)

    session.install("plugin:start", start=thread.start)

    assert session.engine.eval("require('plugin:start').start(); require('plugin:m').wait()") is True
    thread.join()


def test_an_engine_is_closed_once_and_for_all(session: Session) -> None:
    with session.engine as engine:
        assert engine.eval("1") == 1
    engine.close()

    for use in (lambda: engine.eval("1"), lambda: engine.eval_text("1"), lambda: engine.run_file("x.js")):
        with pytest.raises(LocalProtocolError, match="closed"):
            use()


def test_a_script_may_close_its_own_engine(session: Session) -> None:
    session.install("plugin:m", close=session.engine.close)

    assert session.engine.eval("require('plugin:m').close(); 5") == 5
    with pytest.raises(LocalProtocolError):
        session.engine.eval("1")


@pytest.mark.parametrize(
    "code",
    [
        "let list = []; for (;;) list.push('x'.repeat(1000) + list.length)",
        "let list = []; for (;;) list.push({})",
        "let text = 'x'; for (;;) text += text",
        "let sparse = []; sparse[3e7] = 1; require('plugin:echo').echo(sparse)",
        "(function () { let list = []; for (;;) list.push([list.length]) })()",
    ],
)
def test_a_full_heap_is_an_error_and_the_engine_still_works(session: Session, code: str) -> None:
    with pytest.raises(JSError):
        session.engine.eval("{" + code + "}")

    assert session.sent("[1]") == [1]


def test_a_full_stack_is_an_error_and_the_engine_still_works(session: Session) -> None:
    assert session.error("(function f() { f() })()").name == "RangeError"
    assert session.sent("[1]") == [1]


class Alarm(BaseException):
    """What the signal handler of these tests raises."""


@pytest.fixture
def alarmed(session: Session) -> Iterator[Session]:
    """A session whose scripts may call `alarm(seconds)`, which raises Alarm in this thread that much later."""

    def ring(*args: object) -> None:
        raise Alarm

    def set_alarm(seconds: float) -> None:
        signal.setitimer(signal.ITIMER_REAL, seconds)

    session.install("plugin:alarm", set=set_alarm)
    session.engine.eval("var alarm = require('plugin:alarm').set, echo = require('plugin:echo').echo")
    previous = signal.signal(signal.SIGALRM, ring)
    gc.disable()  # Python swallows what a signal handler raises in a callback of the garbage collector
    yield session
    gc.enable()
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, previous)


@contextlib.contextmanager
def ended_by_alarm() -> Iterator[None]:
    """The body raises Alarm; or KeyboardInterrupt with its text, if the signal came just as the script made a call."""
    with pytest.raises((Alarm, KeyboardInterrupt)) as caught:
        yield
    assert caught.type is Alarm or "Alarm()" in str(caught.value)


def test_a_signal_ends_an_endless_loop(alarmed: Session) -> None:
    with ended_by_alarm():
        alarmed.engine.eval("alarm(0.05); try { for (;;) {} } catch (error) {} finally { for (;;) {} }")

    assert alarmed.sent("1") == 1


def test_a_signal_ends_the_waiting(alarmed: Session) -> None:
    with ended_by_alarm():
        alarmed.engine.eval("alarm(0.02); await new Promise(() => setTimeout(() => {}, 60000))")

    assert alarmed.sent("1") == 1


def test_a_signal_during_an_asynchronous_call_cancels_it(alarmed: Session) -> None:
    cancelled = threading.Event()

    def wait() -> None:
        cancel = alarmed.cancellations[-1]
        assert cancel is not None
        cancel.on_cancel(cancelled.set)
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        assert cancelled.wait(10)

    alarmed.install("plugin:m", wait=wait)
    with ended_by_alarm():
        alarmed.engine.eval("try { await require('plugin:m').wait.async() } catch (error) {} 'survived'")

    assert cancelled.wait(10)


def test_a_signal_among_reactions_ends_them_and_the_engine_begins_anew(alarmed: Session) -> None:
    alarmed.engine.eval("var before = 1")
    with ended_by_alarm():
        alarmed.engine.eval("alarm(0.02); (async function f() { for (;;) await 0 })(); null")

    assert alarmed.sent("1") == 1
    assert alarmed.engine.eval("typeof before") in ("undefined", "number")


def test_a_signal_during_a_plugin_call_is_not_swallowed(alarmed: Session) -> None:
    alarmed.install("plugin:m", sleep=lambda: time.sleep(10))

    with ended_by_alarm():
        alarmed.engine.eval("alarm(0.05); try { require('plugin:m').sleep() } catch (error) {} 'survived'")

    assert alarmed.sent("1") == 1


def test_a_signal_just_before_a_plugin_call_is_not_swallowed(alarmed: Session) -> None:
    alarmed.engine.eval("for (var i = 0, list = []; i < 1e5; i++) list.push(String(i * 7919 % 100003)); null")
    code = "alarm(0.005); list.slice().sort(); try { echo(1) } catch (error) {} 'survived'"

    for _ in range(3):  # sort() does not poll signals; dukpy does in the call, where the script may catch what comes
        with ended_by_alarm():
            alarmed.engine.eval(code)

    assert alarmed.sent("1") == 1


def test_a_signal_at_any_time_is_not_swallowed(alarmed: Session) -> None:
    code = "alarm({}); for (var i = 0; i < 1e5; i++) {{ try {{ echo(i) }} catch (error) {{ break }} }} 'survived'"

    for microseconds in range(1000, 1100, 4):
        with ended_by_alarm():
            alarmed.engine.eval(code.format(microseconds / 1e6))

    assert alarmed.sent("1") == 1


def test_engines_come_and_go_without_leaving_memory() -> None:
    def use() -> None:
        with DukpyEngine(ModuleRegistry()) as engine:
            engine.eval("var list = new Array(1e6).fill(1.5); null")

    for _ in range(3):
        use()
    before = resident_pages()
    for _ in range(20):  # 8 MB each
        use()

    assert resident_pages() - before < 32 << 20 >> 12      # of 160 MB; the allocator may keep some of it


def resident_pages() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1])
