"""The global `process`; see jsbridge/shim/process.js."""
from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

import pytest

from goplugin import __version__
from jsbridge.script_process import ScriptExit
from tests.jsbridge.scripts import Session


def test_a_script_knows_its_host(session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert session.engine.eval("[process.version, process.platform, process.pid, process.cwd()]") == [
        f"v{__version__}", sys.platform, os.getpid(), os.getcwd(),
    ]
    versions = session.engine.eval("process.versions")
    assert set(versions) == {"goplugin", "python", "dukpy"}
    assert versions["python"] == platform.python_version()


@pytest.mark.parametrize(
    ("argument", "code"),
    [("", 0), ("3", 3), ("'4'", 4), ("undefined", 0), ("null", 0), ("-1", -1), ("true ? 5 : 6", 5)],
)
def test_exit_ends_the_run_with_its_code(session: Session, argument: str, code: int) -> None:
    with pytest.raises(ScriptExit) as caught:
        session.engine.eval(f"process.exit({argument})")

    assert caught.value.code == code


def test_exit_takes_its_code_from_exit_code(session: Session) -> None:
    with pytest.raises(ScriptExit) as caught:
        session.engine.eval("process.exitCode = 7; process.exit()")

    assert caught.value.code == 7


def test_an_exit_code_is_that_of_the_script_when_it_ends(session: Session, tmp_path: Path) -> None:
    script = tmp_path / "main.js"
    script.write_text("console.log(process.exitCode); process.exitCode = 5; console.log(process.exitCode)")

    with pytest.raises(ScriptExit) as caught:
        session.engine.run_file(script)

    assert caught.value.code == 5
    assert session.stdout == ["undefined\n", "5\n"]
    script.write_text("process.exitCode = 0")
    session.engine.run_file(script)
    assert session.error("process.exitCode = 'x'").name == "TypeError"


@pytest.mark.parametrize("argument", ["1.5", "'x'", "NaN", "{}", "true", "''"])
def test_exit_takes_an_integer(session: Session, argument: str) -> None:
    assert session.error(f"process.exit({argument})").name == "TypeError"


def test_nothing_behind_an_exit_can_be_seen(session: Session) -> None:
    with pytest.raises(ScriptExit):
        session.engine.eval("""
            console.log('before');
            try { process.exit(1) } catch (error) { console.log('caught') } finally { console.log('finally') }
            console.log('behind');
        """)

    assert session.stdout == ["before\n"]
    with pytest.raises(ScriptExit) as caught:
        session.engine.eval("""
            try { process.exit(1) } catch (error) {}
            try { process.exit(2) } catch (error) {}
            try { require('plugin:echo').echo(1) } catch (error) {}
        """)
    assert caught.value.code == 1
    assert session.calls == []


def test_a_program_that_does_not_catch_it_ends_with_that_code() -> None:
    assert issubclass(ScriptExit, SystemExit)


def test_an_exit_is_no_end_of_the_engine(session: Session) -> None:
    with pytest.raises(ScriptExit):
        session.engine.eval("var kept = 5; process.exit(0)")

    assert session.engine.eval("console.log(kept); kept") == 5


def test_text_and_bytes_are_written_as_they_are(session: Session) -> None:
    session.engine.eval("""
        var done = process.stdout.write('a') && process.stdout.write(new Uint8Array([0xc3, 0xa9]));
        process.stderr.write('b\\n');
    """)

    assert session.engine.eval("done") is True
    assert (session.stdout, session.stderr) == (["a", "\u00e9"], ["b\n"])
    assert session.error("process.stdout.write(5)").name == "TypeError"


def test_time_runs(session: Session) -> None:
    assert session.engine.eval("""
        var first = process.hrtime(), passed = process.hrtime(first), up = process.uptime();
        [first[0] >= 0, first[1] < 1e9, passed[0], passed[1] >= 0, up >= 0 && up < 60]
    """) == [True, True, 0, True, True]


def test_a_difference_of_times_borrows_from_the_seconds(session: Session) -> None:
    assert session.engine.eval("""
        Object.defineProperty(globalThis, 'performance', {value: {now: function () { return 5000.25 }}});
        [process.hrtime(), process.hrtime([3, 500000000])]
    """) == [[5, 250000], [1, 500250000]]


def test_nanoseconds_may_be_one_number(session: Session) -> None:
    assert session.engine.eval("typeof process.hrtime.bigint()") == "bigint"


def test_the_next_tick_comes_behind_the_script(session: Session) -> None:
    session.engine.eval("process.nextTick(function (a, b) { console.log(a, b) }, 1, 2); console.log('first')")

    assert session.stdout == ["first\n", "1 2\n"]


@pytest.mark.parametrize(
    "code",
    [
        "setTimeout(function () { process.exit(4) }, 1); setTimeout(function () { console.log('behind') }, 5)",
        "Promise.resolve().then(function () { process.exit(4) }); setTimeout(function () { console.log('behind') }, 1)",
        "(async function () { try { await null; process.exit(4) } catch (error) { console.log('caught') } })()",
    ],
)
def test_exit_ends_what_is_pending_too(session: Session, code: str) -> None:
    with pytest.raises(ScriptExit) as caught:
        session.engine.eval(code)

    assert caught.value.code == 4
    assert session.stdout == []
