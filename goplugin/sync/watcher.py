"""Somebody who looks after channels that nobody uses: answers a PING, takes note of the end.

A channel in use reads for itself. One that is idle would notice nothing, and its peer would take it for dead; so one
thread of this process looks at all of them from time to time. There is none while there are no channels.
"""
from __future__ import annotations

import contextlib
import threading
import time
import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .channel import Channel

__all__ = ["watch"]

_PERIOD = 1.0


class _Watcher:
    def __init__(self) -> None:
        self._channels: weakref.WeakSet[Channel] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._running = False

    def watch(self, channel: Channel) -> None:
        with self._lock:
            self._channels.add(channel)
            if not self._running:
                # Without a thread the channel works, and says later that it has ended. The next channel tries again.
                with contextlib.suppress(RuntimeError):
                    threading.Thread(target=self._run, name="goplugin-watcher", daemon=True).start()
                    self._running = True

    def _run(self) -> None:
        while True:
            time.sleep(_PERIOD)
            with self._lock:
                channels = list(self._channels)
                self._running = bool(channels)
            if not channels:
                return
            ended = [channel for channel in channels if not channel.look()]
            with self._lock:
                self._channels.difference_update(ended)
            del channels, ended


# Not configuration but a fact about the process, like its threads: one is enough.
watch = _Watcher().watch
"""Look after a channel for as long as it is there, which this alone does not bring about."""
