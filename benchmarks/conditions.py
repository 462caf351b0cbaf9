"""What the machine and the software were, for the document."""
from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Sequence
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
_WASM_MODULES = ("github.com/knqyf263/go-plugin", "github.com/tetratelabs/wazero")
_ROOT = Path(__file__).resolve().parent.parent


def conditions(bench: Bench) -> dict[str, str]:
    """By name, in the order of the document's table."""
    return {
        "command": "make bench",
        "machine": f"{_processor()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}",
        "load when it began": f"{os.getloadavg()[0]:.1f} processes, the mean of a minute",
        "Python": _run(bench.python, "-c", _VERSIONS, *_PACKAGES),
        "Go": ", ".join(
            [_run("go", "env", "GOVERSION").removeprefix("go"), *_required("benchmarks/go/go.mod", _MODULES)]
        ),
        "WebAssembly": ", ".join([_wasmtime(), *_required("tests/interop/guests/go.mod", _WASM_MODULES)]),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def _wasmtime() -> str:
    """That of this interpreter, which runs the hosts of WebAssembly."""
    try:
        return f"wasmtime {importlib.metadata.version('wasmtime')}"
    except importlib.metadata.PackageNotFoundError:
        return "no wasmtime"


def _required(go_mod: str, modules: Sequence[str]) -> list[str]:
    """The versions that a go.mod asks for."""
    lines = (_ROOT / go_mod).read_text("utf-8").split("\n")
    return [
        f"{module.partition('/')[2]} {line.split()[1]}"
        for module in modules
        for line in lines
        if line.strip().startswith(module + " ")
    ]
