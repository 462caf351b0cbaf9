"""Installs the example plugins where hosts look for them, as executables of the interpreter that runs this script.

An installed plugin is a copy of the example behind a header for /bin/sh. A plain `#!/path/to/python` would not do: the
kernel cuts that line at 127 or 255 bytes and splits it at spaces, and it cannot say `-m goplugin run FILE`, which
keeps stray output of the plugin's imports off the handshake line. To Python the header is the beginning of the
module's docstring, so the file stays valid Python.
"""
from __future__ import annotations

import argparse
import os
import shlex
import sys
import tempfile
from pathlib import Path

__all__ = ["executable_text", "install", "main"]

EXAMPLES = Path(__file__).resolve().parent.parent / "examples" / "plugins"
DEFAULT_DIR = "~/.go-go-goja/plugins/examples"
PREFIX = "goja-plugin-examples-"

# `-P` keeps the host's working directory, which the plugin inherits, from shadowing modules of the plugin.
HEADER = """\
#!/bin/sh
'''exec' {python} -P -m goplugin run "$0" "$@"
' ''' \\
"""


def executable_text(source: str, python: str) -> str:
    """The text of an executable that runs `source`, which must begin with its docstring, under `python`.

    Raises SyntaxError if header and source do not make a valid module together.
    """
    text = HEADER.format(python=shlex.quote(python)) + source
    compile(text, "<installed example>", "exec", dont_inherit=True)
    return text


def install(source: Path, target: Path, python: str) -> None:
    """Write the executable `target` for the example `source`; a host never sees it half written."""
    text = executable_text(source.read_text("utf-8"), python)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{target.name}-", dir=target.parent)
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(temporary, 0o755)
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Install the example plugins.")
    parser.add_argument(
        "--dir",
        default=os.environ.get("DEFAULT_PLUGIN_DIR") or DEFAULT_DIR,
        help=f"the directory to install into (default: $DEFAULT_PLUGIN_DIR, else {DEFAULT_DIR})",
    )
    directory = Path(parser.parse_args(arguments).dir).expanduser()
    directory.mkdir(parents=True, exist_ok=True)
    for source in sorted(EXAMPLES.glob("[!_]*.py")):
        name = source.stem.replace("_", "-")
        target = directory / (PREFIX + name)
        print(f"installing {name} -> {target}")
        install(source, target, sys.executable)


if __name__ == "__main__":
    main()
