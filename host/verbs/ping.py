"""`ping MODULE [-n COUNT]`: how fast a plugin answers, one call after the other.

What is asked is the plugin's health service; of a plugin without one, an export that no module has, which it refuses
without running any code of its author's.
"""
from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from goplugin.core.errors import ConfigError, PluginLostError, RemoteError
from goplugin.core.status import Code

from ..render import json_text
from .base import PluginVerb

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Callable, Sequence

    from ..plugin import RunningPlugin
    from ..runtime import Runtime

__all__ = ["Ping", "Latency", "latency"]

_COUNT = 100
_NO_EXPORT = ""
_HEALTH, _INVOKE = "health", "empty invoke"


class Ping(PluginVerb):
    module: str
    count: int

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("module", metavar="MODULE", help="the module's name, plugin:...")
        about = f"how many times to ask (default {_COUNT})"
        parser.add_argument("-n", "--count", metavar="COUNT", type=int, default=_COUNT, help=about)

    def prepare(self) -> None:
        if self.count < 1:
            raise ConfigError(f"the count is {self.count}, and has to be 1 at the least")

    def use(self, runtime: Runtime) -> None:
        plugin = runtime.plugin(self.module)
        kind, ask = _question(plugin, self.settings.call_timeout)
        found = latency(self._measure(ask))
        if self.settings.json:
            print(json_text({"module": self.module, "asked": kind, **plugin.facts, **found._asdict()}))
            return
        times = "  ".join(f"{name} {seconds * 1e6:.0f} µs" for name, seconds in found._asdict().items() if name != "n")
        print(f"{self.module} ({plugin.where}), {kind}: n {found.n}  {times}")

    def _measure(self, ask: Callable[[], None]) -> list[float]:
        """Seconds of each call, after one that nobody measures: the first of a connection takes longer."""
        from ..terminal import Progress

        seconds: list[float] = []
        ask()
        with Progress(f"asking {self.module}") as progress:
            for number in range(self.count):
                begin = time.perf_counter()
                ask()
                seconds.append(time.perf_counter() - begin)
                progress.show(number + 1, self.count)
        return seconds


class Latency(NamedTuple):
    """Of `n` calls, in seconds."""

    n: int
    min: float
    p50: float
    p90: float
    p99: float
    max: float


def latency(seconds: Sequence[float]) -> Latency:
    """The percentiles of at least one time: each is the least that so many of all times do not exceed."""
    times = sorted(seconds)

    def percentile(share: int) -> float:
        return times[(len(times) * share + 99) // 100 - 1]

    return Latency(len(times), times[0], percentile(50), percentile(90), percentile(99), times[-1])


def _question(plugin: RunningPlugin, timeout: float) -> tuple[str, Callable[[], None]]:
    """What to ask, and how. Raises PluginLostError if the plugin is gone."""
    try:
        plugin.ping(timeout)
    except RemoteError as error:
        if error.code is not Code.UNIMPLEMENTED:
            raise
        return _INVOKE, lambda: _invoke_nothing(plugin, timeout)
    return _HEALTH, lambda: plugin.ping(timeout)


def _invoke_nothing(plugin: RunningPlugin, timeout: float) -> None:
    try:
        plugin.invoke(_NO_EXPORT, "", [], timeout)
    except PluginLostError:
        raise
    except RemoteError as error:
        if error.code is Code.DEADLINE_EXCEEDED:
            raise
