"""The real protoc with our generator behind it."""
from __future__ import annotations

import subprocess
import sys
from pathlib import Path

__all__ = ["protoc"]


def protoc(directory: Path, source: str, *options: str, name: str = "greet.proto") -> subprocess.CompletedProcess[str]:
    """Write `source` to `directory`/`name` and generate code for it into `directory`/out."""
    (directory / name).parent.mkdir(parents=True, exist_ok=True)
    (directory / name).write_text(source)
    out = directory / "out"
    out.mkdir(exist_ok=True)
    program = directory / "generator"   # the installed script's first line may be longer than the kernel takes
    program.write_text(f"#!/bin/sh\nexec '{sys.executable}' -m goplugin.wasm.codegen\n")
    program.chmod(0o755)
    command = [
        sys.executable, "-m", "grpc_tools.protoc", f"-I{directory}",
        f"--plugin=protoc-gen-goplugin-python={program}", f"--goplugin-python_out={out}",
        *(f"--goplugin-python_opt={option}" for option in options), name,
    ]
    return subprocess.run(command, capture_output=True, text=True, check=False)
