"""The machine on wasmtime's C API: what a call needs, with types made once instead of looked up every time.

The C API is documented and stable. Private in the package are only the handle of the library (`_ffi.dll`), the layouts
of three structures, and how errors become exceptions; `available` says whether they are where this module expects
them, and if not, `plain.py` does it.

Functions that C calls are made by cffi, and not by ctypes. A signal's handler may raise when such a function is about
to begin, before any `try` of its own; ctypes then returns to C whatever the stack held, as a pointer to an error. cffi
asks `onerror` what to return.
Source: wasmtime's C header files (func.h, linker.h, memory.h, store.h).
"""
from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from ctypes import CFUNCTYPE, POINTER, c_bool, c_char_p, c_size_t, c_uint64, c_void_p
from types import TracebackType
from typing import Any

import wasmtime

from ..core.errors import ConfigError
from .abi import Signature, check_range
from .engine import halt_of
from .errors import MissingExportError
from .machine import Halt, Import, Machine

__all__ = ["FastMachine", "available"]

_U32 = 0xFFFF_FFFF
_U64 = 0xFFFF_FFFF_FFFF_FFFF
_FUNCTION, _MEMORY = 0, 3       # wasmtime_extern_kind_t
_CONTINUE = 0                   # wasmtime_update_deadline_kind_t
_SLOTS = 2                      # 64-bit words of a wasmtime_val_raw_t, which has room for a vector

_HOST_FUNCTION = "size_t(*)(void *, void *, uint64_t *, size_t)"
_DEADLINE_FUNCTION = "size_t(*)(void *, void *, uint64_t *, uint8_t *)"


class _Library:
    """The functions of the C API that are used here, with the types of its header, and its structures.

    Pointers are numbers: ctypes passes those without looking at them.
    """

    def __init__(self) -> None:
        from _cffi_backend import FFI
        from wasmtime import _ffi  # pyright: ignore[reportPrivateUsage]

        dll: ctypes.CDLL = _ffi.dll  # pyright: ignore[reportAssignmentType] - the stub takes it for a module

        def function(name: str, result: Any, *parameters: Any) -> Any:
            return CFUNCTYPE(result, *parameters)((name, dll))

        self.store_context = function("wasmtime_store_context", c_void_p, c_void_p)
        self.on_deadline = function(
            "wasmtime_store_epoch_deadline_callback", None, c_void_p, c_void_p, c_void_p, c_void_p
        )
        self.set_fuel = function("wasmtime_context_set_fuel", c_void_p, c_void_p, c_uint64)
        self.define = function(
            "wasmtime_linker_define_func_unchecked",
            c_void_p, c_void_p, c_char_p, c_size_t, c_char_p, c_size_t, c_void_p, c_void_p, c_void_p, c_void_p,
        )
        self.instantiate = function(
            "wasmtime_linker_instantiate", c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p
        )
        self.export_get = function(
            "wasmtime_instance_export_get", c_bool, c_void_p, c_void_p, c_char_p, c_size_t, c_void_p
        )
        self.call = function("wasmtime_func_call_unchecked", c_void_p, c_void_p, c_void_p, c_void_p, c_size_t, c_void_p)
        self.memory_data = function("wasmtime_memory_data", c_void_p, c_void_p, c_void_p)
        self.memory_size = function("wasmtime_memory_data_size", c_size_t, c_void_p, c_void_p)
        self.new_trap = function("wasmtime_trap_new", c_void_p, c_char_p, c_size_t)
        self.new_error = function("wasmtime_error_new", c_void_p, c_char_p)

        self.ffi: Any = FFI()
        self.instance_type: type[ctypes.Structure] = _ffi.wasmtime_instance_t
        self.extern_type: Any = _ffi.wasmtime_extern_t
        self.extern_offset: int = self.extern_type.of.offset    # of the handle in it
        trap_pointer, error_pointer = POINTER(_ffi.wasm_trap_t), POINTER(_ffi.wasmtime_error_t)
        new_trap = wasmtime.Trap._from_ptr  # pyright: ignore[reportPrivateUsage]
        new_error = wasmtime.WasmtimeError._from_ptr  # pyright: ignore[reportPrivateUsage]
        self.trap: Callable[[int], wasmtime.Trap] = lambda address: new_trap(ctypes.cast(address, trap_pointer))
        self.error: Callable[[int], wasmtime.WasmtimeError] = lambda address: new_error(
            ctypes.cast(address, error_pointer)
        )


@functools.cache
def _library() -> _Library | None:
    try:
        return _Library()
    except (ImportError, AttributeError):   # the package has changed: what is private may do so at any time
        return None


def available() -> bool:
    """Whether this process can have a FastMachine."""
    return _library() is not None


