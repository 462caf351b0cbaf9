"""The engine frees a guest's streams on a thread of its own, which must not come when the interpreter has ended."""
from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import sys, wasmtime
from goplugin.wasm import Module, WasmConfig
text = '''(module
  (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1))'''
module = Module.load(bytes(wasmtime.wat2wasm(text)), WasmConfig(cache_dir=""))
instances = [module.instantiate() for _ in range(20)]
if sys.argv[1] == "closed":
    for instance in instances:
        instance.close()
"""


@pytest.mark.parametrize("instances", ["closed", "left open"])
def test_a_process_ends_without_a_word_about_its_instances(instances: str) -> None:
    for _ in range(3):
        ended = subprocess.run(
            [sys.executable, "-c", PROGRAM, instances], capture_output=True, text=True, check=False, timeout=60
        )

        assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
