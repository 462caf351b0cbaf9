"""Runs the tests in two processes side by side: a test waits more than it computes. Arguments go to both.

Not with a shell's `&`: what is started so ignores Ctrl-C for ever, and so would the programs that tests interrupt.
"""
from __future__ import annotations

import subprocess
import sys
import tempfile

__all__ = ["main"]

FIRST = ["tests/goplugin", "tests/fuzz"]
SECOND = [f"--ignore={path}" for path in FIRST]


def main(arguments: list[str]) -> int:
    """The exit code of the first half that fails. The second half's output follows the first one's."""
    command = [sys.executable, "-m", "pytest", *arguments]
    with tempfile.TemporaryFile() as output:
        second = subprocess.Popen([*command, *SECOND], stdout=output, stderr=subprocess.STDOUT)
        codes = [subprocess.call([*command, *FIRST]), second.wait()]
        output.seek(0)
        sys.stdout.write(output.read().decode("utf-8", "replace"))
    return next((code for code in codes if code), 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
