"""Facts about the process and its machine: results inside results, and a JavaScript name of its own.

The keys of `runtime.snapshot()` are those of the same plugin in Go. `goVersion` is Python's version, `goos` and
`goarch` are in Go's spelling, and `executable.path` is the interpreter, which is what the process executes.
"""
from __future__ import annotations

import os
import platform
import sys
from datetime import UTC, datetime
from typing import Any

from jsbridge.sdk import Call, Module, serve_module

GOARCH = {"x86_64": "amd64", "AMD64": "amd64", "aarch64": "arm64", "ARM64": "arm64"}

module = Module(
    "plugin:examples:system-info",
    version="v1",
    doc="Describes the process that the plugin runs in",
    capabilities=["examples", "mixed-exports", "nested-results"],
)


@module.function
def hostname() -> str:
    """The name of the machine"""
    return platform.node()


@module.function(name="envSummary")
def env_summary(call: Call) -> dict[str, Any]:
    """The environment variables whose names begin with a prefix, GO if none is given"""
    prefix = call.string_default(0, "GO")
    values = {name: value for name, value in os.environ.items() if name.startswith(prefix)}
    return {"prefix": prefix, "count": len(values), "values": values}


runtime = module.object("runtime", doc="The interpreter and its process")


@runtime.method(tags=["runtime", "process"])
def snapshot() -> dict[str, Any]:
    """The interpreter, the machine and the process at this moment"""
    return {
        "goVersion": f"python{platform.python_version()}",
        "goos": platform.system().lower(),
        "goarch": GOARCH.get(platform.machine(), platform.machine()),
        "cpus": os.cpu_count(),
        "pid": os.getpid(),
        "cwd": os.getcwd(),
        "executable": {"path": sys.executable},
        "timestamp": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
    }


if __name__ == "__main__":
    serve_module(module)
