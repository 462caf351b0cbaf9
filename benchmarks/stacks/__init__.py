"""The stacks that are compared: one module for each, which says how its plugin serves and how its host calls.

A module has one of these, or both:

    serve()          the main function of a plugin process: serves bench.proto's service on a unix socket
    host(command)    launches the plugin that `command` names, connects, and returns a Host (see ../hosts.py)

Rule 1: the same messages, made by protobuf's generated classes, and the same work on every stack.
Rule 2: a stack's own library launches the plugin and serves it, if it can do that; ../launch.py does it for the rest.
Rule 3: host and plugin are processes of their own, with nothing else in them.

A name may end in `+uvloop`: the same stack on another event loop. A host's may end in `+tls` or `+mux`: certificates on
both sides, or one connection for everything; its `host` takes ClientConfig's words for them then. `+public` is for
goplugin_wasm: no more of the engine than its documented API.
"""
from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from ..hosts import Host

__all__ = ["Stack", "load"]

_CLIENT_OPTIONS = {"tls": "auto_mtls", "mux": "multiplex", "public": "public_api"}


class Stack(Protocol):
    """A module of this package."""

    serve: Callable[[], None]
    host: Callable[[Sequence[str]], Host]


class _StackWithOptions:
    def __init__(self, stack: Stack, options: Sequence[str]) -> None:
        if hasattr(stack, "serve"):
            self.serve = stack.serve
        self.host = functools.partial(stack.host, **{_CLIENT_OPTIONS[option]: True for option in options})


def load(name: str) -> Stack:
    """The stack of that name. Raises ImportError if it, or what it stands for, is not installed."""
    module, *options = name.split("+")
    if "uvloop" in options:
        options.remove("uvloop")
        from ._uvloop import install

        install()
    stack = cast("Stack", importlib.import_module(f".{module}", __name__))
    return _StackWithOptions(stack, options) if options else stack
