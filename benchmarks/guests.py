"""What the WebAssembly suites run: the modules and the Go host that the tests build, from the same sources.

Our half of the guests' messages is generated for each comparison; only examples have theirs in the tree.
"""
from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from tests.interop.gopeers import GoUnavailableError
from tests.interop.wasm_guests import GUESTS, WasmGuests, build_guests

__all__ = ["Guests", "GuestsUnavailableError", "prepare_guests"]

_PROTOS = ("everything/everything.proto", "words/words.proto")


class GuestsUnavailableError(Exception):
    """There is no Go toolchain, or no module proxy; says which."""


class Guests(NamedTuple):
    """`generated` is a directory to import everything.everything_plugin from."""

    built: WasmGuests
    generated: str


def prepare_guests(directory: str) -> Guests:
    """Build what is not built yet, and generate code below `directory`. Raises GuestsUnavailableError."""
    try:
        built = build_guests()
    except GoUnavailableError as error:
        raise GuestsUnavailableError(str(error)) from error
    generated = Path(directory) / "generated"
    generated.mkdir()
    generator = Path(directory) / "generator"   # the installed script's first line may be longer than the kernel takes
    generator.write_text(f"#!/bin/sh\nexec '{sys.executable}' -m goplugin.wasm.codegen\n")
    generator.chmod(0o755)
    command = [
        sys.executable, "-m", "grpc_tools.protoc", f"-I{GUESTS}", f"--plugin=protoc-gen-goplugin-python={generator}",
        f"--goplugin-python_out={generated}", *_PROTOS,
    ]
    subprocess.run(command, check=True)
    return Guests(built, str(generated))
