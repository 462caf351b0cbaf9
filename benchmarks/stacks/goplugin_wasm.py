"""This project's host for plugins as WebAssembly, `goplugin.wasm`. `+public`: on wasmtime's documented API alone.

The plugin's command is a module, and the directory with the code that was generated for it.
"""
from __future__ import annotations

import importlib
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from goplugin.wasm import Instance, Module, WasmConfig, fast

from ..hosts import Figures, Host, latency_figures

__all__ = ["WasmHost", "host"]

_NS = 1_000_000_000
_LOADS = 9


class WasmHost:
    """One instance of the module, and the compiled module for further ones."""

    def __init__(self, path: str, generated: str) -> None:
        sys.path.insert(0, generated)
        # Generated for this run, so nobody can know their types.
        self._code: Any = importlib.import_module("everything.everything_plugin")
        self._messages: Any = importlib.import_module("everything.everything_pb2")
        words: Any = importlib.import_module("words.words_plugin")
        total: Any = importlib.import_module("words.words_pb2").Total
        messages = self._messages

        class Host(self._code.Host):
            def Ask(self, request: Any) -> Any:
                return messages.Text(text=f"How do you do, {request.text}")

            def Blob(self, request: Any) -> Any:
                return messages.Bytes(bytes=bytes(request.number))

        class Words(words.Words):
            def Count(self, request: Any) -> Any:
                return total(words=len(request.text.split()))

        self._hosts = [Host().host_module(), Words().host_module()]
        self._path = path
        self._config = WasmConfig()
        self.module = Module.load(path, self._config)
        self.instance = self.new_instance()
        self.greeter: Any = self._code.GreeterPlugin(self.instance)
        self.request: Any = messages.Text(text="Ada")
        self.plugin_pid = os.getpid()

    def close(self) -> None:
        self.instance.close()

    def load_module(self) -> Module:
        return Module.load(self._path, self._config)

    def new_instance(self) -> Instance:
        return self.module.instantiate(self._code.GreeterPlugin.SERVICE, hosts=self._hosts)

    def greet(self, seconds: float) -> Figures:
        """One call after the other."""
        return _timed(self.greeter.Greet, self.request, seconds)

    def ask(self, seconds: float) -> Figures:
        """Calls inside of which the plugin calls two functions of the host."""
        return _timed(self.greeter.GreetInWordsOfTheHost, self.request, seconds)

    def load(self) -> Figures:
        """The module from a warm cache, and an instance of it: started, and its service checked. Medians of some."""
        loads: list[int] = []
        starts: list[int] = []
        for _ in range(_LOADS):
            begin = time.perf_counter_ns()
            self.load_module()
            loaded = time.perf_counter_ns()
            instance = self.new_instance()
            starts.append(time.perf_counter_ns() - loaded)
            loads.append(loaded - begin)
            instance.close()
        return {"load_ms": statistics.median(loads) / 1e6, "instantiate_ms": statistics.median(starts) / 1e6}

    def drain(self, count: int, size: int) -> Figures:
        """So many calls, in each of which a function of the host returns so many bytes; then the plugin's memory."""
        request = self._messages.Blobs(count=1, size=size)
        for _ in range(count):
            if self.greeter.Drain(request).number != size:
                raise RuntimeError("the plugin did not get what the host returned")
        return {"plugin_mib": self.instance.memory_size / (1 << 20)}


def _timed(call: Callable[[Any], object], request: object, seconds: float) -> Figures:
    clock = time.perf_counter_ns
    durations: list[int] = []
    before = clock()
    end = before + seconds * _NS
    while before < end:
        call(request)
        after = clock()
        durations.append(after - before)
        before = after
    return latency_figures(durations)


def host(command: Sequence[str], *, public_api: bool = False) -> Host:
    if public_api:
        fast.available = lambda: False
    return WasmHost(command[0], command[1])
