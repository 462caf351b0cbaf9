"""The Go programs under go/: built once for each state of their sources, into the tree.

The build keeps all of Go's caches below .cache/go and takes from the machine the Go toolchain, and the module proxy
that its environment or `go env -w` names. Once built, the programs need neither Go nor the network.
"""
from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

__all__ = ["GoPeers", "GoUnavailableError", "build", "build_module", "go_environment"]

SOURCES = Path(__file__).parent / "go"
CACHE = Path(__file__).parents[2] / ".cache"
BIN = CACHE / "go" / "bin"


class GoPeers(NamedTuple):
    """The executables; each program's main.go says what it does."""

    jshost: Path
    jsplugin: Path
    kvhost: Path
    kvplugin: Path
    matrixhost: Path
    matrixplugin: Path
    probe: Path
    soakhost: Path
    yamuxpeer: Path


class GoUnavailableError(Exception):
    """There is no Go toolchain that can build the programs, or no module proxy; says which, in one line."""


def build() -> GoPeers:
    """Build what is not built yet. Raises GoUnavailableError, and CalledProcessError if the sources do not compile."""
    return GoPeers(*build_module(SOURCES, "./...", BIN, GoPeers._fields))


def build_module(sources: Path, packages: str, directory: Path, programs: Sequence[str]) -> list[Path]:
    """Build these packages of the module `sources` into `directory`, and return the executables. Raises as `build`."""
    built = [directory / program for program in programs]
    stamp = directory / "sources.sha256"
    digest = _digest(sources)
    if all(program.exists() for program in built) and stamp.exists() and stamp.read_text() == digest:
        return built
    go = shutil.which("go")
    if go is None:
        raise GoUnavailableError("there is no go command")
    environment = go_environment()
    download = subprocess.run([go, "mod", "download"], cwd=sources, env=environment, capture_output=True, text=True)
    if download.returncode != 0:
        raise GoUnavailableError("go mod download: " + download.stderr.strip().rpartition("\n")[2])
    directory.mkdir(parents=True, exist_ok=True)
    subprocess.run([go, "build", "-o", f"{directory}/", packages], cwd=sources, env=environment, check=True)
    stamp.write_text(digest)
    return built


def _digest(sources: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(path for path in sources.rglob("*") if path.name.startswith("go.") or path.suffix == ".go"):
        digest.update(f"{path.relative_to(sources)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def go_environment() -> dict[str, str]:
    """The machine's environment, without what would make two machines build differently or write outside the tree."""
    home_config = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    return {
        "GOENV": f"{home_config}/go/env",
        **os.environ,
        "XDG_CONFIG_HOME": str(CACHE / "config"),  # go counts its own runs there, whatever its telemetry mode
        "GOPATH": str(CACHE / "go"),
        "GOMODCACHE": str(CACHE / "go" / "mod"),
        "GOCACHE": str(CACHE / "go" / "build"),
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
        "CGO_ENABLED": "0",
        # -modcacherw: otherwise the module cache is read-only and the tree cannot be deleted.
        "GOFLAGS": "-mod=readonly -modcacherw -trimpath -buildvcs=false '-ldflags=-s -w'",
    }
