from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from pathlib import Path

from jsbridge._extension import IS_DUKTAPE, JSRuntimeError, package_directory


def test_the_extension_is_loaded_without_its_package() -> None:
    script = "import sys, jsbridge.engine; print(*{'dukpy', 'tarfile', 'urllib.request'} & sys.modules.keys())"

    assert subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout == "\n"


def test_the_extension_is_the_same_for_the_package() -> None:
    import dukpy

    assert dukpy.JSRuntimeError is JSRuntimeError
    assert dukpy.evaljs("dukpy.a + 1", a=1) == 2
    assert Path(package_directory()) == Path(dukpy.__file__).parent


def test_the_extension_says_which_engine_it_is() -> None:
    assert metadata.version("dukpy").startswith("0.5.") is IS_DUKTAPE
