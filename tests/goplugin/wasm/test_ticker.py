from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

import pytest

from goplugin.wasm import ticker
from tests.goplugin.wasm.modules import bench

NAME = "goplugin-wasm-clock"

FORK = """
import os, signal, wasmtime
from goplugin.wasm import Module, TimeLimitError, WasmConfig
text = '''(module (memory (export "memory") 1)
  (func (export "idle") (param i32 i32) (result i64) (i64.const 0))
  (func (export "spin") (param i32 i32) (result i64) (loop (br 0)) (i64.const 0)))'''
instance = Module.load(bytes(wasmtime.wat2wasm(text)), WasmConfig(cache_dir="")).instantiate()
instance.call("idle", b"")
child = os.fork()
if child:
    raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
signal.alarm(20)
try:
    instance.call("spin", b"", timeout=0.1)
except TimeLimitError:
    os._exit(7)
"""


def clocks() -> int:
    return sum(thread.name == NAME for thread in threading.enumerate())


def wait_until_there_is_none() -> None:
    deadline = time.monotonic() + 10
    while clocks() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not clocks()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ticker, "_IDLE_TICKS", 2)


def test_there_is_one_clock_while_plugins_are_at_work_and_none_later() -> None:
    wait_until_there_is_none()
    with bench(lambda request: str(clocks()).encode()) as one, bench(lambda request: one.call("bench_ask", b"")) as two:
        assert two.call("bench_ask", b"") == b"1"
        wait_until_there_is_none()
        assert one.call("bench_ask", b"") == b"1"

    wait_until_there_is_none()


def test_a_clock_does_not_end_while_a_plugin_is_at_work() -> None:
    def answer(request: bytes) -> bytes:
        time.sleep(5 * ticker.TICK_SECONDS)
        return str(clocks()).encode()

    with bench(answer) as instance:
        assert instance.call("bench_ask", b"") == b"1"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_limit_holds_in_a_forked_process() -> None:
    ended = subprocess.run([sys.executable, "-W", "ignore", "-c", FORK], check=False, timeout=60)

    assert ended.returncode == 7
