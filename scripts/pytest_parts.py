"""Runs the tests in three processes side by side: a test waits more than it computes. Arguments go to all of them.

Not with a shell's `&`: what is started so ignores Ctrl-C for ever, and so would the programs that tests interrupt.
"""
from __future__ import annotations

import subprocess
import sys
import tempfile

__all__ = ["main"]

PARTS = (["tests/goplugin", "tests/fuzz"], ["tests/interop"])
REST = [f"--ignore={path}" for part in PARTS for path in part]


def main(arguments: list[str]) -> int:
    """The exit code of the first part that fails. Only the first writes as it goes; the others' output follows."""
    command = [sys.executable, "-m", "pytest", *arguments]
    first, *others = PARTS
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as more_output:
        files = (output, more_output)
        started = [
            subprocess.Popen([*command, *part], stdout=file, stderr=subprocess.STDOUT)
            for part, file in zip((*others, REST), files, strict=True)
        ]
        codes = [subprocess.call([*command, *first]), *(each.wait() for each in started)]
        for file in files:
            file.seek(0)
            sys.stdout.write(file.read().decode("utf-8", "replace"))
    return next((code for code in codes if code), 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
