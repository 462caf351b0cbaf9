"""What the suites share: installed example plugins, and their quiet ends."""
from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def plugin_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the six example plugins, installed as a user would install them."""
    directory = tmp_path_factory.mktemp("plugins")
    command = [sys.executable, str(ROOT / "scripts" / "install_modules.py"), "--dir", str(directory)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return directory
