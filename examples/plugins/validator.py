"""Arguments looked at one by one: optional ones, and errors that say what is wrong with them."""
from __future__ import annotations

from typing import Any

from jsbridge.sdk import Call, Module, serve_module

module = Module(
    "plugin:examples:validator",
    version="v1",
    doc="Checks what it is called with, with the helpers of a Call",
    capabilities=["examples", "call-helpers", "validation"],
)


@module.function
def greet(call: Call) -> str:
    """Greet by name; loudly if the second argument is true"""
    name = call.string_default(0, "world")
    if len(call) > 1 and call.boolean(1):
        return "hello, " + "".join(min(letter.upper(), letter.title(), letter, key=len) for letter in name) + "!"
    return "hello, " + name


@module.function
def grade(call: Call) -> dict[str, Any]:
    """Say whether a score passes: from 0.5 on, or from 0.8 on if the second argument asks to be strict"""
    score = call.number(0)
    strict = len(call) > 1 and call.boolean(1)
    return {"score": score, "strict": strict, "passing": score >= (0.8 if strict else 0.5)}


profiles = module.object("profiles", doc="Checks of objects and lists")


@profiles.method(tags=["validation", "profiles"])
def check(call: Call) -> dict[str, Any]:
    """Check a profile, which needs a name, and count its tags"""
    name = call.map(0).get("name")
    name = name.strip() if isinstance(name, str) else ""
    if not name:
        raise ValueError("profile.name must be a non-empty string")
    tags = call.slice(1)
    return {"name": name, "tagCount": len(tags), "hasAdmin": "admin" in tags, "validated": True}


if __name__ == "__main__":
    serve_module(module)
