"""Status details: the messages that an error carries beside its text, as the octets of a google.rpc.Status.

    Status  code = 1, message = 2, details = 3 (Any, repeated)
    Any     type_url = 1, value = 2

Only errors with details need protobuf here; it is imported when the first one comes.
Source: google/rpc/status.proto and google/protobuf/any.proto.
"""
from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from .core.errors import RemoteProtocolError
from .core.protowire import BYTES, bytes_field, fields, uint_field

__all__ = ["decode_details", "encode_details"]

_TYPE_URL = "type.googleapis.com/"
_ANY = "google.protobuf.Any"


def encode_details(code: int, message: str, details: Iterable[Any]) -> bytes:
    """A google.rpc.Status with these protobuf messages. An Any is taken for what it contains."""
    packed: list[bytes] = []
    for detail in details:
        octets = cast("bytes", detail.SerializeToString())
        if detail.DESCRIPTOR.full_name != _ANY:
            type_url = f"{_TYPE_URL}{detail.DESCRIPTOR.full_name}"
            octets = bytes_field(1, type_url.encode()) + bytes_field(2, octets)
        packed.append(bytes_field(3, octets))
    return uint_field(1, code) + bytes_field(2, message.encode("utf-8", "replace")) + b"".join(packed)


def decode_details(data: bytes) -> tuple[Any, ...]:
    """The messages in a google.rpc.Status; one of a type that this program does not know stays an Any.

    Octets that are no such message have no details: the error that they came with matters more.
    """
    try:
        packed = [value for number, wire_type, value in fields(data) if (number, wire_type) == (3, BYTES)]
    except RemoteProtocolError:
        return ()
    return tuple(map(_unpack, cast("list[bytes]", packed))) if packed else ()


def _unpack(octets: bytes) -> Any:
    from google.protobuf.any_pb2 import Any as AnyMessage
    from google.protobuf.descriptor_pool import Default
    from google.protobuf.message import DecodeError
    from google.protobuf.message_factory import GetMessageClass

    container = AnyMessage()
    try:
        container.ParseFromString(octets)
        return GetMessageClass(Default().FindMessageTypeByName(container.TypeName())).FromString(container.value)
    except (DecodeError, KeyError):
        return container
