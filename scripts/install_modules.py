"""Installs plugins where hosts look for them, as executables of the interpreter that runs this script.

Without arguments these are the six examples; files of one's own become `goja-plugin-NAME`, after the file, and those in
WebAssembly (`.wasm`, or its text format `.wat`) `goja-wasm-NAME.wasm`.

An installed plugin is a copy of the file behind a header for /bin/sh. A plain `#!/path/to/python` would not do: the
kernel cuts that line at 127 or 255 bytes and splits it at spaces, and it cannot say `-m goplugin run FILE`, which
keeps stray output of the plugin's imports off the handshake line. To Python the header is a string: the beginning of
the module's docstring, or its docstring if it has none, so the file stays valid Python.
"""
from __future__ import annotations

import argparse
import os
import shlex
import sys
import tempfile
from pathlib import Path

__all__ = ["executable_text", "install", "install_wasm", "main"]

EXAMPLES = Path(__file__).resolve().parent.parent / "examples" / "plugins"
DEFAULT_DIR = "~/.go-go-goja/plugins/examples"
PREFIX = "goja-plugin-"
EXAMPLES_PREFIX = PREFIX + "examples-"
WASM_PREFIX = "goja-wasm-"
WASM_SUFFIXES = (".wasm", ".wat")

# `-P` keeps the host's working directory, which the plugin inherits, from shadowing modules of the plugin.
HEADER = """\
#!/bin/sh
'''exec' {python} -P -m goplugin run "$0" "$@"
' '''"""


def executable_text(source: str, python: str) -> str:
    """The text of an executable that runs `source` under `python`.

    Raises SyntaxError if header and source do not make a valid module together.
    """
    joint = " \\\n" if source.startswith(("'", '"')) else "\n"
    text = HEADER.format(python=shlex.quote(python)) + joint + source
    compile(text, "<installed plugin>", "exec", dont_inherit=True)
    return text


def install(source: Path, target: Path, python: str) -> None:
    """Write the executable `target` for the plugin `source`; a host never sees it half written."""
    _write(target, executable_text(source.read_text("utf-8"), python).encode(), 0o755)


def install_wasm(source: Path, target: Path) -> None:
    """Write the module `target`, assembled if `source` is text. Raises ImportError for text without wasmtime."""
    content = source.read_bytes()
    if source.suffix == ".wat":
        import wasmtime

        content = bytes(wasmtime.wat2wasm(content.decode()))
    _write(target, content, 0o644)


def _write(target: Path, content: bytes, mode: int) -> None:
    descriptor, temporary = tempfile.mkstemp(prefix=f".{target.name}-", dir=target.parent)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
        os.chmod(temporary, mode)
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Install plugins where hosts look for them.")
    parser.add_argument("files", metavar="FILE", nargs="*", help="plugins of your own (default: the six examples)")
    parser.add_argument(
        "--dir",
        default=os.environ.get("DEFAULT_PLUGIN_DIR") or DEFAULT_DIR,
        help=f"the directory to install into (default: $DEFAULT_PLUGIN_DIR, else {DEFAULT_DIR})",
    )
    parsed = parser.parse_args(arguments)
    directory = Path(parsed.dir).expanduser()
    directory.mkdir(parents=True, exist_ok=True)
    own = [Path(file) for file in parsed.files]
    for source in own or sorted(EXAMPLES.glob("[!_]*.py")):
        name = source.stem.replace("_", "-")
        if source.suffix in WASM_SUFFIXES:
            file_name = f"{WASM_PREFIX}{name.removeprefix(WASM_PREFIX)}.wasm"
        else:
            file_name = (PREFIX if own else EXAMPLES_PREFIX) + name.removeprefix(PREFIX)
        print(f"installing {name} -> {directory / file_name}")
        if source.suffix in WASM_SUFFIXES:
            install_wasm(source, directory / file_name)
        else:
            install(source, directory / file_name, sys.executable)


if __name__ == "__main__":
    main()
