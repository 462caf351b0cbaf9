"""Loads a greeter from a .wasm file, or assembles the one in greeter.wat, and has people greeted.

    python examples/wasm/greeter/host.py [FILE.wasm] [NAME...]
"""
from __future__ import annotations

import sys
from pathlib import Path

import wasmtime
from greet_pb2 import GreetRequest
from greet_plugin import GreeterPlugin


def main(arguments: list[str]) -> None:
    if arguments and arguments[0].endswith(".wasm"):
        source, names = Path(arguments[0]).read_bytes(), arguments[1:]
    else:
        text = Path(__file__).with_name("greeter.wat").read_text("utf-8")
        source, names = bytes(wasmtime.wat2wasm(text)), arguments
    with GreeterPlugin.load(source) as greeter:
        for name in names or ["World"]:
            print(greeter.SayHello(GreetRequest(name=name)).message)


if __name__ == "__main__":
    main(sys.argv[1:])
