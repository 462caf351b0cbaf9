"""A JavaScript module written with this project's SDK. It serves another contract than the rest of the stacks.

The file is installed as a plugin author would install it (scripts/install_modules.py), so it imports the SDK only.
"""
from __future__ import annotations

import os

from jsbridge.sdk import Call, Module, serve_module

__all__ = ["MODULE", "TEXT", "serve"]

MODULE = "plugin:bench:echo"

TEXT = "x" * 40
"""The argument that makes the request a message of 50 bytes."""

module = Module(MODULE, version="v1")


@module.function
def echo(call: Call) -> str:
    return call.string(0)


@module.function
def pid(call: Call) -> int:
    return os.getpid()


def serve() -> None:
    serve_module(module)


if __name__ == "__main__":
    serve()
