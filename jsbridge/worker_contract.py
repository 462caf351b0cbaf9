"""What a host and the worker process that runs its scripts say to each other.

One call, Converse, is one interpreter: a dialogue in which the two sides take turns, so that whoever has spoken waits.

    host                    worker
    RUN code, data  ->                      evaluate this; `data` is the global `dukpy`
                        <-  ASK name, data  the script calls `call_python(name, ...)`
    REPLY data      ->                      ... which returns this
                        <-  RESULT data     what the RUN came to
                        <-  THROWN text     ... or the error that it ended with

Instead of a REPLY the host may say RUN, because the answer to an ASK may evaluate code in the same interpreter: the
dialogue is a stack, as calls within one process are. `data` is JSON, and empty for undefined; it passes as it is.
Source: proto/jsbridge/_proto/jsworker.proto.
"""
from __future__ import annotations

from typing import cast

from goplugin.core.handshake import HandshakeConfig
from goplugin.core.http2.events import Value
from goplugin.core.protowire import BYTES, VARINT, bytes_field, fields, uint_field

__all__ = ["ASK", "CONVERSE_PATH", "DISPENSE_NAME", "HANDSHAKE", "REPLY", "RESULT", "RUN", "THROWN", "Turn"]

HANDSHAKE = HandshakeConfig(
    magic_cookie_key="GOPLUGIN_JS_WORKER",
    magic_cookie_value="interpreter",
    protocol_version=1,
)
"""Of this project's host and worker, which are of one version."""

DISPENSE_NAME = "interpreter"

CONVERSE_PATH = "/jsbridge.worker.v1.InterpreterService/Converse"

RUN, ASK, REPLY, RESULT, THROWN = range(1, 6)


class Turn(Value):
    """What one side says: one of the five kinds. `name` is the code, name or text that goes with it, in UTF-8."""

    __slots__ = ("data", "kind", "name")

    def __init__(self, kind: int, name: bytes = b"", data: bytes = b"") -> None:
        self.kind = kind
        self.name = name
        self.data = data

    def SerializeToString(self) -> bytes:
        name = bytes_field(2, self.name) if self.name else b""
        data = bytes_field(3, self.data) if self.data else b""
        return uint_field(1, self.kind) + name + data

    @classmethod
    def FromString(cls, message: bytes) -> Turn:
        """Raises RemoteProtocolError for bytes that are no message."""
        turn = cls(0)
        for number, wire_type, value in fields(message):
            if (number, wire_type) == (1, VARINT):
                turn.kind = cast("int", value)
            elif (number, wire_type) == (2, BYTES):
                turn.name = cast("bytes", value)
            elif (number, wire_type) == (3, BYTES):
                turn.data = cast("bytes", value)
        return turn
