"""Programs of others to judge an implementation by: gRPC's interoperability client and server, h2spec and grpcurl.

They are published Go packages; judges/go.mod names them with their versions, and they are built as `gopeers.py` says.
"""
from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from .gopeers import CACHE, build_module

__all__ = ["Judges", "build_judges"]

SOURCES = Path(__file__).parent / "judges"
BIN = CACHE / "go" / "judges"


class Judges(NamedTuple):
    """The executables.

    `client`, `server`: of google.golang.org/grpc/interop.
    `h2spec`: github.com/summerwind/h2spec.
    `grpcurl`: github.com/fullstorydev/grpcurl.
    """

    client: Path
    server: Path
    h2spec: Path
    grpcurl: Path


def build_judges() -> Judges:
    """Build what is not built yet. Raises as `gopeers.build` does."""
    return Judges(*build_module(SOURCES, "tool", BIN, Judges._fields))
