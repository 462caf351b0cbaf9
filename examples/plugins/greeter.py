"""Texts for a name: a first plugin, with a function and two objects."""
from __future__ import annotations

import os

from jsbridge.sdk import Call, Module, serve_module

module = Module(
    "plugin:examples:greeter",
    version="v1",
    doc="Greets people: a first plugin to read and to try",
    capabilities=["examples", "strings"],
)


@module.function
def greet(call: Call) -> str:
    """Greet whoever is named, or else the world"""
    return "hello, " + call.string_default(0, "world")


strings = module.object("strings", doc="What can be done to a text")


@strings.method(tags=["strings", "uppercase"])
def upper(call: Call) -> str:
    """Put a text in capitals"""
    # Letter by letter, as Go does it: "straße" becomes "STRAßE", since no single letter is the capital of ß.
    return "".join(min(letter.upper(), letter.title(), letter, key=len) for letter in call.string_default(0, ""))


@strings.method
def lower(call: Call) -> str:
    return "".join(letter.lower()[0] for letter in call.string_default(0, ""))


meta = module.object("meta", doc="What can be said about the plugin itself")


@meta.method
def pid(call: Call) -> int:
    return os.getpid()


if __name__ == "__main__":
    serve_module(module)
