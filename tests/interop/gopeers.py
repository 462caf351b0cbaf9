"""The Go programs under go/: built once for each state of their sources, into the tree.

The build keeps all of Go's caches below .cache/go and takes from the machine the Go toolchain, and the module proxy
that its environment or `go env -w` names. Once built, the programs need neither Go nor the network.
"""
from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

__all__ = ["GoPeers", "GoUnavailableError", "build"]

SOURCES = Path(__file__).parent / "go"
CACHE = Path(__file__).parents[2] / ".cache"
BIN = CACHE / "go" / "bin"


class GoPeers(NamedTuple):
    """The executables; each program's main.go says what it does."""

    jshost: Path
    jsplugin: Path
    kvhost: Path
    kvplugin: Path


class GoUnavailableError(Exception):
    """There is no Go toolchain that can build the programs, or no module proxy; says which, in one line."""


def build() -> GoPeers:
    """Build what is not built yet. Raises GoUnavailableError, and CalledProcessError if the sources do not compile."""
    peers = GoPeers(*(BIN / program for program in GoPeers._fields))
    stamp = BIN / "sources.sha256"
    digest = _digest()
    if all(peer.exists() for peer in peers) and stamp.exists() and stamp.read_text() == digest:
        return peers
    go = shutil.which("go")
    if go is None:
        raise GoUnavailableError("there is no go command")
    environment = _environment()
    download = subprocess.run([go, "mod", "download"], cwd=SOURCES, env=environment, capture_output=True, text=True)
    if download.returncode != 0:
        raise GoUnavailableError("go mod download: " + download.stderr.strip().rpartition("\n")[2])
    BIN.mkdir(parents=True, exist_ok=True)
    subprocess.run([go, "build", "-o", f"{BIN}/", "./..."], cwd=SOURCES, env=environment, check=True)
    stamp.write_text(digest)
    return peers


def _digest() -> str:
    digest = hashlib.sha256()
    for path in sorted(path for path in SOURCES.rglob("*") if path.name.startswith("go.") or path.suffix == ".go"):
        digest.update(f"{path.relative_to(SOURCES)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _environment() -> dict[str, str]:
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
