from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support import requirement

EXAMPLES = Path(__file__).parents[2] / "examples" / "wasm"


@requirement("wa.call")
def test_the_greeter_by_hand_greets_whoever_is_named() -> None:
    names = ["Ada", "", "Ada Løvelace", "x" * 300, "y" * 70_000]

    result = subprocess.run(
        [sys.executable, EXAMPLES / "greeter" / "host.py", *names], capture_output=True, text=True, check=False
    )

    assert (result.returncode, result.stderr) == (1, result.stderr)
    assert result.stdout.splitlines() == [f"Hello, {name}!" for name in names[:4]]
    assert "the plugin has no memory for 70004 bytes" in result.stderr
