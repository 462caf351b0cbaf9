"""The contract between a host and a plugin that is a WebAssembly module, without the engine that runs it.

A plugin exports, for every service that it implements, `{service}_api_version` and one function for each method, and
`malloc` and `free`, by which the host places requests in its memory. A method takes pointer and size of the request,
an ordinary protobuf message, and returns both of the response in one 64-bit number; a function of the host that the
plugin imports does the same in the other direction.

Rule 1: what a plugin says about its memory is a claim. Whoever reads or writes there calls `check_range` first.
Rule 2: the engine's integers are signed, the contract's are not; `pack` and `unpack` are where that is settled.
Rule 3: names are made from Go's names, service and method run together: `A.S` exports `as`, and not `a_s`.
Source: knqyf263/go-plugin, its generator (gen/main.go, gen/host.go, gen/plugin.go) and its history; protobuf-go's
protogen for Go's names.
"""
from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from ..core.errors import ConfigError, RemoteProtocolError
from .errors import MissingExportError, VersionMismatchError

__all__ = [
    "DEFAULT_HOST_MODULE",
    "CALL_SIGNATURE",
    "FREE_SIGNATURE",
    "MALLOC_SIGNATURE",
    "VERSION_SIGNATURE",
    "Result",
    "ServiceSpec",
    "Signature",
    "check_exports",
    "check_range",
    "check_version",
    "check_version_export",
    "export_name",
    "go_name",
    "host_import_name",
    "owns_host_responses",
    "pack",
    "start_function",
    "unpack",
    "version_export",
]

DEFAULT_HOST_MODULE = "env"
"""Where a plugin looks for functions of the host whose service does not say `module=`."""

_U32 = 0xFFFF_FFFF
_U64 = 0xFFFF_FFFF_FFFF_FFFF
_ERROR_BIT = 1 << 31
_SIGN_BIT = 1 << 63


class Signature(NamedTuple):
    """The type of a function: its parameters and results as in the text format, such as ``("i32", "i32")``."""

    parameters: tuple[str, ...]
    results: tuple[str, ...]

    def __str__(self) -> str:
        return f"({', '.join(self.parameters)}) -> ({', '.join(self.results)})"


CALL_SIGNATURE = Signature(("i32", "i32"), ("i64",))
"""Of every method, and of every function of the host: pointer and size in, both of the answer out."""

VERSION_SIGNATURE = Signature((), ("i64",))
MALLOC_SIGNATURE = Signature(("i32",), ("i32",))
FREE_SIGNATURE = Signature(("i32",), ())


# --- Results: pointer, error bit and size in one number -------------------------------------------------------------


class Result(NamedTuple):
    """Where an answer lies in the plugin's memory; `failed`: it is the text of an error and not a message."""

    pointer: int
    size: int
    failed: bool


def unpack(value: int) -> Result:
    """The parts of what a method returned: any 64-bit integer, signed as engines give it or not.

    0 is an empty message. It is also what a plugin returns that could not read its request: the two look the same.
    """
    return Result(value >> 32 & _U32, value & 0x7FFF_FFFF, value & _ERROR_BIT != 0)


def pack(pointer: int, size: int, *, failed: bool = False) -> int:
    """The parts of an answer as one number, signed as engines want it.

    Raises ConfigError for a size that does not fit into 31 bits. A plugin does not look at `failed` in what a host's
    function returns: there is no way to tell it of an error.
    """
    if size >= _ERROR_BIT:
        raise ConfigError(f"a message of {size} bytes: the contract ends at 2 GiB")
    value = pointer << 32 | failed << 31 | size
    return value - (1 << 64) if value & _SIGN_BIT else value


def check_range(action: str, pointer: int, size: int, memory_size: int) -> None:
    """Raise RemoteProtocolError unless `size` bytes at `pointer` lie in a memory of `memory_size` bytes.

    `action` is "Read" or "Write". The memory's size is that of now: it may have grown with the last call.
    """
    if pointer + size > memory_size:
        raise RemoteProtocolError(f"Memory.{action}({pointer}, {size}) out of range of memory size {memory_size}")


