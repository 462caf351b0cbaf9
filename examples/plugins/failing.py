"""Errors on purpose: whatever a handler raises, JavaScript can catch."""
from __future__ import annotations

from typing import Any

from jsbridge.sdk import Call, Module, format_number, serve_module

module = Module(
    "plugin:examples:failing",
    version="v1",
    doc="Fails in several ways, to show what a caller sees",
    capabilities=["examples", "errors"],
)


@module.function
def always(call: Call) -> None:
    """Fail, for the reason given"""
    raise RuntimeError("always failed: " + call.string_default(0, "forced failure"))


@module.function
def sometimes(call: Call) -> dict[str, Any]:
    """Fail, but only in the mode named "fail" """
    mode = call.string_default(0, "ok")
    if mode == "fail":
        raise RuntimeError('sometimes failed because mode="fail"')
    return {"ok": True, "mode": mode}


checks = module.object("checks", doc="Methods that take only some values")


@checks.method(name="requirePositive", tags=["validation", "numbers"])
def require_positive(value: float) -> dict[str, Any]:
    """Refuse a number that is not above zero"""
    if value <= 0:
        raise ValueError(f"value must be positive, got {format_number(value)}")
    return {"value": value, "ok": True}


if __name__ == "__main__":
    serve_module(module)
