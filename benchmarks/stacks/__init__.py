"""The stacks that are compared: one module for each, which says how its plugin serves and how its host calls.

A module has one of these, or both:

    serve()          the main function of a plugin process: serves bench.proto's service on a unix socket
    host(command)    launches the plugin that `command` names, connects, and returns a Host (see ../hosts.py)

Rule 1: the same messages, made by protobuf's generated classes, and the same work on every stack.
Rule 2: a stack's own library launches the plugin and serves it, if it can do that; ../launch.py does it for the rest.
Rule 3: host and plugin are processes of their own, with nothing else in them.

A name may end in `+uvloop`: the same stack on another event loop.
"""
from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from ..hosts import Host

__all__ = ["Stack", "load"]


class Stack(Protocol):
    """A module of this package."""

    def serve(self) -> None: ...

    def host(self, command: Sequence[str]) -> Host: ...


def load(name: str) -> Stack:
    """The stack of that name. Raises ImportError if it, or what it stands for, is not installed."""
    module, _, option = name.partition("+")
    if option == "uvloop":
        from ._uvloop import install

        install()
    elif option:
        raise ImportError(f"no host of {module} can do this yet: {option}")
    return cast("Stack", importlib.import_module(f".{module}", __name__))
