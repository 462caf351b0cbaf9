"""Modules written by hand, and how the tests load them."""
from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import wasmtime

from goplugin.wasm import HostModule, Instance, Module, ServiceSpec, WasmConfig

BENCH = ServiceSpec("Bench", 2, ("Echo", "Fail"))
UNCACHED = WasmConfig(cache_dir="")

HEAP = """
  (memory (export "memory") 2)
  (func (export "malloc") (param i32) (result i32) (i32.const 65536))
  (func (export "free") (param i32))
"""
VERSION = '(func (export "bench_api_version") (result i64) (i64.const 2))'
ECHO = """
  (func (export "bench_echo") (param i32 i32) (result i64)
    (i64.or (i64.shl (i64.extend_i32_u (local.get 0)) (i64.const 32)) (i64.extend_i32_u (local.get 1))))
"""


def assemble(*parts: str) -> bytes:
    """A module of these fields."""
    return bytes(wasmtime.wat2wasm("(module " + "\n".join(parts) + ")"))


@functools.cache
def bench_bytes() -> bytes:
    return bytes(wasmtime.wat2wasm(Path(__file__).with_name("bench.wat").read_text("utf-8")))


@functools.cache
def bench_module(*, fuel: bool = False) -> Module:
    """bench.wat, compiled once for all tests."""
    return Module.load(bench_bytes(), WasmConfig(cache_dir="", fuel=1 if fuel else None))


def answering(function: Any) -> HostModule:
    """The host module that bench.wat imports."""
    return HostModule(functions={"answer": function})


SILENT = answering(lambda request: b"")


def bench(function: Any = SILENT.functions["answer"], **config: Any) -> Instance:
    """An instance of bench.wat, with `function` for its host."""
    module = bench_module(fuel="fuel" in config)
    return module.instantiate(BENCH, hosts=[answering(function)], config=WasmConfig(cache_dir="", **config))
