"""Python's half of `process`; what scripts see is in shim/test_process.py."""
from __future__ import annotations

import pytest

from jsbridge.script_process import ScriptExit, ScriptProcess


def test_an_exit_is_an_exception_with_its_code() -> None:
    with pytest.raises(ScriptExit) as caught:
        ScriptProcess().requests["exit"](3)

    assert caught.value.code == 3


def test_an_exit_code_counts_at_the_end() -> None:
    process = ScriptProcess()
    process.finish()

    process.requests["exitCode"](4)
    with pytest.raises(ScriptExit) as caught:
        process.finish()

    assert caught.value.code == 4


@pytest.mark.parametrize(
    ("machine", "architecture"), [("x86_64", "x64"), ("aarch64", "arm64"), ("arm64", "arm64"), ("riscv64", "riscv64")]
)
def test_the_architecture_is_in_nodes_words(monkeypatch: pytest.MonkeyPatch, machine: str, architecture: str) -> None:
    monkeypatch.setattr("platform.machine", lambda: machine)

    assert ScriptProcess().requests["about"]()["arch"] == architecture
