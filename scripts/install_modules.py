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
import re
import shlex
import sys
import tempfile
from pathlib import Path

__all__ = ["executable_text", "install", "main"]

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
    """Write the executable `target` for the plugin `source`; a host never sees it half written.

    Raises SyntaxError, with the lines of `source`, if that is no Python.
    """
    _write(target, _executable(source, python), 0o755)


def _executable(source: Path, python: str) -> bytes:
    text = source.read_text("utf-8")
    compile(text, source, "exec", dont_inherit=True)
    return executable_text(text, python).encode()


def _module(source: Path) -> bytes:
    """The module in `source`, assembled if that is text. Raises ImportError for text without wasmtime."""
    content = source.read_bytes()
    if source.suffix != ".wat":
        return content
    import wasmtime

    try:
        return bytes(wasmtime.wat2wasm(content.decode()))
    except wasmtime.WasmtimeError as error:
        reason, _, where = str(error).partition("\n")
        line = re.search(r":(\d+):\d+", where)
        raise SyntaxError(reason, (str(source), int(line[1]) if line else None, None, None)) from error


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


def _reason(source: Path, error: Exception) -> str:
    """`error` in one line, with the file that it is about, and the line in it."""
    if isinstance(error, SyntaxError):
        return f"{error.filename or source}{f':{error.lineno}' if error.lineno else ''}: {error.msg}"
    if isinstance(error, OSError):
        return f"{error.filename}: {(error.strerror or str(error)).lower()}"
    if isinstance(error, ImportError):
        return f"{source}: its text is assembled by wasmtime, which is not installed: pip install wasmtime"
    return f"{source}: {error}"


def main(arguments: list[str] | None = None) -> None:
    """Nothing is installed unless all of it can be. Exits with code 1, and one line that says why, if it cannot."""
    parser = argparse.ArgumentParser(description="Install plugins where hosts look for them.")
    parser.add_argument("files", metavar="FILE", nargs="*", help="plugins of your own (default: the six examples)")
    parser.add_argument(
        "--dir",
        default=os.environ.get("DEFAULT_PLUGIN_DIR") or DEFAULT_DIR,
        help=f"the directory to install into (default: $DEFAULT_PLUGIN_DIR, else {DEFAULT_DIR})",
    )
    parsed = parser.parse_args(arguments)
    directory = source = Path(parsed.dir).expanduser()
    own = [Path(file) for file in parsed.files]
    installed: list[tuple[str, Path, bytes, int]] = []
    try:
        for source in own or sorted(EXAMPLES.glob("[!_]*.py")):
            name = source.stem.replace("_", "-")
            if source.suffix in WASM_SUFFIXES:
                target = directory / f"{WASM_PREFIX}{name.removeprefix(WASM_PREFIX)}.wasm"
                installed.append((name, target, _module(source), 0o644))
            else:
                target = directory / ((PREFIX if own else EXAMPLES_PREFIX) + name.removeprefix(PREFIX))
                installed.append((name, target, _executable(source, sys.executable), 0o755))
        directory.mkdir(parents=True, exist_ok=True)
        for name, target, content, mode in installed:
            _write(target, content, mode)
            print(f"installing {name} -> {target}")
    except (OSError, ImportError, SyntaxError, ValueError) as error:  # ValueError: no UTF-8, or a null byte
        raise SystemExit(f"error: {_reason(source, error)}") from None


if __name__ == "__main__":
    main()
