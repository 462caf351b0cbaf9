"""A function of a JavaScript module as a host in Python calls it, without an engine before it.

The module is in a WebAssembly file, or in a process like any plugin; both have the same two calls.
"""
from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import cast

import wasmtime  # noqa: F401 # pyright: ignore[reportUnusedImport] - without it there is nothing to compare

from goplugin.sync import Client, ClientConfig
from jsbridge.contract import DISPENSE_NAME, HANDSHAKE, InvokeRequest
from jsbridge.plugin import BlockingModule, JSModulePlugin
from jsbridge.wasm import WasmModule

from ..hosts import Figures, Host, latency_figures
from .sdk import TEXT

__all__ = ["host"]

_NS = 1_000_000_000


class _ModuleHost:
    def __init__(self, command: Sequence[str]) -> None:
        self._client: Client | None = None
        self.plugin_pid = os.getpid()
        if command[0].endswith(".wasm"):
            self._module = WasmModule(command[0])
        else:
            config = ClientConfig(handshake=HANDSHAKE, command=command, plugins={DISPENSE_NAME: JSModulePlugin()})
            self._client = Client(config)
            self._module = cast("BlockingModule", self._client.dispense(DISPENSE_NAME))
            self.plugin_pid = int(self._client.id)

    def close(self) -> None:
        if self._client is not None:
            self._client.kill()
        if isinstance(self._module, WasmModule):
            self._module.close()

    def unary(self, seconds: float) -> Figures:
        """One call after the other, with its value in and its value out."""
        invoke, clock = self._module.invoke, time.perf_counter_ns
        durations: list[int] = []
        before = clock()
        end = before + seconds * _NS
        while before < end:
            if invoke(InvokeRequest("echo", "", (TEXT,))).result != TEXT:
                raise RuntimeError("the reply is not the request")
            after = clock()
            durations.append(after - before)
            before = after
        return latency_figures(durations)


def host(command: Sequence[str]) -> Host:
    return _ModuleHost(command)
