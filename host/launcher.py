"""Plugins for callers that block: started side by side, ended together.

The one module of the host that knows how a plugin process is reached. Who owns a `PluginProcesses` owns every process
started through it, however far the start has come, and every module in WebAssembly. A call is made on the calling
thread: a hop to another one costs more than the call.
Source: go-go-goja pkg/hashiplugin/host, loadOne and wrapDiagnosticError, whose texts the stages have.
"""
from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, cast

import attrs

from goplugin.core.environ import go_quote
from goplugin.core.errors import PluginError, PluginLostError
from goplugin.core.hclog import with_tracebacks
from goplugin.sync import Client, ClientConfig
from jsbridge.contract import DISPENSE_NAME, HANDSHAKE, ModuleManifest
from jsbridge.plugin import BlockingModule, JSModulePlugin

from .discovery import is_wasm
from .errors import LoadError
from .plugin import RunningPlugin
from .plugin_output import PluginOutput, Show
from .wasm_plugin import load_wasm

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

__all__ = ["PluginProcesses", "ProcessPlugin"]

_SIDE_BY_SIDE = 64
_STDERR_TAIL = 4096
_LAST_WORDS_SECONDS = 0.5
_LAST_OUTPUT_SECONDS = 0.05


class PluginProcesses:
    """Every plugin of one runtime; `close` ends them all. `show_output` gets what they log and print."""

    def __init__(self, *, start_timeout: float, call_timeout: float, show_output: Show | None = None) -> None:
        self._start_timeout = start_timeout
        self._call_timeout = call_timeout
        self._show_output = show_output
        self._outputs: list[PluginOutput] = []
        self._clients: list[Client] = []
        self._plugins: list[RunningPlugin] = []
        self._starts = ThreadPoolExecutor(_SIDE_BY_SIDE, "plugin-start")

    def start(
        self, path: str, check: Callable[[RunningPlugin], object] | None = None
    ) -> Future[RunningPlugin]:
        """Begin to launch the plugin at `path`; the future resolves once its manifest has been read.

        Then `check`, on another thread, may close the plugin again and raise LoadError. The future fails with
        LoadError, and the process is gone then; or it is cancelled by `close`.
        """
        output = None
        if self._show_output is not None:
            output = PluginOutput(path, self._show_output)
            self._outputs.append(output)
        if is_wasm(path):
            start = partial(load_wasm, path, self._start_timeout, self._call_timeout, output)
        else:
            tail = _Tail()
            client = Client(self._config(path, tail, output))
            self._clients.append(client)
            start = partial(self._launch, path, client, tail)
        return self._starts.submit(self._start, start, output, check)

    def _config(self, path: str, tail: _Tail, output: PluginOutput | None) -> ClientConfig:
        config = ClientConfig(
            handshake=HANDSHAKE,
            command=(path,),
            plugins={DISPENSE_NAME: JSModulePlugin()},
            start_timeout=self._start_timeout,
            stderr=tail,
            sync_stderr=tail,
        )
        if output is None:
            return config
        tee = _Tee(tail, output.stderr)
        return attrs.evolve(config, logger=output.logger, sync_stdout=output.stdout, sync_stderr=tee)

    def close(self) -> None:
        """End all of them side by side, those still starting included; returns when they are gone. Idempotent."""
        self._starts.shutdown(wait=False, cancel_futures=True)
        for plugin in self._plugins:
            plugin.take_no_more_calls()
        if self._clients:
            with ThreadPoolExecutor(len(self._clients), "plugin-end") as ends:
                list(ends.map(Client.kill, self._clients))
        self._starts.shutdown()
        for plugin in self._plugins:
            plugin.close()
        for output in self._outputs:
            output.end()

    def _start(
        self,
        start: Callable[[], RunningPlugin],
        output: PluginOutput | None,
        check: Callable[[RunningPlugin], object] | None,
    ) -> RunningPlugin:
        plugin = start()
        if output is not None:
            output.name = plugin.manifest.module_name.strip() or output.name
        self._plugins.append(plugin)
        if check is not None:
            check(plugin)
        return plugin

    def _launch(self, path: str, client: Client, tail: _Tail) -> ProcessPlugin:
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
        return ProcessPlugin(path, manifest, client, module, tail)


class ProcessPlugin(RunningPlugin):
    """A RunningPlugin in a process of its own."""

    kind = "process"

    def __init__(
        self, path: str, manifest: ModuleManifest, client: Client, module: BlockingModule, tail: _Tail
    ) -> None:
        super().__init__(path, manifest, module)
        self._client = client
        self._tail = tail

    @property
    def pid(self) -> int:
        """The process number."""
        return int(self._client.id)

    @property
    def where(self) -> str:
        return f"process {self.pid}"

    @property
    def facts(self) -> Mapping[str, str | int]:
        protocol = f"{self._client.protocol}, version {self._client.negotiated_version}"
        return {"process": self.pid, "protocol": protocol}

    def ping(self, timeout: float | None) -> None:
        self._client.ping(timeout=timeout)

    def stderr_tail(self) -> str:
        return self._tail.text()

    def close(self) -> None:
        self.take_no_more_calls()
        self._client.kill()

    def _add_last_words(self, error: PluginLostError) -> None:
        """Note how the process ended and what it wrote last; both arrive a moment after the connection is gone."""
        deadline = time.monotonic() + _LAST_WORDS_SECONDS
        while self._client.exit_code is None and time.monotonic() < deadline:
            time.sleep(0.01)
        code = self._client.exit_code
        if code is not None:
            error.add_note(f"process: ended with code {code}" if code >= 0 else f"process: ended by signal {-code}")
            time.sleep(_LAST_OUTPUT_SECONDS)
        super()._add_last_words(error)


class _Tee(io.BytesIO):
    """A sink in front of several."""

    def __init__(self, *sinks: io.BytesIO) -> None:
        super().__init__()
        self._sinks = sinks

    def write(self, data: ReadableBuffer, /) -> int:
        written = bytes(data)
        for sink in self._sinks:
            sink.write(written)
        return len(written)


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
