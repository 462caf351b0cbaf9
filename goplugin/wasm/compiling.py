"""From the bytes of a module to code for this machine, by way of the cache."""
from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping

import attrs
import wasmtime

from ..core.errors import LaunchError
from .abi import Signature
from .cache import CompiledCache, can_tell_owners, default_directory
from .config import WasmConfig
from .engine import engine_for, fingerprint
from .producers import read_producers
from .signatures import read_functions

__all__ = ["Compiled", "compile_module"]


@attrs.frozen
class Compiled:
    """A module, ready to become instances; `imports` and `exports` are functions, and no others count."""

    name: str
    engine: wasmtime.Engine
    code: wasmtime.Module
    imports: Mapping[tuple[str, str], Signature]
    exports: Mapping[str, Signature]
    producers: Mapping[str, tuple[str, ...]]


def compile_module(name: str, content: bytes, config: WasmConfig) -> Compiled:
    """Compile `content`, or take it from the cache. Raises LaunchError if it is no valid module."""
    engine = engine_for(config)
    try:
        code = _code(engine, content, config)
    except wasmtime.WasmtimeError as error:
        reason = str(error).strip().replace("\n", " ")
        raise LaunchError(f"{name} is not a valid module: {reason}") from error
    try:
        functions = read_functions(content)
    except ValueError as error:
        raise LaunchError(f"{name} has what no plugin needs: {error}") from error
    return Compiled(name, engine, code, functions.imports, functions.exports, read_producers(content))


def _code(engine: wasmtime.Engine, content: bytes, config: WasmConfig) -> wasmtime.Module:
    cache = _cache(config)
    if cache is None:
        return wasmtime.Module(engine, content)
    key = f"{hashlib.sha256(content).hexdigest()}-{fingerprint(config).hex()[:16]}"
    path = cache.get(key)
    if path is not None:
        with contextlib.suppress(wasmtime.WasmtimeError):   # it is of another build of the same version
            return wasmtime.Module.deserialize_file(engine, path)
    code = wasmtime.Module(engine, content)
    cache.put(key, bytes(code.serialize()))
    return code


def _cache(config: WasmConfig) -> CompiledCache | None:
    """None if there is to be none; what an engine of its own makes depends on more than a key could tell."""
    if config.engine is not None or not can_tell_owners():
        return None
    directory = default_directory() if config.cache_dir is None else config.cache_dir
    return CompiledCache(directory) if directory else None
