from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from host.repl.session import Profile
from host.repl.store import Store
from tests.support import requirement

from .conftest import MakeTalk, Talk

USE = "const echo = require('plugin:echo'), { strings } = echo"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "sessions.sqlite")
    yield made
    made.close()


@requirement("jm.repl")
def test_plugins_are_called_and_awaited(talk: Talk) -> None:
    talk.say(USE)

    assert talk.say("echo.ping({ a: [1, 'x'] })") == '{ a: [ 1, "x" ] }'
    assert talk.say("await Promise.all([strings.upper.async('a'), echo.ping.async(2)])") == '[ "A", 2 ]'
    assert talk.say("_[0]") == '"A"'


def test_an_error_is_told_with_its_stack_and_the_session_goes_on(talk: Talk) -> None:
    talk.say("function f() {\n  throw new TypeError('no')\n}")

    assert re.fullmatch(
        r"TypeError: no\n    at f \(<eval>:2:\d+\)\n    at <eval>:1:\d+", talk.fail("f()")
    )
    assert talk.fail("1 +* 2").startswith("SyntaxError: ")
    assert "hint: `list --all` shows what is installed" in talk.fail("require('plugin:none')")
    assert talk.say("1") == "1"


def test_an_error_may_be_a_result(talk: Talk) -> None:
    assert re.fullmatch(r"Error: no\n    at <eval>:1:\d+", talk.say("new Error('no')"))


def test_an_empty_input_is_no_input(talk: Talk) -> None:
    assert talk.say("  \n") == ""


def test_undefined_is_not_shown(talk: Talk) -> None:
    assert talk.say("undefined") == ""


def test_names_of_an_input_are_known_to_the_next(talk: Talk) -> None:
    talk.say(USE)

    known = talk.session.known()
    assert known.scope.find(["strings", "upper"]) is not None
    assert ("echo", False) in known.keys([])
    assert "repl-usage" in known.topics
    assert "docs" in known.natives


def test_files_are_completed(talk: Talk, tmp_path: Path) -> None:
    (tmp_path / "a[1].js").touch()
    (tmp_path / "a").mkdir()

    assert list(talk.session.known().files(f"{tmp_path}/a")) == [f"{tmp_path}/a/", f"{tmp_path}/a[1].js"]
    assert list(talk.session.known().files(f"{tmp_path}/a[")) == [f"{tmp_path}/a[1].js"]


@requirement("jm.repl.profile")
def test_the_profile_raw_evaluates_and_no_more(make_talk: MakeTalk) -> None:
    talk = make_talk(Profile.RAW)

    assert talk.say("1 + 1") == "2"
    assert talk.say("typeof _") == '"undefined"'
    assert talk.say("{ a: 1 }") == "1"
    talk.say("var kept = 1; function f() {\n  throw new Error('no') }")
    assert re.match(r"Error: no\n    at f \(<eval>:2:\d+\)\n    at <eval>:1:1", talk.fail("f()"))
    talk.say(":reload")
    assert talk.say("typeof kept") == '"undefined"'


@requirement("jm.repl.profile")
def test_the_profile_interactive_keeps_what_it_can_over_a_reload(make_talk: MakeTalk) -> None:
    talk = make_talk(Profile.INTERACTIVE)
    talk.say(f"{USE}; let n = 1; function twice(x) {{ return 2 * x }}; var late = Promise.resolve()")
    pid = talk.say("echo.process.pid()")

    talk.say(":reload")

    assert talk.page.complaints == ["not kept: late (it is or has a Promise)"]
    assert talk.say("twice(n)") == "2"
    assert talk.say("strings.upper('a')") == '"A"'
    assert talk.say("echo.process.pid()") != pid
    assert talk.session.known().scope.find(["strings", "upper"]) is not None


@requirement("jm.repl.profile")
def test_the_profile_persistent_keeps_what_it_can_over_the_end_of_the_program(
    make_talk: MakeTalk, store: Store
) -> None:
    first = make_talk(Profile.PERSISTENT, store, "work")
    first.say(USE)
    first.say("const list = [1, { b: 'x' }], twice = x => 2 * x, now = new Date(0)")
    first.say("list.push(NaN)")
    first.session.close()

    second = make_talk(Profile.PERSISTENT, store, "work")

    assert first.page.complaints == ["not kept: now (it is or has a Date)"]
    assert second.page.shown[0].startswith("session work: ")
    assert second.say("list") == '[ 1, { b: "x" }, NaN ]'
    assert second.say("twice(4)") == "8"
    assert second.say("strings.upper('a')") == '"A"'
    assert second.session.known().scope.find(["echo", "ping"]) is not None


@requirement("jm.repl.profile")
def test_sessions_have_names_and_what_is_kept_may_fail_to_be_restored(make_talk: MakeTalk, store: Store) -> None:
    first = make_talk(Profile.PERSISTENT, store, "one")
    first.say("var p = require('plugin:echo')")
    store.save("two", [binding._replace(source="require('plugin:gone')") for binding in store.bindings("one")])

    assert make_talk(Profile.PERSISTENT, store, "one").say("typeof p") == '"object"'
    assert make_talk(Profile.PERSISTENT, store, "two").page.complaints[0].startswith(
        "not restored: p (Error: Cannot find module 'plugin:gone'"
    )


def test_what_was_declared_before_an_error_is_kept_too(make_talk: MakeTalk, store: Store) -> None:
    make_talk(Profile.PERSISTENT, store, "x").fail("var a = 1; throw 2")

    assert [binding.name for binding in store.bindings("x")] == ["a"]


def test_a_crash_of_a_plugin_is_an_error_and_reload_starts_it_again(talk: Talk) -> None:
    talk.say(USE)
    talk.fail("echo.process.crash('')")

    assert "GoError" in talk.fail("echo.ping()") or "PluginLost" in talk.page.complaints[-1]
    talk.say(":reload")
    assert talk.say("echo.ping(1)") == "1"


def test_the_loss_of_the_engine_is_told_and_made_good_if_the_session_is_kept(
    make_talk: MakeTalk, store: Store
) -> None:
    kept, other = make_talk(Profile.PERSISTENT, store, "x"), make_talk()
    lost = "the engine was lost when it was cut off"
    for talk in (kept, other):
        talk.say("var a = 1")
        lose_engine(talk)

    assert kept.say("a") == "1"
    assert kept.page.complaints == [f"{lost}; what the session keeps is restored"]
    assert other.say("typeof a") == '"undefined"'
    assert other.page.complaints == [f"{lost}, and what had been declared with it"]


def test_what_is_kept_survives_a_time_limit(make_talk: MakeTalk, store: Store) -> None:
    talk = make_talk(Profile.PERSISTENT, store, "x", timeout=0.3)
    talk.say("var a = 1")

    assert "the time limit of 0.3 s is over" in talk.fail("for (;;) {}")
    assert talk.say("a") == "1"
    assert [binding.name for binding in store.bindings("x")] == ["a"]


def lose_engine(talk: Talk) -> None:
    """As happens when promise jobs are cut off: the next code runs in a new interpreter."""
    talk.session.runtime.engine._interpreter = None  # type: ignore[attr-defined]


def test_a_session_can_be_timed(talk: Talk) -> None:
    assert talk.say(":time") == "timing is off"
    assert re.fullmatch(r"2\n[\d.]+ m?s", talk.say(":time 1 + 1"))
    assert talk.say(":time on") == "timing is on"
    assert re.fullmatch(r"[\d.]+ m?s", talk.say("void 0"))
    talk.say(":time off")
    assert talk.say("1") == "1"
