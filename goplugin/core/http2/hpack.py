"""Header compression, RFC 7541: a complete decoder, and an encoder that compresses nothing on purpose.

A header block is a list of fields, each one of

    1xxxxxxx                      indexed: name and value from a table
    01xxxxxx  [name] value        literal, and entered into the dynamic table
    001xxxxx                      the dynamic table has a new maximum size; only before the first field
    0000xxxx  [name] value        literal (0001xxxx: and never to be indexed by anybody)

where x is the index of the field or of its name; 0 means that the name follows. Indexes 1 to 61 are the static table,
62 and up the dynamic one, newest first.

What an index above 61 means depends on all blocks before, so a block must be decoded even if nobody wants it. A block
without such memory always means the same, and a call's block is nearly always one that has been seen before: that is
what `headers.py` makes its speed of. So a peer that uses its table is asked to keep it empty, which makes it send
blocks of that kind, and `encode_field` writes nothing else. A peer that keeps the table which it had before it heard of
that is wrong (RFC 9113 4.3.1) and does no harm: it is followed.
"""
from __future__ import annotations

from collections import deque

from ..status import Code
from . import huffman
from .faults import COMPRESSION_ERROR, CallFault, ConnectionFault

__all__ = ["DEFAULT_TABLE_SIZE", "DROP_TABLE", "FIELD_OVERHEAD", "STATIC_TABLE", "Decoder", "encode_field"]

DEFAULT_TABLE_SIZE = 4096
"""The size of the dynamic table until SETTINGS say otherwise."""

FIELD_OVERHEAD = 32
"""What a field counts beyond its octets, in tables (4.1) and in the size of a header list (RFC 9113 6.5.2)."""

DROP_TABLE = b"\x20"
"""At the head of a block: our dynamic table has size 0 from here on."""

STATIC_TABLE: tuple[tuple[str, str], ...] = (
    (":authority", ""), (":method", "GET"), (":method", "POST"), (":path", "/"), (":path", "/index.html"),
    (":scheme", "http"), (":scheme", "https"), (":status", "200"), (":status", "204"), (":status", "206"),
    (":status", "304"), (":status", "400"), (":status", "404"), (":status", "500"), ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"), ("accept-language", ""), ("accept-ranges", ""), ("accept", ""),
    ("access-control-allow-origin", ""), ("age", ""), ("allow", ""), ("authorization", ""), ("cache-control", ""),
    ("content-disposition", ""), ("content-encoding", ""), ("content-language", ""), ("content-length", ""),
    ("content-location", ""), ("content-range", ""), ("content-type", ""), ("cookie", ""), ("date", ""),
    ("etag", ""), ("expect", ""), ("expires", ""), ("from", ""), ("host", ""), ("if-match", ""),
    ("if-modified-since", ""), ("if-none-match", ""), ("if-range", ""), ("if-unmodified-since", ""),
    ("last-modified", ""), ("link", ""), ("location", ""), ("max-forwards", ""), ("proxy-authenticate", ""),
    ("proxy-authorization", ""), ("range", ""), ("referer", ""), ("refresh", ""), ("retry-after", ""),
    ("server", ""), ("set-cookie", ""), ("strict-transport-security", ""), ("transfer-encoding", ""),
    ("user-agent", ""), ("vary", ""), ("via", ""), ("www-authenticate", ""),
)
"""Appendix A; the first entry has index 1."""

_STATIC_COUNT = len(STATIC_TABLE)
_FIELD_INDEX: dict[tuple[str, str], int] = {field: index for index, field in reversed(list(enumerate(STATIC_TABLE, 1)))}
_NAME_INDEX: dict[str, int] = {name: index for index, (name, _) in reversed(list(enumerate(STATIC_TABLE, 1)))}
_MEMO_ENTRIES = 256
_MEMO_STRING = 256
_LONGEST_INTEGER = 4        # bytes behind the prefix: no length or index of use needs more than 28 bits


# --- encoding ----------------------------------------------------------------------------------------------------


def encode_field(name: str, value: str) -> bytes:
    """One field as a peer reads it without any memory: indexed if the static table has it, else a plain literal.

    Both are ASCII; whoever calls has made sure of that.
    """
    index = _FIELD_INDEX.get((name, value))
    if index:
        return bytes((0x80 | index,))
    index = _NAME_INDEX.get(name)
    head = _encode_integer(index, 0x0F) if index else b"\0" + _encode_string(name)
    return head + _encode_string(value)


def _encode_string(text: str) -> bytes:
    return _encode_integer(len(text), 0x7F) + text.encode("ascii")


def _encode_integer(value: int, mask: int) -> bytes:
    """`value` as section 5.1 writes it behind a prefix whose bits are `mask`; the bits above are zero."""
    if value < mask:
        return bytes((value,))
    out = bytearray((mask,))
    value -= mask
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


# --- decoding ----------------------------------------------------------------------------------------------------


