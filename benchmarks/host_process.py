"""A host process: `python -m benchmarks.host_process STACK PLUGIN [ARGUMENT...]`, the twin of go/benchhost.

It launches the plugin, and does what its stdin says: one JSON object per line, `op` with the operation's arguments, and
one answering line per command. The first line answers the launch.
"""
from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, TextIO

from . import stacks
from .hosts import Host

__all__ = ["main"]


def main(stack: str, command: Sequence[str]) -> None:
    commands, answers = _take_standard_streams()

    def answer(action: Callable[[], Any]) -> None:
        try:
            reply = {"ok": True, "result": action()}
        except Exception as error:  # noqa: BLE001 - the border of the process: the other side prints it
            reply = {"ok": False, "error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(reply) + "\n")
        answers.flush()

    hosts: list[Host] = []

    def launch() -> dict[str, int]:
        hosts.append(stacks.load(stack).host(command))
        return {"plugin_pid": hosts[0].plugin_pid}

    answer(launch)
    for line in commands if hosts else ():
        arguments = json.loads(line)
        operation = arguments.pop("op")
        answer(lambda operation=operation, arguments=arguments: getattr(hosts[0], operation)(**arguments))
    for host in hosts:
        host.close()


def _take_standard_streams() -> tuple[TextIO, TextIO]:
    """Both streams of the commands; what a library or a plugin does with descriptors 0 and 1 goes nowhere near them."""
    commands, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return commands, answers


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
