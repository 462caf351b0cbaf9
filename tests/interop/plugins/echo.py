"""`plugin:echo` in Python: the twin of go/jsplugin, export for export."""
from __future__ import annotations

import logging
import os
import sys
import time

from goplugin import Code, RemoteError
from jsbridge.sdk import Call, Module, serve_module

module = Module("plugin:echo", version="v1")
log = logging.getLogger("echo")


@module.function
def ping(call: Call) -> object:
    return call.value(0) if len(call) else None


@module.function
def pid(call: Call) -> int:
    return os.getpid()


math = module.object("math")


@math.method
def add(call: Call) -> float:
    if len(call) != 2:
        raise ValueError("math.add expects 2 arguments")
    return call.number(0) + call.number(1)


@module.function
def fail(call: Call) -> None:
    raise ValueError(call.string(0))


@module.function
def status(call: Call) -> None:
    raise RemoteError(Code.NOT_FOUND, call.string(0))


@module.function
def sleep(call: Call) -> None:
    time.sleep(call.number(0) / 1000)


@module.function(name="print")
def print_both(call: Call) -> None:
    print(call.string(0), end="", flush=True)
    print(call.string(1), end="", flush=True, file=sys.stderr)


@module.function(name="log")
def log_message(call: Call) -> None:
    log.log(logging.getLevelNamesMapping()[call.string(0).upper()], "%s", call.string(1))


@module.function
def big(call: Call) -> str:
    return "x" * int(call.number(0))


@module.function
def env(call: Call) -> str | None:
    return os.environ.get(call.string(0))


@module.function
def crash(call: Call) -> None:
    os._exit(3)


if __name__ == "__main__":
    serve_module(module)
