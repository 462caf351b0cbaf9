"""A plugin process: `python -m benchmarks.plugin_process STACK`."""
from __future__ import annotations

import sys

from . import stacks

if __name__ == "__main__":
    stacks.load(sys.argv[1]).serve()
