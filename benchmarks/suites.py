"""What is measured, with which stacks: the suites in the order in which they run and are shown.

A new stack is one file in stacks/ and its pairs here.
"""
from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from .workers import Pair

__all__ = [
    "FLAT_PAIRS", "FLAT_STEP", "FLAT_STEPS", "MEMORY_ALONE", "MEMORY_CALLS", "MEMORY_CLIENTS", "MEMORY_PAIRS",
    "NOT_MEASURED", "OPERATIONS", "QUICK_SPAWN", "QUICK_UNARY", "SPAWN", "SPAWN_ROUNDS", "WASM_FLAT", "WASM_FLAT_CALLS",
    "WASM_FLAT_SIZE", "WASM_FLAT_STEPS", "Launch", "Operation",
]


class Operation(NamedTuple):
    """A suite: an operation of hosts.py with its arguments, done `rounds` times by every pair in turn."""

    name: str
    op: str
    arguments: Mapping[str, float]
    rounds: int
    pairs: tuple[Pair, ...]


_GO = Pair("go", "go")
_SYNC = Pair("goplugin_sync", "goplugin_sync")
_ASYNC = Pair("goplugin_aio", "goplugin_aio")

_OURS = (
    _SYNC,
    Pair("goplugin_sync", "go"),
    Pair("go", "goplugin_sync"),
    Pair("goplugin_aio", "goplugin_sync"),
    _ASYNC,
    Pair("goplugin_aio", "go"),
    Pair("go", "goplugin_aio"),
    Pair("goplugin_async", "goplugin_async"),
    Pair("goplugin_aio+uvloop", "goplugin_aio+uvloop"),
)
_OTHERS = (
    Pair("grpclib", "grpclib"),
    Pair("grpclib", "go"),
    Pair("go", "grpclib"),
    Pair("grpclib+uvloop", "grpclib+uvloop"),
    Pair("grpcio", "grpcio"),
    Pair("grpcio", "go"),
    Pair("go", "grpcio"),
    Pair("grpcio_aio", "grpcio_aio"),
    Pair("grpcio_aio", "go"),
    Pair("go", "grpcio_aio"),
    Pair("pyvider", "pyvider"),
    Pair("go", "pyvider"),
)
_RAW = Pair("raw", "raw")
_JAVASCRIPT = Pair("javascript", "sdk")
_PYVIDER = Pair("pyvider", "pyvider")
_LIBRARIES = tuple(Pair(stack, stack) for stack in ("grpclib", "grpcio", "grpcio_aio"))
_PLUGINS = ("go", "goplugin_sync", "goplugin_async")


def _with(option: str) -> tuple[Pair, ...]:
    return tuple(Pair(f"{host}+{option}", plugin) for host in _PLUGINS for plugin in _PLUGINS)


_WAZERO = Pair("wazero", "wasm")
_WASM = Pair("goplugin_wasm", "wasm")
_WASM_PAIRS = (_WAZERO, _WASM, Pair("goplugin_wasm+public", "wasm"))
_JS_MODULES = (Pair("js_module", "sdk"), Pair("js_module", "js_wasm"))

_LARGE = (_GO, *_OURS[:-2], *_LIBRARIES)

OPERATIONS = (
    Operation("unary", "unary", {"seconds": 0.3}, 15, (_RAW, _GO, *_OURS, _JAVASCRIPT, *_OTHERS)),
    Operation("in_flight", "in_flight", {"calls": 64, "seconds": 0.5}, 9, (_GO, *_OURS, *_OTHERS)),
    Operation("large_1", "large", {"size": 1 << 20, "calls": 8}, 9, (*_LARGE, _PYVIDER)),
    Operation("large_16", "large", {"size": 16 << 20, "calls": 2}, 7, _LARGE),
    Operation("large_64", "large", {"size": 64 << 20, "calls": 1}, 7, _LARGE),
    Operation("stream", "stream", {"count": 10_000}, 9, (_GO, *_OURS, *_OTHERS)),
    Operation("tls", "unary", {"seconds": 0.3}, 9, (_GO, *_with("tls"))),
    Operation("mux", "unary", {"seconds": 0.3}, 9, (_GO, *_with("mux"))),
    Operation("wasm_greet", "greet", {"seconds": 0.2}, 7, _WASM_PAIRS),
    Operation("wasm_ask", "ask", {"seconds": 0.2}, 7, _WASM_PAIRS),
    Operation("wasm_js", "unary", {"seconds": 0.2}, 7, _JS_MODULES),
    Operation("wasm_load", "load", {}, 5, (_WAZERO, _WASM)),
)

QUICK_UNARY = Operation(
    "unary", "unary", {"seconds": 0.25}, 9, (_RAW, _GO, *_OURS[:5], _JAVASCRIPT, Pair("grpclib", "grpclib"))
)


class Launch(NamedTuple):
    """A program that is launched: to its first reply over gRPC by a Go host, or, without a plugin, to its end."""

    plugin: str | None
    cookie: str = "BENCH_PLUGIN=bench"
    path: str = "/bench.Bench/Echo"


SPAWN: Mapping[str, Launch] = {
    "python -c pass": Launch(None),
    "go": Launch("go"),
    "sdk": Launch("sdk", "GO_GO_GOJA_PLUGIN=js-module", "/hashiplugin.contract.v1.JSModuleService/GetManifest"),
    "goplugin_sync": Launch("goplugin_sync"),
    "goplugin_async": Launch("goplugin_async"),
    "pyvider": Launch("pyvider"),
}
SPAWN_ROUNDS = 15
QUICK_SPAWN = ("python -c pass", "sdk")

MEMORY_PAIRS = (_GO, _SYNC, _ASYNC, _JAVASCRIPT, *_LIBRARIES, _PYVIDER)
MEMORY_ALONE = (_JAVASCRIPT, _PYVIDER)
"""Whose hosts have no more than the one plugin: one knows its plugins from the start, the other fails at the second."""
MEMORY_CALLS, MEMORY_CLIENTS = 1000, 10

FLAT_PAIRS = (_GO, _SYNC, _ASYNC, _JAVASCRIPT)
FLAT_STEP, FLAT_STEPS = 10_000, 10

WASM_FLAT = _WASM
WASM_FLAT_CALLS, WASM_FLAT_STEPS, WASM_FLAT_SIZE = 1000, 10, 100_000

NOT_MEASURED = {
    "pyvider-rpcplugin with messages of 16 and 64 MiB": "its hosts take none above 4 MiB",
    "memory per client of pyvider-rpcplugin": "its hosts time out at a second plugin",
}
