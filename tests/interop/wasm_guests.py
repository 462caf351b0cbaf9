"""Plugins as WebAssembly, and a host for them, in Go: our sources, on the published github.com/knqyf263/go-plugin.

Upstream's generator writes the rest of them from .proto files, in the test run: a copy of guests/ in .cache/go is where
its output goes and where the programs are built. guests/go.mod names the versions.
"""
from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from .gopeers import CACHE, GoUnavailableError, build_module, go_environment

__all__ = ["GREETER", "GUESTS", "WasmGuests", "build_guests"]

_ROOT = Path(__file__).parents[2]
GUESTS = Path(__file__).parent / "guests"
GREETER = _ROOT / "examples" / "wasm" / "greeter"
_JSGREETER = _ROOT / "examples" / "wasm" / "jsgreeter"
_JSMODULE = _ROOT / "proto" / "jsbridge" / "_proto" / "jsmodule.proto"
_BUILD = CACHE / "go" / "guests"
_COPIES = {
    "greeting": GREETER / "greet.proto",
    "greeter": GREETER / "main.go",
    "jsmodule": _JSMODULE,
    "jsgreeter": _JSGREETER / "main.go",
}
"""By package of the module `guests`: its source, where that is not in guests/."""
_PROTOS = ("everything/everything.proto", "words/words.proto", "greeting/greet.proto", "jsmodule/jsmodule.proto")
_OPTIONS = "paths=source_relative,Mjsmodule/jsmodule.proto=guests/jsmodule;jsmodule"


class WasmGuests(NamedTuple):
    """`everything`, `greeter` and `jsgreeter` are modules, `host` is an executable; their sources say what they do."""

    everything: Path
    greeter: Path
    jsgreeter: Path
    host: Path


def build_guests() -> WasmGuests:
    """Build what is not built yet. Raises as `gopeers.build` does."""
    source = _BUILD / "source"
    built = WasmGuests(
        _BUILD / "everything.wasm", _BUILD / "greeter.wasm", _BUILD / "goja-wasm-examples-greeter.wasm", _BUILD / "host"
    )
    stamp = _BUILD / "sources.sha256"
    digest = _digest()
    if all(path.exists() for path in built) and stamp.exists() and stamp.read_text() == digest:
        return built
    (generator,) = build_module(GUESTS, "tool", CACHE / "go" / "wasm-tool", ["protoc-gen-go-plugin"])
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(GUESTS, source)
    for package, path in _COPIES.items():
        (source / package).mkdir()
        shutil.copy(path, source / package)
    for proto in _PROTOS:
        command = [
            sys.executable, "-m", "grpc_tools.protoc", f"-I{source}", f"--plugin=protoc-gen-go-plugin={generator}",
            f"--go-plugin_out={source}", f"--go-plugin_opt={_OPTIONS}", proto,
        ]
        subprocess.run(command, check=True)
    for_wasm = {"GOOS": "wasip1", "GOARCH": "wasm"}
    _go_build(source, "./plugin", built.everything, "-buildmode=c-shared", **for_wasm)
    _go_build(source, "./greeter", built.greeter, "-buildmode=c-shared", **for_wasm)
    _go_build(source, "./jsgreeter", built.jsgreeter, "-buildmode=c-shared", **for_wasm)
    _go_build(source, "./host", built.host)
    stamp.write_text(digest)
    return built


def _go_build(source: Path, package: str, output: Path, *options: str, **environment: str) -> None:
    go = shutil.which("go")
    if go is None:
        raise GoUnavailableError("there is no go command")
    command = [go, "build", *options, "-o", str(output), package]
    subprocess.run(command, cwd=source, env={**os.environ, **go_environment(), **environment}, check=True)


def _digest() -> str:
    digest = hashlib.sha256()
    sources = [path for path in GUESTS.rglob("*") if path.suffix in (".go", ".mod", ".proto")]
    for path in sorted([*sources, *_COPIES.values()]):
        digest.update(f"{path.name}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()
