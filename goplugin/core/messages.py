"""The messages of the services that every plugin carries, on the wire codec.

Each is what protobuf's generated class would be, as far as a gRPC library asks: `SerializeToString` and `FromString`.
Field by field it does as proto3 says: defaults are not written, the last value of a field wins, numbers are cut to
their type's width, unknown fields and fields of another wire type are skipped (and not kept).
Every `FromString` raises RemoteProtocolError for bytes that are no message.
Source: proto/goplugin/_proto/*.proto, and grpc.health.v1 of the gRPC project.
"""
from __future__ import annotations

from typing import NamedTuple, cast

from .errors import RemoteProtocolError
from .protowire import BYTES, VARINT, bytes_field, decode_varint, encode_varint, fields, uint_field

__all__ = [
    "HEALTH_CHECK_PATH", "HEALTH_SERVICE_NAME", "HEALTH_WATCH_PATH", "PLUGIN_INFO_PATH", "SHUTDOWN_PATH",
    "START_STREAM_PATH", "STREAM_STDIO_PATH",
    "STDERR", "STDOUT",
    "ConnInfo", "Empty", "HealthCheckRequest", "HealthCheckResponse", "Knock", "PluginInfo", "StdioData",
]

HEALTH_CHECK_PATH = "/grpc.health.v1.Health/Check"
HEALTH_WATCH_PATH = "/grpc.health.v1.Health/Watch"
PLUGIN_INFO_PATH = "/goplugin.v1.PluginInfo/Get"
SHUTDOWN_PATH = "/plugin.GRPCController/Shutdown"
START_STREAM_PATH = "/plugin.GRPCBroker/StartStream"
STREAM_STDIO_PATH = "/plugin.GRPCStdio/StreamStdio"

HEALTH_SERVICE_NAME = "plugin"
"""The name hosts ask the health service about."""

STDOUT = 1
STDERR = 2

_CHANNEL_TAG = encode_varint(1 << 3 | VARINT)
_DATA_TAG = encode_varint(2 << 3 | BYTES)
_PLUGIN_REQUEST = b"\n\x06plugin"
_SERVING_RESPONSE = b"\x08\x01"


class Empty:
    """plugin.Empty, and google.protobuf.Empty and goplugin.v1.GetRequest, which look the same on the wire."""

    __slots__ = ()

    def SerializeToString(self) -> bytes:
        return b""

    @classmethod
    def FromString(cls, data: bytes) -> Empty:
        for _ in fields(data):
            pass  # fields of a later version
        return cls()


class StdioData(NamedTuple):
    """plugin.StdioData: a piece of what a plugin prints. `channel` is STDOUT, STDERR, or what a later version sends."""

    channel: int = 0
    data: bytes = b""

    def SerializeToString(self) -> bytes:
        channel, data = self
        head = _enum_field(1, channel)
        # From left to right, so that `data` is copied once.
        return head + _DATA_TAG + encode_varint(len(data)) + data if data else head

    @classmethod
    def FromString(cls, data: bytes) -> StdioData:
        # Every peer writes the two fields in this order and no others; the loop below costs three times as much.
        if data[:1] == _CHANNEL_TAG and data[2:3] == _DATA_TAG and data[1] < 128:
            size, start = decode_varint(data, 3)
            if start + size == len(data):
                return cls(data[1], data[start:])
        channel, content = 0, b""
        for number, wire_type, value in fields(data):
            if (number, wire_type) == (1, VARINT):
                channel = _int32(value)
            elif (number, wire_type) == (2, BYTES):
                content = cast("bytes", value)
        return cls(channel, content)


