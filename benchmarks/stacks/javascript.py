"""A script in the JavaScript host that calls a function of a module in another process: the whole bridge."""
from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, cast

from host import Runtime

from ..hosts import Figures, Host, latency_figures
from .sdk import MODULE, TEXT

__all__ = ["host"]

_CALLS = 200
"""In one script: entering the engine costs a garbage collection, which is not what a call costs."""

_SCRIPT = """
(() => {
    const { echo } = require(%r), text = %r, milliseconds = [];
    for (let i = 0; i < %d; i++) {
        const start = performance.now();
        echo(text);
        milliseconds.push(performance.now() - start);
    }
    return milliseconds;
})()
"""


class _JavaScriptHost:
    def __init__(self, plugin_dir: str) -> None:
        self._runtime = Runtime(plugin_dirs=[plugin_dir])
        self._runtime.load()
        self.plugin_pid = int(self._runtime.call(MODULE, "pid"))
        self._script = _SCRIPT % (MODULE, TEXT, _CALLS)

    def close(self) -> None:
        self._runtime.close()

    def calls(self, count: int) -> Figures:
        """So many calls, one after the other."""
        for _ in range(count // _CALLS):
            self._runtime.eval(self._script)
        return {}

    def unary(self, seconds: float) -> Figures:
        """One call after the other, each timed in JavaScript."""
        nanoseconds: list[int] = []
        while sum(nanoseconds) < seconds * 1e9:
            nanoseconds += [int(each * 1e6) for each in cast("list[Any]", self._runtime.eval(self._script))]
        return latency_figures(nanoseconds)


def host(command: Sequence[str]) -> Host:
    """The one plugin is the only file in its directory, as the JavaScript host wants it."""
    return _JavaScriptHost(os.path.dirname(command[0]))
