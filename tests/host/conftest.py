"""The host's tests see no configuration but their own, and leave no process behind."""
from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from host.cli import main

from .outcome import Outcome, RunHost
from .plugins import add_echo, children


@pytest.fixture(autouse=True)
def no_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("GOPLUGIN_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GOPLUGIN_CONFIG", "")


@pytest.fixture(autouse=True)
def only_the_owner_writes() -> Iterator[None]:
    """A configuration that others may write is refused, and with a umask of 002 a group may write what a test makes."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture(autouse=True)
def no_process_is_left() -> Iterator[None]:
    before = children()
    yield
    assert children() == before


@pytest.fixture(scope="session")
def directory(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A directory with one good plugin."""
    path = tmp_path_factory.mktemp("plugins")
    add_echo(path, "echo", "plugin:echo")
    return str(path)


@pytest.fixture
def run(directory: str, capsys: pytest.CaptureFixture[str]) -> RunHost:
    def run(*argv: str) -> Outcome:
        code = main(["--plugin-dir", directory, *argv])
        return Outcome(code, *capsys.readouterr())

    return run
