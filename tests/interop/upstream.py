"""Upstream's own examples: hosts and plugins that come with the published go-plugin module.

upstream/go.mod names their packages and the module's version; they are built as `gopeers.py` says.
"""
from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from .gopeers import CACHE, build_module

__all__ = ["Example", "UpstreamExamples", "build_upstream"]

SOURCES = Path(__file__).parent / "upstream"
BIN = CACHE / "go" / "upstream"
PACKAGES = "github.com/hashicorp/go-plugin/examples"


class Example(NamedTuple):
    """The two executables of an example."""

    host: Path
    plugin: Path


class UpstreamExamples(NamedTuple):
    """The examples that speak gRPC, by the names that they have here."""

    kv: Example
    counter: Example
    streaming: Example
    negotiated: Example


def build_upstream() -> UpstreamExamples:
    """Build what is not built yet. Raises as `gopeers.build` does."""
    return UpstreamExamples(
        kv=_build("grpc", "plugin-go-grpc"),
        counter=_build("bidirectional", "plugin-go-grpc"),
        streaming=_build("streaming", "plugin"),
        negotiated=_build("negotiated", "plugin-go"),
    )


def _build(example: str, plugin: str) -> Example:
    # Each into a directory of its own: two of the plugins have the same name.
    return Example(*build_module(SOURCES, f"{PACKAGES}/{example}/...", BIN / example, [example, plugin]))
