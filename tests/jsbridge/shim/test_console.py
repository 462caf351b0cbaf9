"""The console; see jsbridge/shim/console.js."""
from __future__ import annotations

import re

import pytest

from jsbridge.engine import DukpyEngine
from jsbridge.registry import ModuleRegistry
from tests.jsbridge.scripts import Session


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("", ""),
        ("'a', 1, null, undefined, true", "a 1 null undefined true"),
        ("'a b', {c: 'd'}, ['e']", 'a b { c: "d" } [ "e" ]'),
        ("{a: 1}, 'b'", "{ a: 1 } b"),
        ("'%s is %d years, %i, %f', 'Ann', 42.5, 42.9, '1.5', 'more'", "Ann is 42.5 years, 42, 1.5 more"),
        ("'%j %o %O %c.', {a: 1}, ['x'], 'y', 'color: red'", '{"a":1} [ "x" ] "y" .'),
        ("'100%', 5", "100% 5"),
        ("'%s %s', 'a'", "a %s"),
        ("'%%s'", "%%s"),
        ("'%% %s', 1", "% 1"),
        ("'%d', {}", "NaN"),
        (r"'a\ud800'", "a\ufffd"),
    ],
)
def test_console_formats_as_nodes_does(session: Session, arguments: str, line: str) -> None:
    session.engine.eval(f"console.log({arguments})")

    assert session.stdout == [line + "\n"]


def test_each_level_of_the_console_has_its_stream(session: Session) -> None:
    session.engine.eval("for (var level of ['log', 'info', 'debug', 'warn', 'error']) console[level](level)")

    assert session.stdout == ["log\n", "info\n", "debug\n"]
    assert session.stderr == ["warn\n", "error\n"]


def test_the_console_writes_to_this_process_unless_told_otherwise(capsys: pytest.CaptureFixture[str]) -> None:
    DukpyEngine(ModuleRegistry()).eval("console.log('out'); console.error('err')")

    assert capsys.readouterr() == ("out\n", "err\n")


def test_a_stack_that_a_script_prints_has_real_positions(session: Session) -> None:
    session.engine.eval("function f() { return new Error('x') }\n\nconsole.log(f().stack); console.log(f())")

    assert "    at f (<eval>:1" in session.stdout[0]
    assert session.stdout[1].startswith("Error: x\n    at f (<eval>:1")
    assert "<dukpy>" not in "".join(session.stdout)
    assert "<input>" not in "".join(session.stdout)


def lines(session: Session, code: str) -> list[str]:
    """What `code` prints to stdout."""
    session.engine.eval(code)
    return "".join(session.stdout).splitlines()


def test_dir_shows_a_value_and_no_format(session: Session) -> None:
    assert lines(session, "console.dir('%s'); console.dir({a: 1}, {depth: 0}); console.dirxml('a', 1)") == [
        '"%s"', "{ a: 1 }", "a 1",
    ]


def test_assert_speaks_when_the_condition_is_false(session: Session) -> None:
    session.engine.eval("console.assert(1, 'x'); console.assert(0); console.assert('', 'not %d', 5, {a: 1})")

    assert session.stdout == []
    assert session.stderr == ["Assertion failed\n", "Assertion failed: not 5 { a: 1 }\n"]


def test_trace_shows_where_it_is_called(session: Session) -> None:
    session.engine.eval("function here() { console.trace('at %s', 'last') }\nhere()")

    text = "".join(session.stderr)
    assert text.startswith("Trace: at last\n    at here (<eval>:1")
    assert "<dukpy>" not in text


def test_counts_belong_to_their_labels(session: Session) -> None:
    code = "console.count(); console.count('a'); console.count('default'); console.countReset(); console.count()"

    assert lines(session, code) == ["default: 1", "a: 1", "default: 2", "default: 1"]
    session.engine.eval("console.countReset('b')")
    assert session.stderr == ["Warning: Count for 'b' does not exist\n"]


def test_times_are_shown_with_their_label(session: Session) -> None:
    shown = lines(session, "console.time('a'); console.timeLog('a', {b: 1}); console.timeEnd('a'); console.time('a')")

    assert [re.sub(r"[\d.]+m?s", "TIME", line) for line in shown] == ["a: TIME { b: 1 }", "a: TIME"]
    session.engine.eval("console.time('a'); console.timeEnd(); console.timeLog('b')")
    assert session.stderr == [
        "Warning: Label 'a' already exists for console.time()\n",
        "Warning: No such label 'default' for console.timeEnd()\n",
        "Warning: No such label 'b' for console.timeLog()\n",
    ]


@pytest.mark.parametrize(
    ("elapsed", "text"),
    [
        (0.5, "0.5ms"),
        (12.3456, "12.346ms"),
        (1500, "1.500s"),
        (62_345, "1:02.345 (m:ss.mmm)"),
        (3_723_456, "1:02:03.456 (h:mm:ss.mmm)"),
    ],
)
def test_a_long_time_is_shown_in_larger_units(session: Session, elapsed: float, text: str) -> None:
    clock = "var now = 0; Object.defineProperty(globalThis, 'performance', {value: {now: function () { return now }}});"

    assert lines(session, f"{clock} console.time(); now = {elapsed}; console.timeEnd()") == [f"default: {text}"]


def test_a_group_indents_both_streams(session: Session) -> None:
    session.engine.eval("""
        console.group('a', 1); console.log('b\\nc'); console.groupCollapsed(); console.error('d'); console.log();
        console.groupEnd(); console.groupEnd(); console.groupEnd(); console.log('e');
    """)

    assert session.stdout == ["a 1\n", "  b\n  c\n", "    \n", "e\n"]
    assert session.stderr == ["    d\n"]


def test_methods_need_no_console(session: Session) -> None:
    assert lines(session, "var log = console.log, count = console.count; log('a'); count()") == ["a", "default: 1"]
