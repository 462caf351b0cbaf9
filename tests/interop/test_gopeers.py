"""How the Go programs come to be, and what is said where they cannot."""
from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from . import gopeers


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gopeers, "CACHE", tmp_path)
    monkeypatch.setattr(gopeers, "BIN", tmp_path / "bin")


@pytest.mark.usefixtures("empty_cache")
def test_without_a_go_command_the_reason_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")

    with pytest.raises(gopeers.GoUnavailableError, match=r"^there is no go command$"):
        gopeers.build()


@pytest.mark.skipif(shutil.which("go") is None, reason="there is no go command")
@pytest.mark.usefixtures("empty_cache")
def test_without_a_module_proxy_the_reason_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOPROXY", "off")

    with pytest.raises(gopeers.GoUnavailableError, match=r"^go mod download: .*module lookup disabled") as caught:
        gopeers.build()
    assert "\n" not in str(caught.value)


@pytest.mark.go
def test_what_is_built_needs_neither_go_nor_the_network(go: gopeers.GoPeers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")

    assert gopeers.build() == go
