"""The gRPC status codes, with the names Go prints for them.

Source: the gRPC specification's statuscodes.md; the names are those of grpc-go's codes.Code.String.
"""
from __future__ import annotations

import enum

__all__ = ["Code"]


class Code(enum.IntEnum):
    """A gRPC status code. `Code(99)` gives UNKNOWN, as the specification asks of an unknown code."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16

    @classmethod
    def _missing_(cls, value: object) -> Code | None:
        return cls.UNKNOWN if isinstance(value, int) else None

    @property
    def go_name(self) -> str:
        """The name in Go's error texts: `DeadlineExceeded`, `OK`, and `Canceled` with one l."""
        if self is Code.OK:
            return "OK"
        if self is Code.CANCELLED:
            return "Canceled"
        return self.name.title().replace("_", "")
