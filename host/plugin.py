"""A plugin that runs, whatever it runs in: what the rest of the host knows of it.

Source: go-go-goja pkg/hashiplugin/host, LoadedModule.
"""
from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from goplugin.core.errors import PluginLostError, RemoteError
from goplugin.core.hclog import readable
from goplugin.core.status import Code
from jsbridge.contract import InvokeRequest, InvokeResponse, ModuleManifest

if TYPE_CHECKING:
    from jsbridge.cancellation import Cancellation

__all__ = ["ModuleCalls", "RunningPlugin"]


class ModuleCalls(Protocol):
    """How a module is called: jsbridge's BlockingModule and WasmModule."""

    def get_manifest(self, *, timeout: float | None = None) -> ModuleManifest: ...
    def invoke(
        self, request: InvokeRequest, *, timeout: float | None = None, cancel: Cancellation | None = None
    ) -> InvokeResponse: ...


class RunningPlugin(ABC):
    """A started plugin; its manifest has been read, not validated."""

    kind: ClassVar[str]
    """What it runs in: `process`, or `wasm`."""

    def __init__(self, path: str, manifest: ModuleManifest, module: ModuleCalls) -> None:
        self.path = path
        self.manifest = manifest
        self._module = module
        self._closed = False

    @property
    @abstractmethod
    def where(self) -> str:
        """What it runs in, for people: `process 4711`."""

    @property
    @abstractmethod
    def facts(self) -> Mapping[str, str | int]:
        """What else there is to know of it, for people and programs, by label."""

    @abstractmethod
    def ping(self, timeout: float | None) -> None:
        """Ask whether it is there.

        Raises RemoteError, UNIMPLEMENTED if it cannot be asked that, and PluginLostError if the plugin is gone.
        """

    def invoke(
        self,
        export: str,
        method: str,
        args: Sequence[Any],
        timeout: float | None,
        cancel: Cancellation | None = None,
    ) -> Any:
        """Call one export (`method` is "" for a function) and wait for its result.

        Raises RemoteError if the plugin answers with an error, or with nothing within `timeout` seconds, and
        PluginLostError if it is gone; their notes name the plugin.
        """
        if self._closed:
            raise RemoteError(Code.CANCELLED, "grpc: the client connection is closing")
        try:
            request = InvokeRequest(export, method, tuple(args))
            return self._module.invoke(request, timeout=timeout, cancel=cancel).result
        except RemoteError as error:
            error.add_note(f"plugin: {self.manifest.module_name} ({self.path})")
            if isinstance(error, PluginLostError):
                self._add_last_words(error)
            raise

    @abstractmethod
    def stderr_tail(self) -> str:
        """The end of what the plugin wrote to stderr, at most 4096 bytes, stripped."""

    def take_no_more_calls(self) -> None:
        self._closed = True

    @abstractmethod
    def close(self) -> None:
        """End it; returns when it is gone. Idempotent."""

    def _add_last_words(self, error: PluginLostError) -> None:
        """Note what is known of its end."""
        if self.stderr_tail():
            error.add_note(f"plugin stderr: {readable(self.stderr_tail())}")
