from __future__ import annotations

import threading
from typing import Any

import pytest

from goplugin.core.errors import ConfigError, LaunchError, RemoteError
from goplugin.core.status import Code
from goplugin.wasm import Pool, WasmConfig, errors
from tests.goplugin.wasm.modules import BENCH, SILENT, answering, bench_module
from tests.support import requirement


def bench_pool(size: int, function: Any = SILENT.functions["answer"], **config: Any) -> Pool:
    config_ = WasmConfig(cache_dir="", **config)
    return Pool(bench_module(), BENCH, size=size, hosts=[answering(function)], config=config_)


def start(*targets: Any) -> list[threading.Thread]:
    threads = [threading.Thread(target=target) for target in targets]
    for thread in threads:
        thread.start()
    return threads


def join(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.join()


@requirement("wa.pool")
def test_calls_go_on_side_by_side() -> None:
    together = threading.Barrier(3)
    answers: list[bytes] = []

    def answer(request: bytes) -> bytes:
        together.wait(10)
        return request

    with bench_pool(3, answer) as pool:
        join(start(*[lambda: answers.append(pool.call("bench_ask", b"x"))] * 3))

    assert answers == [b"x"] * 3


@requirement("wa.pool")
def test_instances_are_used_again() -> None:
    with bench_pool(3) as pool:
        assert [pool.call("bench_count", b"") for _ in range(3)] == [b"\1", b"\2", b"\3"]


@requirement("wa.pool")
def test_there_are_no_more_than_its_size() -> None:
    inside, done = threading.Event(), threading.Event()

    def answer(request: bytes) -> bytes:
        inside.set()
        done.wait()
        return b""

    with bench_pool(1, answer) as pool:
        threads = start(lambda: pool.call("bench_ask", b"x"))
        inside.wait()
        with pytest.raises(RemoteError, match="all instances are busy") as caught:
            pool.call("bench_echo", b"x", timeout=0.05)
        waiting = start(lambda: pool.call("bench_echo", b"x"))
        done.set()
        join(threads + waiting)

    assert caught.value.code is Code.DEADLINE_EXCEEDED


@requirement("wa.pool")
def test_a_lost_instance_is_replaced() -> None:
    with bench_pool(1) as pool:
        for _ in range(3):
            with pytest.raises(errors.TrapError):
                pool.call("bench_crash", b"")
            with pytest.raises(errors.TimeLimitError):
                pool.call("bench_spin", b"", timeout=0.03)
            assert pool.call("bench_count", b"") == b"\1"


def test_an_error_of_the_plugin_keeps_its_instance() -> None:
    with bench_pool(1) as pool:
        pool.call("bench_count", b"")
        with pytest.raises(errors.GuestError):
            pool.call("bench_fail", b"text")

        assert pool.call("bench_count", b"") == b"\2"


def test_a_pool_that_cannot_be_says_so_at_once() -> None:
    with pytest.raises(ConfigError, match="a pool of 0 instances could take no call"):
        bench_pool(0)
    with pytest.raises(LaunchError):
        Pool(bench_module(), BENCH, size=1)


def test_an_instance_that_cannot_be_made_leaves_its_room(monkeypatch: pytest.MonkeyPatch) -> None:
    with bench_pool(1) as pool:
        with pytest.raises(errors.TrapError):
            pool.call("bench_crash", b"")
        with monkeypatch.context() as patch:
            patch.setattr("goplugin.wasm.sandbox.fast.available", lambda: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                pool.call("bench_echo", b"x")

        assert pool.call("bench_echo", b"x") == b"x"


def test_a_closed_pool_takes_no_calls_and_may_be_closed_again() -> None:
    pool = bench_pool(2)
    pool.close()
    pool.close()

    with pytest.raises(errors.InstanceLostError, match=r"^the pool of wasm module is closed$"):
        pool.call("bench_echo", b"x")


def test_close_ends_calls_and_sends_those_away_that_wait() -> None:
    inside, done = threading.Event(), threading.Event()
    refusals: list[str] = []

    def answer(request: bytes) -> bytes:
        inside.set()
        done.wait()
        return request

    def refused() -> None:
        with pytest.raises(errors.InstanceLostError) as caught:
            pool.call("bench_ask", b"x")
        refusals.append(caught.value.message)

    pool = bench_pool(1, answer)
    busy = start(refused)
    inside.wait()
    waiting = start(refused)
    closing = start(pool.close)
    join(waiting)
    done.set()
    join(busy + closing)

    assert refusals[0] == "the pool of wasm module is closed"
    assert "wasm module is closed" in refusals[1]
