from __future__ import annotations

import threading
import time

import pytest

from goplugin.wasm import ticker
from tests.goplugin.wasm.modules import bench

NAME = "goplugin-wasm-clock"


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
