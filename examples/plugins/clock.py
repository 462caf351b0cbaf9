"""The time of day, taken apart: results with a structure, and one name at two places."""
from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from jsbridge.sdk import Call, Module, serve_module

module = Module(
    "plugin:examples:clock",
    version="v1",
    doc="Tells the time in all its parts",
    capabilities=["examples", "metadata", "structured-results"],
)


def snapshot(moment: datetime, nanosecond: int) -> dict[str, Any]:
    return {
        "unix": int(moment.timestamp()),
        "rfc3339": moment.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "date": f"{moment:%Y-%m-%d}",
        "time": f"{moment:%H:%M:%S}",
        "zone": moment.tzname(),
        "weekday": f"{moment:%A}",
        "nanosecond": nanosecond,
    }


def utc_time() -> tuple[datetime, int]:
    """The time in UTC to the second, and the nanoseconds beyond, which a datetime cannot hold."""
    seconds, nanosecond = divmod(time.time_ns(), 1_000_000_000)
    return datetime.fromtimestamp(seconds, UTC), nanosecond


@module.function
def now(call: Call) -> dict[str, Any]:
    """The time where the plugin runs, in its parts"""
    moment, nanosecond = utc_time()
    return snapshot(moment.astimezone(), nanosecond)


utc = module.object("utc", doc="The same for Greenwich")


@utc.method(name="now", tags=["time", "utc"])
def utc_now(call: Call) -> dict[str, Any]:
    """The time in UTC, in its parts"""
    return snapshot(*utc_time())


if __name__ == "__main__":
    serve_module(module)
