"""What the tests against Go programs share."""
from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import pytest

from . import gopeers
from .driver import JSHost
from .judges import Judges, build_judges
from .upstream import UpstreamExamples, build_upstream
from .wasm_guests import WasmGuests, build_guests

ROOT = Path(__file__).parents[2]

T = TypeVar("T")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first of these tests waits for Go's downloads and compiler: that shall not count as its own time."""
    for item in items:
        if item.get_closest_marker("go"):
            item.add_marker(pytest.mark.timeout(func_only=True))


@pytest.fixture(scope="session")
def go() -> gopeers.GoPeers:
    """Our Go programs. Skips the test where they cannot be built, or fails it if REQUIRE_GO=1."""
    return _built(gopeers.build)


@pytest.fixture(scope="session")
def judges() -> Judges:
    """The Go programs of others, under the same conditions."""
    return _built(build_judges)


@pytest.fixture(scope="session")
def upstream() -> UpstreamExamples:
    """The examples of the go-plugin module, likewise."""
    return _built(build_upstream)


@pytest.fixture(scope="session")
def guests() -> WasmGuests:
    """Plugins as WebAssembly, and a host for them, likewise."""
    return _built(build_guests)


def _built(build: Callable[[], T]) -> T:
    try:
        return build()
    except gopeers.GoUnavailableError as error:
        reason = str(error)
    if os.environ.get("REQUIRE_GO") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture
def private_tmpdir() -> Iterator[dict[str, str]]:
    """The environment that gives processes a temporary directory of their own: some Go plugins leave their sockets."""
    with tempfile.TemporaryDirectory(prefix="go-") as directory:
        yield {"TMPDIR": directory}


@pytest.fixture(scope="module")
def host(go: gopeers.GoPeers, command: Sequence[str | Path]) -> Iterator[JSHost]:
    """A Go host with the plugin that the test module's fixture `command` names, shared by the module's tests."""
    with JSHost(go.jshost, *command) as host:
        yield host


@pytest.fixture(scope="session")
def installed_modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the six example plugins as executables, `goja-plugin-examples-<name>`."""
    directory = tmp_path_factory.mktemp("modules")
    script = ROOT / "scripts" / "install_modules.py"
    subprocess.run([sys.executable, str(script), "--dir", str(directory)], check=True, stdout=subprocess.DEVNULL)
    return directory
