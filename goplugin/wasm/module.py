"""A WebAssembly file, compiled: what instances are made of."""
from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from typing import IO, TYPE_CHECKING

import attrs

from ..core.errors import ConfigError, LaunchError, PluginError
from .abi import (
    CALL_SIGNATURE,
    VERSION_SIGNATURE,
    ServiceSpec,
    Signature,
    check_exports,
    check_version,
    check_version_export,
)
from .config import WasmConfig
from .host import HostModule
from .instance import Instance

if TYPE_CHECKING:
    from .compiling import Compiled
    from .sandbox import HostFunctions

__all__ = ["FoundService", "Inspection", "Module", "Source"]

Source = str | os.PathLike[str] | bytes | IO[bytes]
"""A path, the bytes of a module, or a binary file that has them."""

_MODULE_HEAD = b"\0asm\1\0\0\0"
_COMPONENT_HEAD = b"\0asm\x0d\0\1\0"
_UNNAMED = "wasm module"
_INSPECTION_SECONDS = 5.0
_INSPECTION_FUEL = 10**9
_VERSION_SUFFIX = "_api_version"


@attrs.frozen
class FoundService:
    """A service as its exports show it, and spelled as there: ``greeter`` with ``greeter_say_hello``.

    `version` is None if it could not be asked: without the functions of its host, or not in the time that there is.
    """

    name: str
    version: int | None
    methods: tuple[str, ...]


@attrs.frozen
class Inspection:
    """What a module says of itself: functions by name (imports by module and name), and who made it.

    `producers` has the names of the section `producers` by field: language, processed-by, sdk.
    """

    name: str
    size: int
    services: tuple[FoundService, ...]
    exports: Mapping[str, Signature]
    imports: Mapping[tuple[str, str], Signature]
    producers: Mapping[str, tuple[str, ...]]


class Module:
    """A compiled module. Any thread may use it; instances, which hold the state, are made by `instantiate`."""

    def __init__(self, compiled: Compiled, config: WasmConfig, size: int) -> None:
        """Use `load`."""
        self._compiled = compiled
        self._config = config
        self._size = size

    @classmethod
    def load(cls, source: Source, config: WasmConfig | None = None) -> Module:
        """Read and compile a module, or take what was compiled before from the cache.

        Raises LaunchError for a file that cannot be read or is no module, and ConfigError without the wasmtime package.
        """
        try:
            from .compiling import compile_module
        except ImportError as error:
            packages = "pip install wasmtime cffi, or goplugin[wasm]"
            raise ConfigError(f"plugins as WebAssembly need the package wasmtime: {packages} ({error})") from error

        config = config or WasmConfig()
        name, content = _read(source)
        if not content.startswith(_MODULE_HEAD):
            kind = "a component, not a core" if content.startswith(_COMPONENT_HEAD) else "not a WebAssembly"
            raise LaunchError(f"{name} is {kind} module")
        return cls(compile_module(name, content, config), config, len(content))

    @property
    def name(self) -> str:
        """The name of the file, for messages."""
        return self._compiled.name

    @property
    def producers(self) -> Mapping[str, tuple[str, ...]]:
        """Who made it, by its own word: see `Inspection`."""
        return self._compiled.producers

    def instantiate(
        self, *services: ServiceSpec, hosts: Sequence[HostModule] = (), config: WasmConfig | None = None
    ) -> Instance:
        """Start an instance of its own and check that it implements `services`.

        `config` is the one of `load` unless given; of it, `engine`, `cache_dir` and whether there is `fuel` count
        when the module is loaded.
        Raises LaunchError if the module does not start or imports what nobody offers, VersionMismatchError and
        MissingExportError if it is not what `services` say, LimitError if it wants more than it may have to start,
        HostFunctionError if a function of the host raised, and ConfigError for a sandbox that cannot be.
        """
        from .sandbox import check_imports, host_functions, start

        config = config or self._config
        if (config.fuel is None) != (self._config.fuel is None):
            raise ConfigError("fuel has to be counted from the start: load the module with it, or without")
        functions = host_functions(hosts)
        check_imports(self._compiled, functions)
        instance = start(self._compiled, functions, config)
        try:
            for service in services:
                version = check_version_export(service, self._compiled.exports)
                check_version(service, instance.run(version, VERSION_SIGNATURE))
                check_exports(service, self._compiled.exports)
        except BaseException:
            instance.close()
            raise
        return instance

    def inspect(self) -> Inspection:
        """What the module has and needs. It is started for that, and allowed nothing, to ask for its versions."""
        compiled = self._compiled
        prefixes = [name.removesuffix(_VERSION_SUFFIX) for name in compiled.exports if name.endswith(_VERSION_SUFFIX)]
        versions = self._ask_versions(prefixes)
        methods: dict[str, list[str]] = {prefix: [] for prefix in prefixes}
        sizes = sorted(set(map(len, prefixes)), reverse=True)   # few, however many services a module claims to have
        for name, signature in compiled.exports.items():
            owner = next((name[:size] for size in sizes if name[:size] in methods), None)
            if owner is not None and signature == CALL_SIGNATURE:
                methods[owner].append(name)
        services = tuple(FoundService(prefix, versions.get(prefix), tuple(methods[prefix])) for prefix in prefixes)
        return Inspection(
            compiled.name, self._size, services, compiled.exports, compiled.imports, compiled.producers
        )

    def _ask_versions(self, prefixes: Sequence[str]) -> dict[str, int]:
        from .sandbox import start

        def refuse(request: bytes) -> bytes:
            raise LaunchError("there is no host while a module is inspected")

        functions: HostFunctions = dict.fromkeys(self._compiled.imports, refuse)
        config = WasmConfig(time_limit=_INSPECTION_SECONDS, fuel=_INSPECTION_FUEL if self._config.fuel else None)
        end = time.monotonic() + _INSPECTION_SECONDS
        versions: dict[str, int] = {}
        try:
            with start(self._compiled, functions, config) as instance:
                for prefix in prefixes:
                    if time.monotonic() > end:      # each may take as long as it can: a module may claim thousands
                        break
                    versions[prefix] = instance.run(prefix + _VERSION_SUFFIX, VERSION_SIGNATURE)
        except PluginError:     # it needs more than this; that says nothing against it
            return {}
        return versions


def _read(source: Source) -> tuple[str, bytes]:
    """The name and the content of a module. Raises LaunchError if it cannot be read."""
    if isinstance(source, bytes):
        return _UNNAMED, source
    try:
        if isinstance(source, (str, os.PathLike)):
            path = os.fspath(source)
            with open(path, "rb") as file:
                return os.path.basename(path), file.read()
        return os.path.basename(str(getattr(source, "name", _UNNAMED))), source.read()
    except OSError as error:
        raise LaunchError(f"the module cannot be read: {error}") from error
