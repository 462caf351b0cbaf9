"""The machine on the wasmtime package's documented API, for when `fast.py` does not find its way into the package.

Some things are less good here, besides the speed. A guest that does not return cannot be interrupted, by a signal or by
`interruption`. The package keeps the last exception of any callback for all threads, so that a crash may lose its text
to an abort in another thread. It also holds on to every function of the host until the machine is closed.
"""
from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import wasmtime

from ..core.errors import ConfigError
from .abi import Signature, check_range
from .engine import halt_of
from .errors import MissingExportError, TimeLimitError
from .machine import OUT_OF_TIME, Halt, Import, Machine, Reason
from .ticker import TICK_SECONDS

__all__ = ["PlainMachine"]

_U32 = 0xFFFF_FFFF
_U64 = 0xFFFF_FFFF_FFFF_FFFF
_NEVER = 1 << 60


class _Abort(Exception):
    """Ends the guest's call; why is in the machine's `failure`."""


class PlainMachine(Machine):
    """A machine of wasmtime.Func and wasmtime.Memory."""

    def __init__(self, store: wasmtime.Store, linker: wasmtime.Linker) -> None:
        super().__init__(store)
        self._linker = linker
        self._memory: wasmtime.Memory | None = None
        self._exports: Mapping[str, object] | None = None
        self.set_deadline(math.inf)

    def define(self, module: str, name: str, signature: Signature, function: Import) -> None:
        masks = [_U32 if kind == "i32" else _U64 for kind in signature.parameters]
        narrow = signature.results == ("i32",)

        def callback(*values: int) -> int:
            try:
                result = function(*[value & mask for value, mask in zip(values, masks, strict=True)])
            except BaseException as error:
                self.fail(error)
                raise _Abort from error
            return _signed(result, 32 if narrow else 64)

        kinds = [[_type(kind) for kind in side] for side in signature]
        self._linker.define_func(module, name, wasmtime.FuncType(*kinds), callback)

    def instantiate(self, module: wasmtime.Module) -> None:
        instance: wasmtime.Instance = self._run(self._linker.instantiate, self.store, module)
        self._exports = instance.exports(self.store)
        memory = self._exports.get("memory")
        if not isinstance(memory, wasmtime.Memory):
            raise MissingExportError("memory is not exported", "memory")
        self._memory = memory

    def function(self, name: str, signature: Signature) -> Callable[..., int]:
        found = None if self._exports is None else self._exports.get(name)
        if not isinstance(found, wasmtime.Func):
            raise MissingExportError(f"{name} is not exported", name)
        function = found
        mask = _U32 if signature.results == ("i32",) else _U64

        def invoke(*arguments: int) -> int:
            result = self._run(function, self.store, *[_signed(argument, 32) for argument in arguments])
            return 0 if result is None else result & mask

        return invoke

    def _run(self, function: Callable[..., Any], *arguments: object) -> Any:
        try:
            return function(*arguments)
        except _Abort as error:
            raise Halt(Reason.TRAP, "stopped") from error
        except (wasmtime.Trap, wasmtime.WasmtimeError) as error:
            halt = halt_of(error)
            if halt.reason is Reason.INTERRUPT:
                self.fail(TimeLimitError(OUT_OF_TIME))
            raise halt from error

    def set_deadline(self, deadline: float) -> None:
        self.deadline = deadline
        remaining = max(deadline - time.monotonic(), 0)
        self.store.set_epoch_deadline(_NEVER if math.isinf(deadline) else math.ceil(remaining / TICK_SECONDS) + 1)

    def set_fuel(self, fuel: int) -> None:
        self.store.set_fuel(fuel)

    def read(self, pointer: int, size: int) -> bytes:
        memory = self._memory_now()
        check_range("Read", pointer, size, memory.data_len(self.store))
        return bytes(memory.read(self.store, pointer, pointer + size))

    def write(self, pointer: int, data: bytes) -> None:
        memory = self._memory_now()
        check_range("Write", pointer, len(data), memory.data_len(self.store))
        memory.write(self.store, bytearray(data), pointer)

    def memory_size(self) -> int:
        return 0 if self._memory is None else self._memory.data_len(self.store)

    def close(self) -> None:
        self._memory = self._exports = None
        self.store.close()
        self._linker.close()

    def _memory_now(self) -> wasmtime.Memory:
        if self._memory is None:
            raise ConfigError("the module has not started")
        return self._memory


def _signed(value: int, bits: int) -> int:
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> bits - 1 else value


def _type(kind: str) -> wasmtime.ValType:
    return wasmtime.ValType.i32() if kind == "i32" else wasmtime.ValType.i64()
