"""The stacks of the comparison, each by itself: a host in this process, a plugin in another."""
from __future__ import annotations

import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from . import stacks
from .fixture import Benchmark

ROOT = Path(__file__).parent.parent


@pytest.fixture(params=["goplugin_sync", "goplugin_async", "grpclib"])
def host(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Generator[Any]:
    """A host with a plugin of the same stack, as one of hosts.py."""
    name: str = request.param
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("TMPDIR", str(tmp_path_factory.mktemp("s")))
    host = stacks.load(name).host([sys.executable, "-m", "benchmarks.plugin_process", name])
    yield host
    host.close()


@pytest.mark.benchmark(group="100 small calls, one after the other")
def test_unary(benchmark: Benchmark, host: Any) -> None:
    benchmark(host.calls, 100)


@pytest.mark.benchmark(group="0.2 s with 64 calls in flight; their rate is in the JSON's extra_info")
def test_in_flight(benchmark: Benchmark, host: Any) -> None:
    figures = benchmark.pedantic(lambda: host.in_flight(64, 0.2), rounds=5, warmup_rounds=1)
    benchmark.extra_info.update(figures)


@pytest.mark.benchmark(group="one message there and back")
@pytest.mark.parametrize("mebibytes", [1, 16, 64])
def test_large(benchmark: Benchmark, host: Any, mebibytes: int) -> None:
    benchmark.pedantic(lambda: host.large(mebibytes << 20, 1), rounds=5, warmup_rounds=1)


@pytest.mark.benchmark(group="10,000 messages of one call")
def test_stream(benchmark: Benchmark, host: Any) -> None:
    benchmark.pedantic(lambda: host.stream(10_000), rounds=5, warmup_rounds=1)
