"""A plugin that is a WebAssembly file: a module in this process, in a sandbox."""
from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from goplugin.core.environ import go_quote
from goplugin.core.errors import PluginError, RemoteError
from goplugin.core.status import Code

from .errors import LoadError
from .plugin import RunningPlugin

if TYPE_CHECKING:
    from jsbridge.contract import ModuleManifest
    from jsbridge.wasm import WasmModule

    from .plugin_output import PluginOutput

__all__ = ["WasmPlugin", "load_wasm"]


class WasmPlugin(RunningPlugin):
    """A RunningPlugin without a process. A call that takes too long is its end."""

    kind = "wasm"

    def __init__(self, path: str, manifest: ModuleManifest, module: WasmModule) -> None:
        super().__init__(path, manifest, module)
        self._wasm = module

    @property
    def where(self) -> str:
        return "WebAssembly"

    @property
    def facts(self) -> Mapping[str, str | int]:
        facts = {"sandbox": self._wasm.sandbox}
        if self._wasm.toolchain:
            facts["toolchain"] = self._wasm.toolchain
        return facts

    def ping(self, timeout: float | None) -> None:
        raise RemoteError(Code.UNIMPLEMENTED, "a module in WebAssembly has no health service")

    def stderr_tail(self) -> str:
        return self._wasm.stderr_tail

    def close(self) -> None:
        self.take_no_more_calls()
        self._wasm.close()


def load_wasm(path: str, start_timeout: float, call_timeout: float, output: PluginOutput | None) -> WasmPlugin:
    """Compile and start the module in the file at `path`, and read its manifest. Raises LoadError."""
    from jsbridge.wasm import WasmModule

    stage = f"start plugin {go_quote(path)}"
    module = None
    try:
        module = WasmModule(
            path,
            stdout=output and output.stdout.write,
            stderr=output and output.stderr.write,
            start_timeout=start_timeout,
        )
        stage = f"read plugin manifest from {go_quote(path)}"
        return WasmPlugin(path, module.get_manifest(timeout=call_timeout), module)
    except PluginError as error:
        stderr = ""
        if module is not None:
            stderr = module.stderr_tail
            module.close()
        raise LoadError(stage, error, path=path, stderr=stderr) from error
