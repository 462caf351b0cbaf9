"""A guest's sleep: WASI's `poll_oneoff`, in place of the engine's own.

The engine's sleeps for as long as the guest says, and nothing can wake it; a guest that sleeps would be one that no
time limit holds for. This one sleeps until the deadline at most, and is ended by Ctrl-C and by `Instance.close`.
Clocks are waited for; descriptors are always ready, as files and the three standard streams are.
Source: WASI preview 1, witx/typenames.witx: subscription, event and their layouts.
"""
from __future__ import annotations

import struct
import time
from typing import TYPE_CHECKING

from .abi import Signature

if TYPE_CHECKING:
    from collections.abc import Callable

    from .machine import Machine

__all__ = ["POLL_NAME", "POLL_SIGNATURE", "WASI", "poll"]

WASI = "wasi_snapshot_preview1"
POLL_NAME = "poll_oneoff"
POLL_SIGNATURE = Signature(("i32",) * 4, ("i32",))

_SUBSCRIPTION = struct.Struct("<QB7xI4xQQH6x")  # user data, kind, clock or descriptor, timeout, precision, flags
_EVENT = struct.Struct("<QHB5xQH6x")            # user data, error, kind, bytes, flags
_CLOCK = 0
_REALTIME = 0
_ABSOLUTE = 1
_INVALID, _NOT_SUPPORTED = 28, 58
_MOST_SUBSCRIPTIONS = 4096
_LONGEST_NAP = 0.05


def poll(machine: Machine) -> Callable[[int, int, int, int], int]:
    """`poll_oneoff` for the guest of `machine`."""

    def poll_oneoff(subscriptions: int, events: int, count: int, found: int) -> int:
        if not 0 < count <= _MOST_SUBSCRIPTIONS:
            return _INVALID
        data = machine.read(subscriptions, count * _SUBSCRIPTION.size)
        clocks: list[tuple[float, bytes]] = []
        ready: list[bytes] = []
        for user_data, kind, subject, timeout, _, flags in _SUBSCRIPTION.iter_unpack(data):
            if kind != _CLOCK:
                ready.append(_EVENT.pack(user_data, 0, kind, 1, 0))
            elif flags & _ABSOLUTE and subject != _REALTIME:
                return _NOT_SUPPORTED   # the engine counts from a moment that it alone knows
            else:
                seconds = timeout / 1e9 - (time.time() if flags & _ABSOLUTE else 0)
                clocks.append((seconds, _EVENT.pack(user_data, 0, kind, 0, 0)))
        if not ready:
            shortest = min(seconds for seconds, _ in clocks)
            _sleep(machine, shortest)
            ready = [event for seconds, event in clocks if seconds <= shortest]
        machine.write(events, b"".join(ready))
        machine.write(found, struct.pack("<I", len(ready)))
        return 0

    return poll_oneoff


def _sleep(machine: Machine, seconds: float) -> None:
    """Sleep, but not beyond what the machine's owner allows. Raises as `Machine.check`."""
    end = time.monotonic() + seconds
    while (now := time.monotonic()) < end:
        machine.check()
        time.sleep(max(min(end, machine.deadline, now + _LONGEST_NAP) - now, 0))
