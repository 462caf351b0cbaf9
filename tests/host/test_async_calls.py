"""Asynchronous calls from JavaScript to a plugin in another process."""
from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from host import Runtime
from jsbridge.engine import JSError
from tests.support import requirement

from .plugins import add_python

PATIENT = '''\
"""Waits."""
import time

from jsbridge.sdk import Call, Module, serve_module

module = Module("plugin:patient", version="v1")
cancelled = []


@module.function
def sleep(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


@module.function
def wait(call: Call) -> None:
    cancelled.append(call.context.wait_cancelled(20))


@module.function
def seen() -> list[bool]:
    return cancelled


serve_module(module)
'''


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    directory = tmp_path_factory.mktemp("plugins")
    add_python(directory, "patient", PATIENT)
    with Runtime([str(directory)]) as runtime:
        runtime.eval("var patient = require('plugin:patient')")
        yield runtime


@requirement("ow.async-js")
def test_ten_calls_to_one_plugin_take_as_long_as_one(runtime: Runtime) -> None:
    runtime.eval("await patient.sleep.async(0)")
    start = time.monotonic()

    assert runtime.eval("await Promise.all(new Array(10).fill(0.1).map(s => patient.sleep.async(s)))") == [0.1] * 10
    assert time.monotonic() - start < 0.5


@requirement("ow.async-js")
def test_a_call_that_is_aborted_is_cancelled_in_the_plugin(runtime: Runtime) -> None:
    before = runtime.eval("patient.seen()")
    name = runtime.eval("""
        var abort = new AbortController(), name;
        setTimeout(() => abort.abort(), 50);
        try { await patient.wait.with({ signal: abort.signal }).async() } catch (error) { name = error.name }
        name
    """)

    assert name == "AbortError"
    assert eventually_seen(runtime, len(before) + 1) == [*before, True]


def eventually_seen(runtime: Runtime, count: int) -> list[bool]:
    """What the plugin's handler has seen, once there is as much of it."""
    deadline = time.monotonic() + 10
    while len(seen := runtime.eval("patient.seen()")) < count and time.monotonic() < deadline:
        time.sleep(0.01)
    return seen


@requirement("ow.async-js")
def test_an_error_of_the_run_cancels_what_is_under_way(runtime: Runtime) -> None:
    before = runtime.eval("patient.seen()")
    with pytest.raises(JSError, match="enough"):
        runtime.eval("setTimeout(() => { throw new Error('enough') }, 50); await patient.wait.async()")

    assert eventually_seen(runtime, len(before) + 1) == [*before, True]


def test_a_call_has_its_own_timeout_in_either_form(runtime: Runtime) -> None:
    for call in ("", ".async"):
        with pytest.raises(JSError) as caught:
            runtime.eval(f"await patient.sleep.with({{ timeout: 50 }}){call}(2)")

        assert caught.value.code == "DeadlineExceeded"


def test_a_plugin_that_dies_rejects_what_is_under_way(tmp_path: Path) -> None:
    source = PATIENT.replace("time.sleep(seconds)", "os._exit(7)").replace("import time", "import os")
    add_python(tmp_path, "patient", source)
    with Runtime([str(tmp_path)]) as runtime, pytest.raises(JSError) as caught:
        runtime.eval("const p = require('plugin:patient'); await Promise.all([p.wait.async(), p.sleep.async(1)])")

    assert caught.value.code == "Unavailable"
