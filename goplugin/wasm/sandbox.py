"""From a compiled module to an instance that has started: its imports, its WASI, its streams, and its start function.

Source: knqyf263/go-plugin gen/host.go, Load; wazero's ModuleConfig for what there is to configure.
"""
from __future__ import annotations

import atexit
import os
import tempfile
import weakref
from collections.abc import Mapping, Sequence

import wasmtime

from ..core.errors import ConfigError, LaunchError
from . import fast, plain
from .abi import CALL_SIGNATURE, owns_host_responses, start_function
from .compiling import Compiled
from .config import Inherit, WasmConfig
from .engine import new_store
from .errors import ExitError, LimitError, TrapError
from .host import HostFunction, HostModule
from .instance import Instance, Terms
from .machine import Machine
from .output import OutputStream
from .waiting import POLL_NAME, POLL_SIGNATURE, WASI, poll

__all__ = ["HostFunctions", "check_imports", "host_functions", "start"]

HostFunctions = Mapping[tuple[str, str], HostFunction]
"""By module and name, as a guest imports them."""

_STDOUT, _STDERR = 1, 2
_MOST_NAMED = 20    # of what is missing

# Only so that there is something to close at the end of the process.
_open_instances: weakref.WeakSet[Instance] = weakref.WeakSet()


def host_functions(hosts: Sequence[HostModule]) -> dict[tuple[str, str], HostFunction]:
    """The functions of all `hosts`. Raises ConfigError if two are offered under one name."""
    functions: dict[tuple[str, str], HostFunction] = {}
    for host in hosts:
        for name, function in host.functions.items():
            if (host.name, name) in functions:
                raise ConfigError(f"two host modules offer {host.name}.{name}: a plugin could not tell them apart")
            functions[host.name, name] = function
    return functions


def check_imports(compiled: Compiled, functions: HostFunctions) -> None:
    """Raise LaunchError unless everything that the module imports is offered, and has the type that it asks for."""
    wanted = {key: signature for key, signature in compiled.imports.items() if key[0] != WASI}
    missing = [_label(key) for key in wanted if key not in functions]
    if missing:
        more = f", and {len(missing) - _MOST_NAMED} more" if len(missing) > _MOST_NAMED else ""
        names = ", ".join(missing[:_MOST_NAMED])
        raise LaunchError(f"{compiled.name} imports what no host module offers: {names}{more}")
    for key, signature in wanted.items():
        if signature != CALL_SIGNATURE:
            raise LaunchError(f"{compiled.name} imports {_label(key)} as {signature}, which is not {CALL_SIGNATURE}")


def _label(key: tuple[str, str]) -> str:
    """A name that a module made up, for an error's text: no line's end in it, nothing that a terminal obeys."""
    text = ".".join(key)
    return text if text.isprintable() else ascii(text)


def start(compiled: Compiled, functions: HostFunctions, config: WasmConfig) -> Instance:
    """Make an instance and run its start function.

    Raises LaunchError if it does not start, LimitError if it wants more than it may have, HostFunctionError.
    """
    name = compiled.name
    outputs = OutputStream(config.stdout, _STDOUT), OutputStream(config.stderr, _STDERR)
    machine = _machine(compiled, config, outputs)
    instance = Instance(name, machine, compiled.exports, _terms(compiled, config), outputs)
    try:
        for (module, function), signature in compiled.imports.items():
            if module != WASI:
                imported = instance.host_import(f"{module}.{function}", functions[module, function])
                machine.define(module, function, signature, imported)
        instance.begin(compiled.code, start_function(compiled.exports))
    except BaseException as error:
        instance.close()
        if isinstance(error, ExitError):
            raise LaunchError(
                f"{name}: unexpected exit_code: {error.exit_code}", exit_code=error.exit_code, stderr=error.stderr
            ) from error
        if isinstance(error, TrapError) and not isinstance(error, LimitError):
            raise LaunchError(f"{name} did not start: {error.message}", stderr=error.stderr) from error
        raise
    _open_instances.add(instance)
    return instance


@atexit.register
def _close_all() -> None:
    """The engine calls back when it is freed, and that must be before the interpreter has ended."""
    for instance in list(_open_instances):
        instance.abandon()


def _terms(compiled: Compiled, config: WasmConfig) -> Terms:
    free = config.free_host_responses
    return Terms(
        config.time_limit,
        config.memory_limit,
        config.fuel,
        free_host_responses=owns_host_responses(compiled.producers) if free is None else free,
        free_responses=config.free_responses,
    )


def _machine(compiled: Compiled, config: WasmConfig, outputs: tuple[OutputStream, OutputStream]) -> Machine:
    store = new_store(compiled.engine, config)
    linker = wasmtime.Linker(compiled.engine)
    machine = (fast.FastMachine if fast.available() else plain.PlainMachine)(store, linker)
    if any(module == WASI for module, _ in compiled.imports):
        linker.allow_shadowing = True
        linker.define_wasi()
        store.set_wasi(_wasi(config, outputs))
        machine.define(WASI, POLL_NAME, POLL_SIGNATURE, poll(machine))
    return machine


def _wasi(config: WasmConfig, outputs: tuple[OutputStream, OutputStream]) -> wasmtime.WasiConfig:
    wasi = wasmtime.WasiConfig()
    wasi.stdout_custom, wasi.stderr_custom = (stream.callback() for stream in outputs)
    wasi.argv = list(config.args)
    wasi.env = list(config.env.items())
    try:
        _set_stdin(wasi, config.stdin)
        for directory in config.dirs:
            wasi.preopen_dir(os.fspath(directory.host), directory.guest, directory.writable)
    except (OSError, wasmtime.WasmtimeError) as error:
        raise ConfigError(f"the sandbox cannot have its files: {error}") from error
    return wasi


def _set_stdin(wasi: wasmtime.WasiConfig, stdin: bytes | str | os.PathLike[str] | Inherit | None) -> None:
    if isinstance(stdin, bytes):
        with tempfile.NamedTemporaryFile(prefix="goplugin-stdin-") as file:     # the engine opens it at once
            file.write(stdin)
            file.flush()
            wasi.stdin_file = file.name
    elif isinstance(stdin, Inherit):
        wasi.inherit_stdin()
    elif stdin is not None:
        wasi.stdin_file = os.fspath(stdin)
