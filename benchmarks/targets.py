"""The targets: ratios of one run on one machine, and whether they are met."""
from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from .results import Distribution, Results, distribution, ratio, values

__all__ = ["TARGETS", "Target", "ratios"]

_SYNC = "goplugin_sync -> goplugin_sync"
_WASM = "goplugin_wasm -> wasm"


class Target(NamedTuple):
    """`key`: the ratio's name in the JSON of the quick run; empty if that does not measure it."""

    key: str
    case: str
    measure: Callable[[Results], Distribution | None]
    limit: float
    at_least: bool = False

    def met(self, value: float) -> bool:
        return value >= self.limit if self.at_least else value <= self.limit


def _p50(row: str, over: str = "go -> go", suite: str = "unary") -> Callable[[Results], Distribution | None]:
    return lambda results: ratio(results, suite, row, "p50_us", over)


def _rate(suite: str, row: str, figure: str) -> Callable[[Results], Distribution | None]:
    return lambda results: ratio(results, suite, row, figure)


def _spawn(over: str) -> Callable[[Results], Distribution | None]:
    return lambda results: ratio(results, "spawn", "sdk", "ms", over)


def _wasm_load(figure: str) -> Callable[[Results], Distribution | None]:
    return lambda results: distribution(results, "wasm_load", _WASM, figure)


def _wasm_growth(figure: str) -> Callable[[Results], Distribution | None]:
    """What was added from the first look on: every one of the further looks is one of the distribution."""

    def growth(results: Results) -> Distribution | None:
        found = values(results, "wasm_flat", _WASM, figure)
        added = max(found) - found[0] if found else 0.0
        return Distribution(added, added, added) if found else None

    return growth


TARGETS = (
    Target("sync_py_py", "blocking Python host, Python plugin: p50 over Go to Go", _p50(_SYNC), 0.30),
    Target("sync_py_go", "blocking Python host, Go plugin: p50 over Go to Go", _p50("goplugin_sync -> go"), 0.85),
    Target("js_py", "JavaScript function, Python plugin, the whole bridge: p50 over Go to Go",
           _p50("javascript -> sdk"), 0.50),
    Target("async_py_py", "asyncio Python host, Python plugin, no uvloop: p50 over Go to Go",
           _p50("goplugin_aio -> goplugin_sync"), 0.45),
    Target("go_py", "Go host, Python plugin: p50 over Go to Go", _p50("go -> goplugin_sync"), 0.85),
    Target("", "64 in flight, asyncio Python host, Go plugin: calls/s over Go to Go",
           _rate("in_flight", "goplugin_aio -> go", "calls_per_s"), 1.1, at_least=True),
    Target("", "64 in flight, Go host, Python plugin: calls/s over Go to Go",
           _rate("in_flight", "go -> goplugin_sync", "calls_per_s"), 1.3, at_least=True),
    Target("", "1 MiB, Python host, Go plugin: throughput over Go to Go",
           _rate("large_1", "goplugin_sync -> go", "mb_per_s"), 1.0, at_least=True),
    Target("", "16 MiB, Python host, Go plugin: throughput over Go to Go",
           _rate("large_16", "goplugin_sync -> go", "mb_per_s"), 1.0, at_least=True),
    Target("", "64 MiB, Python host, Go plugin: throughput over Go to Go",
           _rate("large_64", "goplugin_sync -> go", "mb_per_s"), 0.8, at_least=True),
    Target("", "AutoMTLS, blocking Python host, Go plugin: p50 over Go to Go with AutoMTLS",
           _p50("goplugin_sync+tls -> go", "go+tls -> go", suite="tls"), 1.0),
    Target("vs_grpclib", "blocking Python to Python: p50 over grpclib to grpclib",
           _p50(_SYNC, "grpclib -> grpclib"), 0.10),
    Target("", "blocking Python to Python: p50 over pyvider-rpcplugin to itself",
           _p50(_SYNC, "pyvider -> pyvider"), 0.10),
    Target("spawn_vs_bare_python", "spawn to first reply, Python SDK plugin: over `python -c pass`",
           _spawn("python -c pass"), 4.0),
    Target("", "spawn to first reply, Python SDK plugin: over a pyvider-rpcplugin plugin", _spawn("pyvider"), 0.2),
    Target("vs_floor", "blocking Python to Python: p50 over raw socket ping-pong", _p50(_SYNC, "raw -> raw"), 3.5),
    Target("", "WebAssembly: p50 of a call over upstream's Go host on the same module",
           _p50(_WASM, "wazero -> wasm", suite="wasm_greet"), 5.0),
    Target("", "WebAssembly: p50 of a call over the same on wasmtime's public API alone",
           _p50(_WASM, "goplugin_wasm+public -> wasm", suite="wasm_greet"), 0.5),
    Target("", "WebAssembly: p50 of a JavaScript module's function over the same in a process",
           _p50("js_module -> js_wasm", "js_module -> sdk", suite="wasm_js"), 1.0),
    Target("", "WebAssembly: load a Go module from a warm cache, ms", _wasm_load("load_ms"), 20.0),
    Target("", "WebAssembly: start an instance, ms", _wasm_load("instantiate_ms"), 2.0),
    Target("", "WebAssembly: MiB the host grew by in 10,000 calls that fetch 100 kB", _wasm_growth("host_mib"), 5.0),
    Target("", "WebAssembly: MiB the plugin grew by meanwhile", _wasm_growth("plugin_mib"), 5.0),
)


def ratios(results: Results) -> dict[str, float | None]:
    """The ratios that have a key; None is one that could not be measured."""
    return {
        target.key: None if (found := target.measure(results)) is None else round(found.median, 4)
        for target in TARGETS
        if target.key
    }
