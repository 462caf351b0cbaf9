"""The engine: the package wasmtime, how it is set up, and what its failures mean.

One engine serves all modules that ask for nothing special; it is made when the first one is loaded. This module and
the two machines (`fast.py`, `plain.py`) are the only ones that know wasmtime's types.
"""
from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import platform
import re
from typing import TYPE_CHECKING

import wasmtime

from .machine import Halt, Reason

if TYPE_CHECKING:
    from .config import WasmConfig

__all__ = ["engine_for", "fingerprint", "halt_of", "new_store"]

_TABLE_ELEMENTS = 10_000_000    # 80 MB; a Go module has some ten thousand


_REASONS = {wasmtime.TrapCode.OUT_OF_FUEL: Reason.FUEL, wasmtime.TrapCode.INTERRUPT: Reason.INTERRUPT}


def halt_of(error: wasmtime.Trap | wasmtime.WasmtimeError) -> Halt:
    """What wasmtime's exception means. The stack of the guest is in that alone."""
    if isinstance(error, wasmtime.ExitTrap):
        return Halt(Reason.EXIT, f"module closed with exit_code({error.code})", error.code)
    if isinstance(error, wasmtime.Trap):
        code = error.trap_code
        return Halt(Reason.TRAP if code is None else _REASONS.get(code, Reason.TRAP), _last_line(error.message))
    text = str(error)
    return Halt(Reason.MEMORY if "exceeds memory limits" in text else Reason.TRAP, _last_line(text))


def _last_line(message: str) -> str:
    """The cause, which wasmtime writes behind the stack; of several, the one behind the others, with its number."""
    return re.sub(r"^\d+: ", "", message.strip().rpartition("\n")[2].strip())


def engine_for(config: WasmConfig) -> wasmtime.Engine:
    """The engine that `config` asks for: a shared one, unless it changes the engine's configuration."""
    if config.engine is None:
        return _shared_engine(config.fuel is not None)
    settings = _settings(config.fuel is not None)
    config.engine(settings)
    return wasmtime.Engine(settings)


@functools.cache
def _shared_engine(fuel: bool) -> wasmtime.Engine:
    return wasmtime.Engine(_settings(fuel))


def _settings(fuel: bool) -> wasmtime.Config:
    settings = wasmtime.Config()
    settings.epoch_interruption = True
    settings.consume_fuel = fuel
    # What no toolchain for plugins makes use of is closed: all memory is the one linear memory, which has a limit.
    settings.wasm_threads = False
    settings.wasm_memory64 = False
    settings.wasm_multi_memory = False
    settings.wasm_gc = False
    settings.wasm_exceptions = False
    return settings


def fingerprint(config: WasmConfig) -> bytes:
    """What compiled code depends on besides the module: the engine's version and settings, and the machine."""
    fuel = "fuel" if config.fuel is not None else ""
    parts = (importlib.metadata.version("wasmtime"), platform.system(), platform.machine(), fuel)
    return hashlib.sha256("\n".join(parts).encode()).digest()


def new_store(engine: wasmtime.Engine, config: WasmConfig) -> wasmtime.Store:
    """A store whose guest can have one memory of the configured size."""
    store = wasmtime.Store(engine)
    memory_size = -1 if config.memory_limit is None else config.memory_limit
    store.set_limits(memory_size=memory_size, table_elements=_TABLE_ELEMENTS, instances=1, memories=1)
    return store
