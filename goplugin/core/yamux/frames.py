"""The frames of yamux, version 0: their layout, and how to write each one.

    +---------------+---------------+-------------------------------+
    |  Version (8)  |   Type (8)    |          Flags (16)           |
    +---------------+---------------+-------------------------------+
    |                        Stream Id (32)                         |
    +---------------------------------------------------------------+
    |                         Length (32)                           |
    +=+=============================================================+
    |          DATA only: payload (Length octets)                 ...
    +---------------------------------------------------------------+

What Length means is the type's business: the octets that follow DATA, the credit of WINDOW_UPDATE, the opaque value of
PING, the reason of GO_AWAY. The flags belong to the stream, and travel on whichever of its frames comes next.

Source: hashicorp/yamux, spec.md and const.go.
"""
from __future__ import annotations

from struct import Struct

__all__ = [
    "DATA", "GO_AWAY", "PING", "WINDOW_UPDATE",
    "ACK", "FIN", "RST", "SYN",
    "INTERNAL_ERROR", "NORMAL", "PROTOCOL_ERROR",
    "HEAD_SIZE", "INITIAL_WINDOW", "MAX_WORD", "VERSION",
    "data_head", "go_away", "ping", "unpack_head", "window_update",
]

DATA, WINDOW_UPDATE, PING, GO_AWAY = range(4)

SYN = 0x1       # opens a stream; on PING: a question
ACK = 0x2       # accepts a stream; on PING: the answer
FIN = 0x4       # this side sends no more
RST = 0x8       # the stream is over, in both directions

NORMAL, PROTOCOL_ERROR, INTERNAL_ERROR = range(3)

VERSION = 0
HEAD_SIZE = 12
INITIAL_WINDOW = 256 * 1024
MAX_WORD = 2**32 - 1

_pack_head = Struct(">BBHII").pack

unpack_head = Struct(">BBHII").unpack_from
"""The head of the frame at a position of a buffer: version, type, flags, stream id, length."""


def data_head(stream_id: int, length: int) -> bytes:
    """The head of a DATA frame; the payload goes out behind it as it is."""
    return _pack_head(VERSION, DATA, 0, stream_id, length)


def window_update(stream_id: int, flags: int, credit: int = 0) -> bytes:
    """Credit for the peer, or a flag that has no other frame to travel on."""
    return _pack_head(VERSION, WINDOW_UPDATE, flags, stream_id, credit)


def ping(flags: int, value: int) -> bytes:
    return _pack_head(VERSION, PING, flags, 0, value)


def go_away(reason: int) -> bytes:
    return _pack_head(VERSION, GO_AWAY, 0, 0, reason)
