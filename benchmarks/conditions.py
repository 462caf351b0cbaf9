"""What the machine and the software were, for the document."""
from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

from .workers import Bench

__all__ = ["conditions"]

_VERSIONS = """
import importlib.metadata, platform, sys
packages = [f"{name} {importlib.metadata.version(name)}" for name in sys.argv[1:]]
print(", ".join([f"{platform.python_implementation()} {platform.python_version()}", *packages]))
"""

_PACKAGES = ("grpclib", "h2", "protobuf", "uvloop", "grpcio", "pyvider-rpcplugin", "dukpy")
_MODULES = ("github.com/hashicorp/go-plugin", "google.golang.org/grpc", "google.golang.org/protobuf")


def conditions(bench: Bench) -> dict[str, str]:
    """By name, in the order of the document's table."""
    return {
        "command": "make bench",
        "machine": f"{_processor()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}",
        "load when it began": f"{os.getloadavg()[0]:.1f} processes, the mean of a minute",
        "Python": _run(bench.python, "-c", _VERSIONS, *_PACKAGES),
        "Go": _go(),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def _go() -> str:
    requirements = (Path(__file__).parent / "go" / "go.mod").read_text().split("\n")
    versions = [
        f"{module.rpartition('/')[2]} {line.split()[1]}"
        for module in _MODULES
        for line in requirements
        if line.strip().startswith(module + " ")
    ]
    return ", ".join([_run("go", "env", "GOVERSION").removeprefix("go"), *versions])
