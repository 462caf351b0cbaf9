"""Metadata: the header fields of a call that belong to the application. gRPC over HTTP/2, "Custom-Metadata".

Inside, metadata is an ordered tuple of (key, value) pairs; a key may come more than once. On the wire

    * a key ending in `-bin` has bytes as its value, sent as base64 without padding; several values may come joined by
      commas, and arrive here as several pairs;
    * any other key has printable ASCII text;
    * keys are lower case, and those of gRPC itself are not metadata and never seen here.

The pairs given for sending are checked, because what HTTP/2 calls malformed costs the peer's trust in the stream, and a
line break in a value would be somebody's way to smuggle a field in.
"""
from __future__ import annotations

import binascii
from collections.abc import Iterable

from ..errors import LocalProtocolError
from ..status import Code
from .faults import CallFault
from .hpack import FIELD_OVERHEAD, encode_field

__all__ = [
    "Metadata", "MetadataLike", "UNLIMITED", "decode_binary", "decode_metadata", "decode_timeout", "encode_binary",
    "encode_metadata", "encode_timeout",
]

Metadata = tuple[tuple[str, "str | bytes"], ...]
MetadataLike = Iterable[tuple[str, "str | bytes"]]

UNLIMITED = 2**32
"""As a limit of a header list: there is none."""

_RESERVED = frozenset((
    "connection", "content-type", "grpc-accept-encoding", "grpc-encoding", "grpc-message", "grpc-message-type",
    "grpc-status", "grpc-status-details-bin", "grpc-timeout", "host", "keep-alive", "proxy-connection", "te",
    "transfer-encoding", "upgrade", "user-agent",
))
_KEY_CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789_-."
_QUOTED = 80                                   # characters of a peer's value that an error text repeats
_LONGEST_TIMEOUT = 99_999_999                  # eight digits are what the grammar allows
# Unit -> how many make a second, or how many seconds make one.
_FRACTIONS = {"n": 10**9, "u": 10**6, "m": 10**3}
_MULTIPLES = {"S": 1, "M": 60, "H": 3600}


def encode_metadata(metadata: MetadataLike, max_list_size: int) -> bytes:
    """The pairs as a piece of a header block.

    Raises LocalProtocolError on a key or value that must not be sent, and if the fields exceed what the peer accepts.
    """
    pieces: list[bytes] = []
    size = 0
    for key, value in metadata:
        if not key or key.strip(_KEY_CHARACTERS) or key in _RESERVED:
            raise LocalProtocolError(f"metadata cannot have the key {key!r}")
        text = _encode_value(key, value)
        size += len(key) + len(text) + FIELD_OVERHEAD
        pieces.append(encode_field(key, text))
    if size > max_list_size:
        excess = size - max_list_size
        raise LocalProtocolError(f"the header list to send is {excess} octets larger than the peer accepts")
    return b"".join(pieces)


def _encode_value(key: str, value: str | bytes) -> str:
    if isinstance(value, bytes) and key.endswith("-bin"):
        return encode_binary(value)
    if not isinstance(value, str) or key.endswith("-bin"):
        raise LocalProtocolError(f"metadata {key!r}: keys ending in -bin take bytes, all others text")
    if not (value.isascii() and value.isprintable()) or value != value.strip(" "):
        raise LocalProtocolError(f"metadata {key!r}: {value!r} is not printable ASCII without spaces around it")
    return value


def encode_binary(value: bytes) -> str:
    """The value of a `-bin` field."""
    return binascii.b2a_base64(value, newline=False).rstrip(b"=").decode()


def decode_metadata(fields: Iterable[tuple[str, str]]) -> Metadata:
    """What of these fields belongs to the application. Raises CallFault if a `-bin` value is not base64."""
    pairs: list[tuple[str, str | bytes]] = []
    for key, value in fields:
        if key.startswith(":") or key in _RESERVED:
            continue
        if key.endswith("-bin"):
            pairs += [(key, decode_binary(key, piece)) for piece in value.split(",")]
        else:
            pairs.append((key, value))
    return tuple(pairs)


def decode_binary(key: str, value: str) -> bytes:
    """One value of the field `key`, padded or not. Raises CallFault if it is not base64."""
    value = value.strip(" ")
    try:
        return binascii.a2b_base64(value + "=" * (-len(value) % 4), strict_mode=True)
    except ValueError as error:
        raise CallFault(
            Code.INTERNAL, f"malformed binary metadata {value[:_QUOTED]!r} in header {key!r}: {error}", 400
        ) from None


def encode_timeout(seconds: float) -> str:
    """`grpc-timeout` for a call that has so long; in the finest unit that takes no more than eight digits, rounded up.

    A time that has passed already is sent as `0n`. Raises LocalProtocolError if it is no number.
    """
    if seconds != seconds:
        raise LocalProtocolError("a timeout has to be a number of seconds")
    if seconds * _FRACTIONS["m"] > _LONGEST_TIMEOUT:
        for unit, size in _MULTIPLES.items():
            if seconds <= _LONGEST_TIMEOUT * size:
                return f"{-int(-seconds // size)}{unit}"
        return f"{_LONGEST_TIMEOUT}H"
    nanoseconds = max(0, -int(-seconds * 10**9 // 1))
    unit = next(unit for unit, count in _FRACTIONS.items() if nanoseconds * count <= _LONGEST_TIMEOUT * 10**9)
    return f"{-(-nanoseconds * _FRACTIONS[unit] // 10**9)}{unit}"


def decode_timeout(value: str) -> float:
    """`grpc-timeout` in seconds. Raises CallFault if it is malformed."""
    digits, unit = value[:-1], value[-1:]
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 8):
        raise CallFault(Code.INTERNAL, f"malformed grpc-timeout: {value[:_QUOTED]!r}", 400)
    if unit in _FRACTIONS:
        return int(digits) / _FRACTIONS[unit]
    if unit in _MULTIPLES:
        return float(int(digits) * _MULTIPLES[unit])
    raise CallFault(Code.INTERNAL, f"malformed grpc-timeout: {value!r}", 400)
