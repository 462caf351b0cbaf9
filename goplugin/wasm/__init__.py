"""Plugins as WebAssembly modules: knqyf263/go-plugin's, in a sandbox of this process.

    from goplugin.wasm import Module, ServiceSpec

    module = Module.load("greeter.wasm")
    with module.instantiate(ServiceSpec("Greeter", version=1, methods=("SayHello",))) as greeter:
        response = greeter.call("greeter_say_hello", request)

Requests and responses are serialized messages here; `protoc-gen-goplugin-python` writes classes that take and return
them as such. The engine is the package wasmtime, of the extra `wasm`: ``pip install goplugin[wasm]``.
Names are loaded on first use, and wasmtime with the first module.
"""
from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .abi import CALL_SIGNATURE, ServiceSpec, Signature, export_name, host_import_name, version_export
    from .config import INHERIT, Preopen, WasmConfig
    from .errors import (
        ExitError,
        FuelLimitError,
        GuestError,
        HostFunctionError,
        InstanceLostError,
        LimitError,
        MemoryLimitError,
        MissingExportError,
        TimeLimitError,
        TrapError,
        VersionMismatchError,
    )
    from .host import HostModule
    from .instance import Caller, Instance
    from .module import FoundService, Inspection, Module
    from .pool import Pool

__all__ = [
    "CALL_SIGNATURE",
    "INHERIT",
    "Caller",
    "FoundService",
    "HostModule",
    "Inspection",
    "Instance",
    "Module",
    "Pool",
    "Preopen",
    "ServiceSpec",
    "Signature",
    "WasmConfig",
    "export_name",
    "host_import_name",
    "version_export",
    "ExitError",
    "FuelLimitError",
    "GuestError",
    "HostFunctionError",
    "InstanceLostError",
    "LimitError",
    "MemoryLimitError",
    "MissingExportError",
    "TimeLimitError",
    "TrapError",
    "VersionMismatchError",
]

_HOMES = {
    "CALL_SIGNATURE": "abi",
    "INHERIT": "config",
    "Caller": "instance",
    "FoundService": "module",
    "HostModule": "host",
    "Inspection": "module",
    "Instance": "instance",
    "Module": "module",
    "Pool": "pool",
    "Preopen": "config",
    "ServiceSpec": "abi",
    "Signature": "abi",
    "WasmConfig": "config",
    "export_name": "abi",
    "host_import_name": "abi",
    "version_export": "abi",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = importlib.import_module(f".{_HOMES.get(name, 'errors')}", __name__)
    value = getattr(home, name)
    globals()[name] = value
    return value