class Knock(NamedTuple):
    """plugin.ConnInfo.Knock: asks whether a multiplexed connection may be opened, or answers that (`ack`)."""

    knock: bool = False
    ack: bool = False
    error: str = ""

    def SerializeToString(self) -> bytes:
        return uint_field(1, self.knock) + uint_field(2, self.ack) + _string_field(3, self.error)

    @classmethod
    def FromString(cls, data: bytes) -> Knock:
        return cls().merged_with(data)

    def merged_with(self, data: bytes) -> Knock:
        """This message with the fields that `data` has."""
        knock, ack, error = self
        for number, wire_type, value in fields(data):
            if (number, wire_type) == (1, VARINT):
                knock = value != 0
            elif (number, wire_type) == (2, VARINT):
                ack = value != 0
            elif (number, wire_type) == (3, BYTES):
                error = _string(value)
        return Knock(knock, ack, error)


class ConnInfo(NamedTuple):
    """plugin.ConnInfo: where the brokered connection `service_id` is to be found; with `knock`, who asks for it."""

    service_id: int = 0
    network: str = ""
    address: str = ""
    knock: Knock | None = None

    def SerializeToString(self) -> bytes:
        data = uint_field(1, self.service_id) + _string_field(2, self.network) + _string_field(3, self.address)
        return data if self.knock is None else data + bytes_field(4, self.knock.SerializeToString())

    @classmethod
    def FromString(cls, data: bytes) -> ConnInfo:
        service_id, network, address, knock = 0, "", "", None
        for number, wire_type, value in fields(data):
            if (number, wire_type) == (1, VARINT):
                service_id = cast("int", value) & 0xFFFF_FFFF
            elif (number, wire_type) == (2, BYTES):
                network = _string(value)
            elif (number, wire_type) == (3, BYTES):
                address = _string(value)
            elif (number, wire_type) == (4, BYTES):
                # A message that comes twice is one message, each part adding to those before.
                knock = (knock or Knock()).merged_with(cast("bytes", value))
        return cls(service_id, network, address, knock)


class HealthCheckRequest(NamedTuple):
    """grpc.health.v1.HealthCheckRequest: the state of which service? The empty name means the whole server."""

    service: str = ""

    def SerializeToString(self) -> bytes:
        return _string_field(1, self.service)

    @classmethod
    def FromString(cls, data: bytes) -> HealthCheckRequest:
        if data == _PLUGIN_REQUEST:  # a ping, the one request that comes often
            return cls("plugin")
        service = ""
        for number, wire_type, value in fields(data):
            if (number, wire_type) == (1, BYTES):
                service = _string(value)
        return cls(service)


class HealthCheckResponse(NamedTuple):
    """grpc.health.v1.HealthCheckResponse; `status` is one of the four below, or what a later version sends."""

    status: int = 0

    UNKNOWN = 0
    SERVING = 1
    NOT_SERVING = 2
    SERVICE_UNKNOWN = 3

    def SerializeToString(self) -> bytes:
        return _enum_field(1, self.status)

    @classmethod
    def FromString(cls, data: bytes) -> HealthCheckResponse:
        if data == _SERVING_RESPONSE:  # a ping's answer
            return cls(cls.SERVING)
        status = 0
        for number, wire_type, value in fields(data):
            if (number, wire_type) == (1, VARINT):
                status = _int32(value)
        return cls(status)


class PluginInfo(NamedTuple):
    """goplugin.v1.GetResponse: the plugin's semantic version."""

    version: str = ""

    def SerializeToString(self) -> bytes:
        return _string_field(1, self.version)

    @classmethod
    def FromString(cls, data: bytes) -> PluginInfo:
        version = ""
        for number, wire_type, value in fields(data):
            if (number, wire_type) == (1, BYTES):
                version = _string(value)
        return cls(version)


def _enum_field(number: int, value: int) -> bytes:
    return uint_field(number, value & 0xFFFF_FFFF_FFFF_FFFF)  # negative numbers take all ten bytes


def _string_field(number: int, text: str) -> bytes:
    return bytes_field(number, text.encode()) if text else b""


def _int32(value: int | bytes) -> int:
    low = cast("int", value) & 0xFFFF_FFFF
    return low - (1 << 32) if low >> 31 else low


def _string(value: int | bytes) -> str:
    try:
        return cast("bytes", value).decode()
    except UnicodeDecodeError:
        raise RemoteProtocolError("protobuf: string field is not UTF-8") from None