class FastMachine(Machine):
    """A machine of ctypes calls. Raises ConfigError where there can be none."""

    def __init__(self, store: wasmtime.Store, linker: wasmtime.Linker) -> None:
        super().__init__(store)
        library = _library()
        if library is None:
            raise ConfigError("this version of wasmtime has its C library where goplugin does not know of it")
        self._library = library
        self._linker = linker
        store_pointer = _address(store)
        self._handles: list[Any] = []   # what C holds a pointer to
        self._context: int = library.store_context(store_pointer)
        self._extern = library.extern_type()
        self._memory = 0        # where the memory's handle is; 0 before there is one
        look = self._callback(_DEADLINE_FUNCTION, self._look_at_deadline, lambda: library.new_error(b"interrupt"))
        library.on_deadline(store_pointer, look, None, None)
        store.set_epoch_deadline(1)

    def define(self, module: str, name: str, signature: Signature, function: Import) -> None:
        slots = [_SLOTS * index for index in range(len(signature.parameters))]
        masks = [_U32 if kind == "i32" else -1 for kind in signature.parameters]

        def called(environment: object, caller: object, values: Any, count: int) -> int:
            values[0] = function(*[values[slot] & mask for slot, mask in zip(slots, masks, strict=True)]) & _U64
            return 0

        callback = self._callback(_HOST_FUNCTION, called, lambda: self._library.new_trap(b"host", 4))
        kinds = [[_type(kind) for kind in side] for side in signature]
        type_ = wasmtime.FuncType(*kinds)
        self._handles.append(type_)
        names = [part for text in (module.encode(), name.encode()) for part in (text, len(text))]
        error = self._library.define(_address(self._linker), *names, _address(type_), callback, None, None)
        if error:
            raise halt_of(self._library.error(error))

    def instantiate(self, module: wasmtime.Module) -> None:
        instance = self._library.instance_type()
        trap = c_void_p()
        error = self._library.instantiate(
            _address(self._linker), self._context, _address(module), ctypes.addressof(instance), ctypes.addressof(trap)
        )
        if error or trap.value:
            raise self._halt(error, trap)
        self._instance = instance
        memory = self._export("memory", _MEMORY)
        if memory is None:
            raise MissingExportError("memory is not exported", "memory")
        self._memory = memory

    def _export(self, name: str, kind: int) -> int | None:
        """The address of the handle of what is exported; None if there is nothing of this kind."""
        extern = self._library.extern_type()
        encoded = name.encode()
        found = self._library.export_get(
            self._context, ctypes.addressof(self._instance), encoded, len(encoded), ctypes.addressof(extern)
        )
        if not found or extern.kind != kind:
            return None
        self._handles.append(extern)
        return ctypes.addressof(extern) + self._library.extern_offset

    def function(self, name: str, signature: Signature) -> Callable[..., int]:
        address = self._export(name, _FUNCTION)
        if address is None:
            raise MissingExportError(f"{name} is not exported", name)
        count = max(len(signature.parameters), len(signature.results))
        values = (c_uint64 * (_SLOTS * max(count, 1)))()
        trap = c_void_p()
        where, trap_address = ctypes.addressof(values), ctypes.addressof(trap)
        context, call = self._context, self._library.call
        mask = 0 if not signature.results else _U32 if signature.results[0] == "i32" else -1

        # The guest reads the arguments when it is entered and writes the result when it leaves, so that a call inside
        # of a call may use the same places.
        def invoke(first: int = 0, second: int = 0) -> int:
            values[0] = first
            if count > 1:
                values[_SLOTS] = second
            error = call(context, address, where, count, trap_address)
            if error or trap.value:
                raise self._halt(error, trap)
            return values[0] & mask

        return invoke

    def _halt(self, error: int | None, trap: c_void_p) -> Halt:
        cause = self._library.error(error) if error else self._library.trap(trap.value or 0)
        trap.value = None
        halt = halt_of(cause)
        halt.__cause__ = cause
        return halt

    def _callback(self, type_: str, function: Callable[..., int], stopper: Callable[[], int]) -> int:
        """The address of a function for C. What it raises is kept, and C gets what `stopper` makes for it."""

        def stop(kind: type[BaseException], error: BaseException, traceback: TracebackType) -> int:
            self.fail(error)
            return stopper()

        ffi = self._library.ffi
        callback = ffi.callback(type_, function, error=0, onerror=stop)
        self._handles.append(callback)
        return int(ffi.cast("uintptr_t", callback))

    def _look_at_deadline(self, context: object, data: object, delta: Any, kind: Any) -> int:
        """The epoch has advanced while the guest runs: this is also where signals' handlers come to run."""
        delta[0] = 1
        kind[0] = _CONTINUE
        self.check()
        return 0

    def set_deadline(self, deadline: float) -> None:
        self.deadline = deadline

    def set_fuel(self, fuel: int) -> None:
        self._library.set_fuel(self._context, fuel)

    def read(self, pointer: int, size: int) -> bytes:
        check_range("Read", pointer, size, self._library.memory_size(self._context, self._memory))
        return ctypes.string_at(self._library.memory_data(self._context, self._memory) + pointer, size)

    def write(self, pointer: int, data: bytes) -> None:
        check_range("Write", pointer, len(data), self._library.memory_size(self._context, self._memory))
        ctypes.memmove(self._library.memory_data(self._context, self._memory) + pointer, data, len(data))

    def memory_size(self) -> int:
        return self._library.memory_size(self._context, self._memory) if self._memory else 0

    def close(self) -> None:
        self._memory = 0
        self.store.close()
        self._linker.close()
        self._handles.clear()


def _address(owner: Any) -> int:
    """The address that one of the package's objects stands for."""
    return ctypes.cast(owner.ptr(), c_void_p).value or 0


def _type(kind: str) -> wasmtime.ValType:
    return wasmtime.ValType.i32() if kind == "i32" else wasmtime.ValType.i64()
