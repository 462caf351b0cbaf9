"""`python -m goplugin run [--debug] FILE [ARGUMENT...]`: start a plugin script with its stdout protected.

A host takes the first line of stdout for the handshake. A module that prints while it is imported would break it, so
descriptor 1 is moved away before the script's first line runs. What the script raises is logged, from there on.
With --debug nothing of that happens: there is no host yet, but a person, and a host that attaches later.
"""
from __future__ import annotations

import gc
import os
import sys

from .crashes import report_crashes_as_entries
from .stdio import protect_stdout

USAGE = "usage: python -m goplugin run [--debug] FILE [ARGUMENT...]"


def main(arguments: list[str]) -> None:
    """Run the script named by `arguments` as `__main__`; exits with code 2 and the usage if they name none."""
    debug = arguments[:2] == ["run", "--debug"]
    script = arguments[1 + debug :]
    if not script or arguments[0] != "run" or script[0].startswith("-"):
        sys.stderr.write(USAGE + "\n")
        raise SystemExit(2)
    path = script[0]
    if not os.path.isfile(path):
        sys.stderr.write(f"python -m goplugin run: no such file: {path}\n")
        raise SystemExit(2)
    if debug:
        from .serving import expect_no_host

        expect_no_host()
    else:
        protect_stdout()
        report_crashes_as_entries()
    # What is imported stays: looking for garbage after every few hundred objects is a thirtieth of a plugin's start.
    gc.set_threshold(10_000, *gc.get_threshold()[1:])
    sys.argv = script
    directory = os.path.dirname(os.path.realpath(path))
    if sys.flags.safe_path:  # -P: there is no working directory to take the place of
        sys.path.insert(0, directory)
    else:
        sys.path[0] = directory
    _run_as_main(path)


def _run_as_main(path: str) -> None:
    # What runpy.run_path does, without its import (8 ms of a plugin's start) and its second module object.
    import __main__

    with open(path, "rb") as file:
        code = compile(file.read(), path, "exec", dont_inherit=True)
    __main__.__file__ = path
    __main__.__spec__ = None
    __main__.__package__ = None
    exec(code, __main__.__dict__)


if __name__ == "__main__":
    main(sys.argv[1:])
