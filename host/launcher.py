"""Plugin processes for callers that block: started side by side, ended together.

The one module of the host that knows how a plugin is reached. Who owns a `PluginProcesses` owns every process started
through it, however far the start has come. A call is made on the calling thread: a hop to another one costs more than
the call.
Source: go-go-goja pkg/hashiplugin/host, loadOne and wrapDiagnosticError, whose texts the stages have.
"""
from __future__ import annotations

import io
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, cast

from goplugin.core.environ import go_quote
from goplugin.core.errors import PluginError, PluginLostError, RemoteError
from goplugin.core.hclog import with_tracebacks
from goplugin.core.status import Code
from goplugin.sync import Client, ClientConfig
from jsbridge.contract import DISPENSE_NAME, HANDSHAKE, InvokeRequest, ModuleManifest
from jsbridge.plugin import BlockingModule, JSModulePlugin

from .errors import LoadError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

__all__ = ["PluginProcesses", "RunningPlugin"]

_SIDE_BY_SIDE = 64
_STDERR_TAIL = 4096
_LAST_WORDS_SECONDS = 0.5
_LAST_OUTPUT_SECONDS = 0.05


class PluginProcesses:
    """Every plugin process of one runtime; `close` ends them all."""

    def __init__(self, *, start_timeout: float, call_timeout: float) -> None:
        self._start_timeout = start_timeout
        self._call_timeout = call_timeout
        self._clients: list[Client] = []
        self._plugins: list[RunningPlugin] = []
        self._starts = ThreadPoolExecutor(_SIDE_BY_SIDE, "plugin-start")

    def start(self, path: str) -> Future[RunningPlugin]:
        """Begin to launch the plugin at `path`; the future resolves once its manifest has been read.

        It fails with LoadError, and the process is gone then; or it is cancelled by `close`.
        """
        tail = _Tail()
        client = Client(
            ClientConfig(
                handshake=HANDSHAKE,
                command=(path,),
                plugins={DISPENSE_NAME: JSModulePlugin()},
                start_timeout=self._start_timeout,
                stderr=tail,
                sync_stderr=tail,
            )
        )
        self._clients.append(client)
        return self._starts.submit(self._start, path, client, tail)

    def close(self) -> None:
        """End all of them side by side, those still starting included; returns when they are gone. Idempotent."""
        self._starts.shutdown(wait=False, cancel_futures=True)
        for plugin in self._plugins:
            plugin.take_no_more_calls()
        if self._clients:
            with ThreadPoolExecutor(len(self._clients), "plugin-end") as ends:
                list(ends.map(Client.kill, self._clients))
        self._starts.shutdown()

    def _start(self, path: str, client: Client, tail: _Tail) -> RunningPlugin:
        stage = f"start plugin {go_quote(path)}"
        try:
            client.start()
            stage = f"dispense plugin service from {go_quote(path)}"
            module = cast("BlockingModule", client.dispense(DISPENSE_NAME))
            stage = f"read plugin manifest from {go_quote(path)}"
            manifest = module.get_manifest(timeout=self._call_timeout)
        except PluginError as error:
            client.kill()  # now its stderr is complete
            raise LoadError(stage, error, path=path, stderr=tail.text()) from error
        plugin = RunningPlugin(path, manifest, client, module, tail)
        self._plugins.append(plugin)
        return plugin


class RunningPlugin:
    """A started plugin; its manifest has been read, not validated."""

    def __init__(
        self,
        path: str,
        manifest: ModuleManifest,
        client: Client,
        module: BlockingModule,
        tail: _Tail,
    ) -> None:
        self.path = path
        self.manifest = manifest
        self._client = client
        self._module = module
        self._tail = tail
        self._closed = False

    @property
    def pid(self) -> int:
        """The process number."""
        return int(self._client.id)

    def invoke(self, export: str, method: str, args: Sequence[Any], timeout: float | None) -> Any:
        """Call one export (`method` is "" for a function) and wait for its result.

        Raises RemoteError if the plugin answers with an error, or with nothing within `timeout` seconds, and
        PluginLostError if it is gone; their notes name the plugin.
        """
        if self._closed:
            raise RemoteError(Code.CANCELLED, "grpc: the client connection is closing")
        try:
            return self._module.invoke(InvokeRequest(export, method, tuple(args)), timeout=timeout).result
        except RemoteError as error:
            error.add_note(f"plugin: {self.manifest.module_name} ({self.path})")
            if isinstance(error, PluginLostError):
                self._add_last_words(error)
            raise

    def _add_last_words(self, error: PluginLostError) -> None:
        """Note how the process ended and what it wrote last; both arrive a moment after the connection is gone."""
        deadline = time.monotonic() + _LAST_WORDS_SECONDS
        while self._client.exit_code is None and time.monotonic() < deadline:
            time.sleep(0.01)
        code = self._client.exit_code
        if code is not None:
            error.add_note(f"process: ended with code {code}" if code >= 0 else f"process: ended by signal {-code}")
            time.sleep(_LAST_OUTPUT_SECONDS)
        if self.stderr_tail():
            error.add_note(f"plugin stderr: {self.stderr_tail()}")

    def stderr_tail(self) -> str:
        """The end of what the plugin wrote to stderr, at most 4096 bytes, stripped."""
        return self._tail.text()

    def take_no_more_calls(self) -> None:
        self._closed = True

    def close(self) -> None:
        """End the process; returns when it is gone. Idempotent."""
        self.take_no_more_calls()
        self._client.kill()


class _Tail(io.BytesIO):
    """A sink that keeps the end of what is written to it, from whatever thread."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()

    def write(self, data: ReadableBuffer, /) -> int:
        written = bytes(data)
        with self._lock:
            end = (self.getvalue() + written)[-_STDERR_TAIL:]
            self.seek(0)
            self.truncate()
            super().write(end)
        return len(written)

    def text(self) -> str:
        with self._lock:
            return with_tracebacks(self.getvalue().decode("utf-8", "replace")).strip()
