"""Messages on the wire codec: what protobuf's generated classes would read."""
from __future__ import annotations

from typing import Protocol

from goplugin.core.errors import LocalProtocolError, RemoteProtocolError
from goplugin.core.messages import ConnInfo, Empty, HealthCheckRequest, HealthCheckResponse, Knock, StdioData
from jsbridge.contract import InvokeRequest, InvokeResponse, ModuleManifest
from jsbridge.value_decoder import decode_value
from jsbridge.values import encode_value

from .script import Script


class Message(Protocol):
    def SerializeToString(self) -> bytes: ...

    @classmethod
    def FromString(cls, data: bytes) -> Message: ...


TYPES: list[type[Message]] = [
    StdioData, ConnInfo, Knock, HealthCheckRequest, HealthCheckResponse, Empty,
    InvokeRequest, InvokeResponse, ModuleManifest,
]


def messages(data: bytes) -> None:
    """A message that is accepted is itself again when it has been written and read."""
    script = Script(data)
    kind = script.choose(TYPES)
    try:
        found = kind.FromString(script.rest())
    except RemoteProtocolError as error:
        str(error).encode()
        return
    written = found.SerializeToString()
    assert kind.FromString(written).SerializeToString() == written


def values(data: bytes) -> None:
    """The same for google.protobuf.Value, which has a reader of its own."""
    try:
        value = decode_value(data)
    except RemoteProtocolError as error:
        str(error).encode()
        return
    try:
        written = encode_value(value)
    except LocalProtocolError:      # it nests more deeply than we send
        return
    assert encode_value(decode_value(written)) == written


_VALUES = [None, 1.5, "text", True, [1.0, 2.0, "x"], {"a": [None, {"b": False}], "c": float("inf")}]

SEEDS = {
    "messages": [
        bytes((number,)) + each.SerializeToString()
        for number, each in [
            (0, StdioData(1, b"out")),
            (1, ConnInfo(7, "unix", "/tmp/x", Knock(True, True, "no"))),
            (3, HealthCheckRequest("plugin")),
            (4, HealthCheckResponse(-1)),
            (6, InvokeRequest("greet", "", tuple(_VALUES))),
            (7, InvokeResponse(_VALUES)),
        ]
    ] + [b"\x05\x08\x01", b"\x00\x12\xff\xff\xff\xff\x0f"],
    "values": [encode_value(value) for value in _VALUES] + [b"\x32\x00\x32\x04\x0a\x02\x20\x01", b"\x2a\x02\x0a\x00"],
}
