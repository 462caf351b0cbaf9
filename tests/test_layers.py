"""Each layer imports alone, in a fresh interpreter, and pulls in nothing it does not need.

import-linter reads the import statements; this reads what is really loaded, packages of others included.
"""
from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import goplugin.core

SCRIPT = """
import sys
before = set(sys.modules)
{statements}
print(*sorted(set(sys.modules) - before))
"""
CORE = Path(goplugin.core.__file__).parent
SLOW_TO_IMPORT = {"anyio", "asyncio", "attr", "attrs", "google.protobuf", "grpclib", "inspect", "ssl"}


def modules_loaded_by(statements: str) -> set[str]:
    """The names of all modules that `statements` load, packages included, under warnings as errors."""
    command = [sys.executable, "-I", "-W", "error", "-c", SCRIPT.format(statements=statements)]
    return set(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split())


def test_core_needs_only_the_standard_library() -> None:
    paths = [path.relative_to(CORE.parent.parent).with_suffix("") for path in CORE.rglob("*.py")]
    modules = sorted(".".join(path.parts).removesuffix(".__init__") for path in paths)

    loaded = modules_loaded_by(f"import {', '.join(modules)}")

    assert {name.partition(".")[0] for name in loaded} - sys.stdlib_module_names == {"goplugin"}
    assert {name for name in loaded if name.startswith("goplugin.") and not name.startswith("goplugin.core")} == set()
    assert loaded & SLOW_TO_IMPORT == set()


@pytest.mark.parametrize(
    ("statements", "absent"),
    [
        ("import goplugin", {"dukpy", "jsbridge", "host", *SLOW_TO_IMPORT}),
        ("from goplugin import *", {"dukpy", "jsbridge", "host"}),
        ("import jsbridge.sdk", {"dukpy", "host", *SLOW_TO_IMPORT}),
        ("import jsbridge", {"dukpy", "host", *SLOW_TO_IMPORT}),
        ("from jsbridge import *", {"host"}),
        ("import host", set[str]()),
        ("import host.cli", set[str]()),
        (
            "import host.runtime, host.interrupts, jsbridge.engine, goplugin.sync.client",
            {"anyio", "asyncio", "google.protobuf", "grpclib", "ssl"},
        ),
    ],
)
def test_a_layer_imports_alone_and_without_the_layers_above_it(statements: str, absent: set[str]) -> None:
    assert {name for name in modules_loaded_by(statements) if absent & {name, name.partition(".")[0]}} == set()
