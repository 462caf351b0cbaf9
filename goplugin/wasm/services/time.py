"""The host's idea of the time, for plugins: for tests of plugins, or plugins that are to agree with their host."""
from __future__ import annotations

import time
from collections.abc import Callable

from ..host import HostModule
from .messages import MODULE, timestamp

__all__ = ["clock"]


def clock(now: Callable[[], int] = time.time_ns, *, module: str = MODULE) -> HostModule:
    """`now` gives nanoseconds since 1970."""
    return HostModule(module, {"now": lambda _: timestamp(now())})