# --- Names ------------------------------------------------------------------------------------------------------------


def go_name(name: str) -> str:
    """The name that Go code has for a service or method of a .proto file: `say_hello` is SayHello, `_x` is XX."""
    first, rest = ("X", name[1:]) if name.startswith("_") else ("", name)
    return first + re.sub(r"(?:^|_|(?<=[0-9]))([a-z])", lambda match: match[1].upper(), rest)


def _snake(name: str) -> str:
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower()


def export_name(service: str, method: str) -> str:
    """What a plugin exports for a method: of `Greeter.SayHello` in the .proto file ``greeter_say_hello``."""
    return _snake(go_name(service) + go_name(method))


def version_export(service: str) -> str:
    """What a plugin exports for its version of a service: ``greeter_api_version``."""
    return _snake(go_name(service)) + "_api_version"


def host_import_name(method: str) -> str:
    """What a plugin imports for a method of a host's service: `HttpGet` is ``http_get``, whatever the service."""
    return _snake(go_name(method))


# --- Loading ----------------------------------------------------------------------------------------------------------


class ServiceSpec(NamedTuple):
    """A service as the host knows it: what a plugin must export to implement it.

    `name` and `methods` as in the .proto file, `version` as in its `// go:plugin` annotation.
    `lazy`: a plugin may lack methods, and only a call of such a method fails. Upstream has no such thing: there a new
    method makes all older plugins useless, even where the version stays.
    """

    name: str
    version: int = 1
    methods: tuple[str, ...] = ()
    lazy: bool = False


def check_version(spec: ServiceSpec, version: int) -> None:
    """Raise VersionMismatchError unless the plugin's version is the host's."""
    host, plugin = spec.version & _U64, version & _U64
    if host != plugin:
        raise VersionMismatchError(f"API version mismatch, host: {host}, plugin: {plugin}", host=host, plugin=plugin)


def check_version_export(spec: ServiceSpec, exports: Mapping[str, Signature]) -> str:
    """The function that tells the plugin's version. Raises MissingExportError if there is none."""
    name = version_export(spec.name)
    if name not in exports:
        raise MissingExportError(f"{name} is not exported", name)
    if len(exports[name].results) != 1:
        raise MissingExportError(f"invalid {name} signature", name)
    _check_signature(name, exports, VERSION_SIGNATURE)
    return name


def check_exports(spec: ServiceSpec, exports: Mapping[str, Signature]) -> None:
    """Raise MissingExportError unless the plugin has every method, and the two functions for its memory.

    `exports` are the functions that the module exports. What is there must have the right type, lazy or not.
    """
    for method in spec.methods:
        name = export_name(spec.name, method)
        if name in exports or not spec.lazy:
            _check_signature(name, exports, CALL_SIGNATURE)
    _check_signature("malloc", exports, MALLOC_SIGNATURE)
    _check_signature("free", exports, FREE_SIGNATURE)


def _check_signature(name: str, exports: Mapping[str, Signature], expected: Signature) -> None:
    if name not in exports:
        raise MissingExportError(f"{name} is not exported", name)
    if exports[name] != expected:
        raise MissingExportError(f"invalid {name} signature: {exports[name]}, not {expected}", name)


def start_function(exports: Iterable[str]) -> str | None:
    """What has to run before anything else: `_initialize`, otherwise `_start`, otherwise nothing.

    Go's modules of today are reactors and have the first. Those of the older toolchain (TinyGo) are commands: their
    `main` registers the plugin. C, Rust and handwritten modules may have neither.
    """
    names = set(exports)
    return next((name for name in ("_initialize", "_start") if name in names), None)


def owns_host_responses(producers: Mapping[str, Iterable[str]]) -> bool:
    """Whether the host is to free the responses of its own functions, once the call that asked for them has returned.

    Upstream's hosts never do, and a plugin that calls the host often grows until its memory is full. The SDK for Go
    copies a response and forgets it, so it can go. Another guest may take it for its own: `producers`, the section in
    which toolchains name themselves, decides.
    """
    return any(name in ("Go", "TinyGo") for name in producers.get("language", ()))
