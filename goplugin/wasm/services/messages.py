"""The messages of the ready-made services, on the wire format.

Source: proto/goplugin/wasm/v1.
"""
from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ...core.protowire import BYTES, bytes_field, fields, uint_field

__all__ = ["MODULE", "HttpGetRequest", "HttpGetResponse", "LogRequest", "timestamp"]

MODULE = "goplugin"
"""Where the services' annotations say that plugins look for them."""


class LogRequest(NamedTuple):
    """An entry for the log."""

    message: str
    level: str
    fields: Mapping[str, str]

    @classmethod
    def FromString(cls, data: bytes) -> LogRequest:
        """Raises RemoteProtocolError for bytes that are no message."""
        texts, entries = _read(data, map_field=3)
        return cls(_text(texts.get(1, b"")), _text(texts.get(2, b"")), entries)


class HttpGetRequest(NamedTuple):
    """What to fetch."""

    url: str
    headers: Mapping[str, str]

    @classmethod
    def FromString(cls, data: bytes) -> HttpGetRequest:
        """Raises RemoteProtocolError for bytes that are no message."""
        texts, entries = _read(data, map_field=2)
        return cls(_text(texts.get(1, b"")), entries)


class HttpGetResponse(NamedTuple):
    """What came of it: an answer, or `error`."""

    response: bytes = b""
    status: int = 0
    headers: Mapping[str, str] = {}
    error: str = ""

    def SerializeToString(self) -> bytes:
        pairs = [_text_field(1, name) + _text_field(2, value) for name, value in self.headers.items()]
        return b"".join((
            bytes_field(1, self.response) if self.response else b"",
            uint_field(2, self.status),
            *(bytes_field(3, pair) for pair in pairs),
            _text_field(4, self.error),
        ))


def timestamp(nanoseconds: int) -> bytes:
    """A google.protobuf.Timestamp; before 1970 its seconds are negative, its nanoseconds never."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return uint_field(1, seconds & 0xFFFF_FFFF_FFFF_FFFF) + uint_field(2, rest)


def _read(data: bytes, *, map_field: int) -> tuple[dict[int, bytes], dict[str, str]]:
    """The fields that are texts, and the entries of the one that is a map from text to text."""
    texts: dict[int, bytes] = {}
    entries: dict[str, str] = {}
    for number, wire_type, value in fields(data):
        if wire_type != BYTES or not isinstance(value, bytes):
            continue
        if number == map_field:
            pair, _ = _read(value, map_field=0)
            entries[_text(pair.get(1, b""))] = _text(pair.get(2, b""))
        else:
            texts[number] = value
    return texts, entries


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _text_field(number: int, text: str) -> bytes:
    return bytes_field(number, text.encode("utf-8", "replace")) if text else b""
