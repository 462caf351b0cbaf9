"""gRPC messages inside DATA frames. gRPC over HTTP/2, "Length-Prefixed-Message".

    +---------------+-------------------------------+----------------
    | Compressed(8) |          Length (32)          |  Message ...
    +---------------+-------------------------------+----------------

Frames do not care where messages begin: one frame may hold many messages, and one message many frames. Only the
identity encoding is spoken, so Compressed is 0.
"""
from __future__ import annotations

from io import BytesIO
from struct import Struct

from ..errors import LocalProtocolError
from ..status import Code
from .faults import CallFault

__all__ = [
    "MESSAGE_HEAD_SIZE", "PREFIX_SIZE", "MessageReader",
    "check_message", "pack_message_head", "pack_prefix", "unpack_message_head",
]

PREFIX_SIZE = 5
_LONGEST = 2**32 - 1

pack_prefix = Struct(">BI").pack
"""The prefix of a message from (compressed, length)."""

# The common case: one DATA frame holds one message. Its head and the message's prefix are read and written together,
# as (frame length << 8 | DATA, flags, stream id, compressed, message length).
_message_head = Struct(">IBIBI")
pack_message_head = _message_head.pack
unpack_message_head = _message_head.unpack_from
MESSAGE_HEAD_SIZE = _message_head.size
_unpack_prefix = Struct(">BI").unpack_from


def check_message(message: bytes) -> None:
    """Raise LocalProtocolError if the prefix has no room for the message's length."""
    if len(message) > _LONGEST:
        raise LocalProtocolError(f"a gRPC message of {len(message)} octets is not possible")


class MessageReader:
    """Cuts one direction of a stream into messages.

    An unfinished message grows in one buffer as its octets come, and leaves it without a copy: pages of memory that are
    touched for the first time are what a large message costs most. A length that is only claimed takes no memory.
    """

    __slots__ = ("_encoding", "_limit", "_missing", "_prefix", "_server", "_unfinished")

    def __init__(self, limit: int, encoding: str, *, server: bool) -> None:
        self._limit = limit
        self._encoding = encoding       # the peer's grpc-encoding, "" if it sent none
        self._server = server
        self._prefix = b""              # an incomplete prefix
        self._unfinished: BytesIO | None = None
        self._missing: int = 0          # octets of the unfinished message that have not come yet

    @property
    def unfinished(self) -> bool:
        """Whether the stream may not end here."""
        return bool(self._prefix) or self._unfinished is not None

    def receive(self, data: bytes, start: int, stop: int) -> list[bytes]:
        """The messages that `data[start:stop]` completes.

        Raises CallFault if a message is compressed or too long.
        """
        messages: list[bytes] = []
        if self._unfinished is not None:
            end = min(stop, start + self._missing)
            self._missing -= self._unfinished.write(memoryview(data)[start:end])
            if self._missing:
                return messages
            messages.append(self._unfinished.getvalue())
            self._unfinished = None
            start = end
        elif self._prefix:
            data, start, stop = self._prefix + data[start:stop], 0, len(self._prefix) + stop - start
            self._prefix = b""
        while stop - start >= PREFIX_SIZE:
            compressed, length = _unpack_prefix(data, start)
            if compressed or length > self._limit:
                self._refuse(compressed, length)
            start += PREFIX_SIZE
            if stop - start < length:
                self._unfinished = BytesIO()
                self._missing = length - self._unfinished.write(memoryview(data)[start:stop])
                return messages
            messages.append(data[start : start + length])
            start += length
        self._prefix = data[start:stop]
        return messages

    def _refuse(self, compressed: int, length: int) -> None:
        """Raise what grpc-go answers; the code depends on who is to blame."""
        if not compressed:
            raise CallFault(
                Code.RESOURCE_EXHAUSTED, f"grpc: received message larger than max ({length} vs. {self._limit})"
            )
        if compressed != 1:
            raise CallFault(Code.INTERNAL, f"grpc: received unexpected payload format {compressed}")
        if self._encoding in ("", "identity"):
            raise CallFault(Code.INTERNAL, "grpc: compressed flag set with identity or empty encoding")
        raise CallFault(
            Code.UNIMPLEMENTED if self._server else Code.INTERNAL,
            f'grpc: Decompressor is not installed for grpc-encoding "{self._encoding}"',
        )