class Decoder:
    """The reading end of one direction of a connection, with its dynamic table.

    `watched` is the name of the field that `span` is about.
    """

    def __init__(self, max_list_size: int, watched: str = "") -> None:
        self._max_list_size = max_list_size
        self._watched = watched
        self._table: deque[tuple[str, str]] = deque()
        self._table_size = 0
        self._capacity = self._limit = DEFAULT_TABLE_SIZE   # what the peer chose, and what it may choose
        self._memo: dict[bytes, str] = {}                   # Huffman-coded strings that came lately
        self.stateless = True
        """Whether the block decoded last is free of memory: the table was empty before and after it, and it did not
        begin with a new table size."""
        self.span: tuple[int, int] | None = None
        """Where in the block decoded last the watched field's value stands, if it was a literal without memory."""

    def limit_table(self, size: int) -> None:
        """The peer acknowledged that it may not choose a larger table than `size` any more."""
        self._limit = size

    def decode(self, block: bytes) -> list[tuple[str, str]]:
        """The fields of a whole block, in order; octets above 127 come as the characters of the same number.

        Raises ConnectionFault if it is malformed, and CallFault if the fields exceed the limit of a header list; the
        table has followed the whole block even then.
        """
        had_table = bool(self._table)
        self.span = None
        try:
            start = self._size_updates(block)
            fields, size = self._fields(block, start)
        except IndexError:
            raise ConnectionFault(COMPRESSION_ERROR, "HPACK: a header block ends inside a field") from None
        self.stateless = not (start or had_table or self._table)
        if size > self._max_list_size:
            raise CallFault(Code.INTERNAL, "peer header list size exceeded limit", 431)
        return fields

    def _size_updates(self, block: bytes) -> int:
        """Follow the table sizes at the head of the block; returns the position of the first field."""
        position = 0
        while position < len(block) and block[position] & 0xE0 == 0x20:
            size, position = _integer(block, position, 0x1F)
            if size > self._limit:
                raise ConnectionFault(COMPRESSION_ERROR, f"HPACK: a table of {size} octets is larger than allowed")
            self._capacity = size
            self._evict()
        return position

    def _fields(self, block: bytes, position: int) -> tuple[list[tuple[str, str]], int]:
        """The fields from `position` on, cut off where the list grows too long, and the size of the list."""
        fields: list[tuple[str, str]] = []
        size = 0
        end = len(block)
        while position < end:
            first = block[position]
            if first & 0x80:
                index, position = _integer(block, position, 0x7F)
                field = self._entry(index)
            elif first & 0xE0 == 0x20:
                raise ConnectionFault(COMPRESSION_ERROR, "HPACK: a table size behind a field")
            else:
                index, position = _integer(block, position, 0x3F if first & 0x40 else 0x0F)
                if index:
                    name = self._entry(index)[0]
                else:
                    name, position = self.string(block, position)
                value_at = position
                value, position = self.string(block, position)
                field = name, value
                if first & 0x40:
                    self._insert(field)
                elif name == self._watched:
                    self.span = value_at, position
            size += len(field[0]) + len(field[1]) + FIELD_OVERHEAD
            if size <= self._max_list_size:
                fields.append(field)
        return fields, size

    def _entry(self, index: int) -> tuple[str, str]:
        if 0 < index <= _STATIC_COUNT:
            return STATIC_TABLE[index - 1]
        if _STATIC_COUNT < index <= _STATIC_COUNT + len(self._table):
            return self._table[index - _STATIC_COUNT - 1]
        raise ConnectionFault(COMPRESSION_ERROR, f"HPACK: no field has index {index}")

    def string(self, block: bytes, position: int) -> tuple[str, int]:
        """The string literal at `position`, and the position behind it.

        Raises IndexError if the block ends before it does, and ConnectionFault if it is malformed.
        """
        coded = block[position] & 0x80
        length, position = _integer(block, position, 0x7F)
        end = position + length
        if end > len(block):
            raise IndexError
        raw = block[position:end]
        return self._unpack(raw) if coded else raw.decode("latin-1"), end

    def _unpack(self, raw: bytes) -> str:
        """Strings repeat where blocks do not (a deadline differs from call to call), so they are remembered."""
        text = self._memo.get(raw)
        if text is None:
            try:
                text = huffman.decode(raw).decode("latin-1")
            except huffman.HuffmanError as error:
                raise ConnectionFault(COMPRESSION_ERROR, f"HPACK: {error}") from None
            if len(raw) <= _MEMO_STRING:
                if len(self._memo) >= _MEMO_ENTRIES:
                    self._memo.clear()
                self._memo[raw] = text
        return text

    def _insert(self, field: tuple[str, str]) -> None:
        self._table.appendleft(field)
        self._table_size += len(field[0]) + len(field[1]) + FIELD_OVERHEAD
        self._evict()

    def _evict(self) -> None:
        while self._table_size > self._capacity:
            name, value = self._table.pop()
            self._table_size -= len(name) + len(value) + FIELD_OVERHEAD


def _integer(data: bytes, position: int, mask: int) -> tuple[int, int]:
    """The integer whose prefix is the bits `mask` of the byte at `position` (5.1), and the position behind it."""
    value = data[position] & mask
    position += 1
    if value < mask:
        return value, position
    for shift in range(0, 7 * _LONGEST_INTEGER, 7):
        byte = data[position]
        position += 1
        value += (byte & 127) << shift
        if byte < 128:
            return value, position
    raise ConnectionFault(COMPRESSION_ERROR, "HPACK: an integer is too long")
