"""A JavaScript module in a WebAssembly file: the contract of jsmodule.proto over the ABI of goplugin.wasm.

The file exports `js_module_service_get_manifest`, `js_module_service_invoke` and `js_module_service_api_version`, which
is 1; requests and responses are the messages that a plugin process gets and sends. An error is a text, and arrives as
one of code Unknown, as that of any handler does.

Rule 1: it is allowed nothing but to compute, within limits; what it prints goes where the owner says.
Rule 2: a call that takes longer than it may stops the module, and it takes no more: unlike a process it cannot be left
behind to go on by itself.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from goplugin.core.errors import PluginLostError, RemoteError
from goplugin.core.status import Code

from .contract import InvokeRequest, InvokeResponse, ModuleManifest

if TYPE_CHECKING:
    from goplugin.wasm import Instance

    from .cancellation import Cancellation

__all__ = ["API_VERSION", "MEMORY_LIMIT", "WasmModule"]

API_VERSION: Final = 1
MEMORY_LIMIT: Final = 256 << 20
"""Bytes of linear memory that a module may have."""

_GET_MANIFEST, _INVOKE = "js_module_service_get_manifest", "js_module_service_invoke"


class WasmModule:
    """A module in the file at `path`; a context manager. Has the calls of `BlockingModule`, with its errors.

    `stdout` and `stderr` get what it prints. `start_timeout`, in seconds, is for compiling it as well.
    Raises LaunchError, VersionMismatchError or MissingExportError for a file that is no such module, and ConfigError
    without the wasmtime package.
    """

    def __init__(
        self,
        path: str,
        *,
        stdout: Callable[[bytes], object] | None = None,
        stderr: Callable[[bytes], object] | None = None,
        start_timeout: float | None = None,
    ) -> None:
        from goplugin.wasm import Module, ServiceSpec, WasmConfig

        config = WasmConfig(stdout=stdout, stderr=stderr, memory_limit=MEMORY_LIMIT, time_limit=start_timeout)
        service = ServiceSpec("JSModuleService", API_VERSION, ("GetManifest", "Invoke"))
        module = Module.load(path, config)
        self._instance: Instance = module.instantiate(service)
        self.toolchain = ", ".join(" ".join(names) for names in module.producers.values())
        """What made it, by its own word; empty if it does not say."""

    def get_manifest(self, *, timeout: float | None = None) -> ModuleManifest:
        return ModuleManifest.FromString(self._call(_GET_MANIFEST, b"", timeout))

    def invoke(
        self, request: InvokeRequest, *, timeout: float | None = None, cancel: Cancellation | None = None
    ) -> InvokeResponse:
        """Call one export. A call that is under way cannot be cancelled; one that waits for its turn is not begun."""
        if cancel is not None and cancel.cancelled:
            raise RemoteError(Code.CANCELLED, "context canceled")
        return InvokeResponse.FromString(self._call(_INVOKE, request.SerializeToString(), timeout))

    @property
    def sandbox(self) -> str:
        """What it may do, for people."""
        return f"no files, no environment, no network; {MEMORY_LIMIT >> 20} MiB of memory; one call at a time"

    @property
    def stderr_tail(self) -> str:
        """The end of what it wrote to stderr, at most 4096 bytes, stripped."""
        return self._instance.stderr_tail

    def close(self) -> None:
        """Let go of the module; later calls raise PluginLostError. Idempotent."""
        self._instance.close()

    def __enter__(self) -> WasmModule:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _call(self, export: str, request: bytes, timeout: float | None) -> bytes:
        from goplugin.wasm import GuestError, InstanceLostError, TimeLimitError

        try:
            return self._instance.call(export, request, timeout=timeout)
        except GuestError as error:
            raise RemoteError(error.code, error.message) from error
        except TimeLimitError as error:
            raise RemoteError(Code.DEADLINE_EXCEEDED, "context deadline exceeded") from error
        except InstanceLostError as error:
            raise PluginLostError(error.message) from error
