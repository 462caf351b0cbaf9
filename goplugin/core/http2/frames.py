"""The frames of HTTP/2: their layout, and how to write each one. RFC 9113 sections 4 and 6.

    +-----------------------------------------------+
    |                 Length (24)                   |
    +---------------+---------------+---------------+
    |   Type (8)    |   Flags (8)   |
    +-+-------------+---------------+-------------------------------+
    |R|                 Stream Identifier (31)                      |
    +=+=============================================================+
    |                   Payload (Length octets)                   ...
    +---------------------------------------------------------------+

Length and type together are one 32-bit word, so that one unpacking reads a frame's head as three numbers:
``word, flags, stream_id = unpack_head(data, position)``. No frame ever becomes an object.
"""
from __future__ import annotations

from collections.abc import Iterable
from struct import Struct

from .faults import PROTOCOL_ERROR, ConnectionFault

__all__ = [
    "CONTINUATION", "DATA", "GOAWAY", "HEADERS", "PING", "PRIORITY", "PUSH_PROMISE", "RST_STREAM", "SETTINGS",
    "WINDOW_UPDATE",
    "ACK", "END_HEADERS", "END_STREAM", "PADDED", "PRIORITY_FLAG",
    "DEFAULT_MAX_FRAME_SIZE", "DEFAULT_WINDOW", "HEAD_SIZE", "MAX_STREAM_ID", "MAX_WINDOW", "PREFACE",
    "pack_head", "unpack_head", "unpack_word", "unpad",
    "data_head", "goaway", "headers", "ping", "rst_stream", "settings", "settings_ack", "window_update",
]

DATA = 0x0
HEADERS = 0x1
PRIORITY = 0x2
RST_STREAM = 0x3
SETTINGS = 0x4
PUSH_PROMISE = 0x5
PING = 0x6
GOAWAY = 0x7
WINDOW_UPDATE = 0x8
CONTINUATION = 0x9

END_STREAM = 0x01           # DATA, HEADERS
ACK = 0x01                  # SETTINGS, PING
END_HEADERS = 0x04          # HEADERS, CONTINUATION
PADDED = 0x08               # DATA, HEADERS
PRIORITY_FLAG = 0x20        # HEADERS

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""What a client sends before its first frame (3.4)."""

HEAD_SIZE = 9
DEFAULT_MAX_FRAME_SIZE = 16_384
"""The payload a frame may have unless SETTINGS allow more. We never do: larger frames gain nothing here."""

DEFAULT_WINDOW = 65_535
MAX_WINDOW = MAX_STREAM_ID = 2**31 - 1

pack_head = Struct(">IBI").pack
"""The head of a frame from (length << 8 | type, flags, stream id)."""

unpack_head = Struct(">IBI").unpack_from
"""The head of the frame at a position of a buffer, as `pack_head` takes it; the reserved bit is still there."""

unpack_word = Struct(">I").unpack_from
_pack_setting = Struct(">HI").pack
_pack_word = Struct(">I").pack


def data_head(stream_id: int, length: int, flags: int) -> bytes:
    """The head of a DATA frame; the payload goes out behind it as it is."""
    return pack_head(length << 8, flags, stream_id)


def headers(stream_id: int, block: bytes, flags: int, max_frame_size: int) -> bytes:
    """A header block as HEADERS and as many CONTINUATION as it takes; `flags` is END_STREAM or 0."""
    if len(block) <= max_frame_size:
        return pack_head(len(block) << 8 | HEADERS, flags | END_HEADERS, stream_id) + block
    pieces = [pack_head(max_frame_size << 8 | HEADERS, flags, stream_id), block[:max_frame_size]]
    for start in range(max_frame_size, len(block), max_frame_size):
        piece = block[start : start + max_frame_size]
        last = END_HEADERS if start + max_frame_size >= len(block) else 0
        pieces += pack_head(len(piece) << 8 | CONTINUATION, last, stream_id), piece
    return b"".join(pieces)


def rst_stream(stream_id: int, error_code: int) -> bytes:
    return pack_head(4 << 8 | RST_STREAM, 0, stream_id) + _pack_word(error_code)


def settings(values: Iterable[tuple[int, int]]) -> bytes:
    """SETTINGS with these (parameter, value) pairs."""
    payload = b"".join(_pack_setting(parameter, value) for parameter, value in values)
    return pack_head(len(payload) << 8 | SETTINGS, 0, 0) + payload


def settings_ack() -> bytes:
    return pack_head(SETTINGS, ACK, 0)


def ping(payload: bytes, flags: int) -> bytes:
    """PING with these eight octets; `flags` is ACK for an answer and 0 for a question."""
    return pack_head(8 << 8 | PING, flags, 0) + payload


def goaway(last_stream_id: int, error_code: int, reason: bytes) -> bytes:
    return pack_head(8 + len(reason) << 8 | GOAWAY, 0, 0) + _pack_word(last_stream_id) + _pack_word(error_code) + reason


def window_update(stream_id: int, increment: int) -> bytes:
    """Credit for a stream, or for the whole connection if `stream_id` is 0."""
    return pack_head(4 << 8 | WINDOW_UPDATE, 0, stream_id) + _pack_word(increment)


def unpad(data: bytes, start: int, stop: int) -> tuple[int, int]:
    """Where the content of a padded payload lies. Raises ConnectionFault if the padding is longer than the payload."""
    if start == stop or data[start] >= stop - start:
        raise ConnectionFault(PROTOCOL_ERROR, "padding is longer than its frame")
    return start + 1, stop - data[start]
