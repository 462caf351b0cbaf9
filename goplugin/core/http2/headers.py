"""From header blocks to what they mean: the rules for fields, and the memory of blocks that came before.

The header block of a call to one method is nearly always the same octets, so the reader keeps what a block meant, keyed
by its octets. Rule: this is done only for blocks that mean the same whatever came before them. A block is remembered
if the dynamic table is empty before and after it and it does not begin with a new table size; all is forgotten as soon
as one comes that breaks this. So while anything is remembered, the table is empty.

One field is different in every call that has a deadline: grpc-timeout. So the reader also keeps the octets before and
behind its value, if that is a literal. A block that has the same ones there is the same field by field but for that
value, which is then all that has to be decoded.

The rules for fields are those of RFC 9113 8.2 and 8.3. A block that breaks them is malformed, which costs its stream.
"""
from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeVar

from .faults import PROTOCOL_ERROR, CallFault, ConnectionFault, StreamFault
from .hpack import Decoder

__all__ = ["BlockCache", "Fields", "HeaderReader", "OpenBlock", "split_fields"]

Fields = list[tuple[str, str]]
Parsed = TypeVar("Parsed")

_CACHE_ENTRIES = 128
_CACHE_BLOCK = 1024
_CACHE_PATTERNS = 32
_NAME_CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789-_.!#$%&'*+^`|~"
_CONNECTION_FIELDS = frozenset(("connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"))


class OpenBlock:
    """A header block whose last frame has not come yet; `flags` are those of its HEADERS."""

    __slots__ = ("flags", "pieces", "size", "stream_id")

    def __init__(self, stream_id: int, flags: int, piece: bytes) -> None:
        self.stream_id = stream_id
        self.flags = flags
        self.pieces = [piece]
        self.size = len(piece)


class BlockCache(Generic[Parsed]):
    """What blocks of one kind meant: `known` by their octets, and `parse` for those that are new.

    A block for which `parse` raises or returns None is new every time. `vary` gives what a block would mean if the
    value of its watched field were another; `patterns` has, by the octets before that value, what a block meant and
    the octets behind; `lengths` are those of its keys.
    """

    __slots__ = ("known", "lengths", "parse", "patterns", "vary")

    def __init__(self, parse: Callable[[Fields], Parsed], vary: Callable[[Parsed, str], Parsed] | None) -> None:
        self.parse = parse
        self.vary = vary
        self.known: dict[bytes, Parsed] = {}
        self.patterns: dict[bytes, tuple[Parsed, bytes]] = {}
        self.lengths: set[int] = set()

    def remember(self, block: bytes, parsed: Parsed, span: tuple[int, int] | None) -> None:
        """`block` means `parsed`, and has the value of its watched field at `span`."""
        if len(self.known) >= _CACHE_ENTRIES:
            self.known.clear()
        self.known[block] = parsed
        if span is not None:
            if len(self.patterns) >= _CACHE_PATTERNS:
                self.forget_patterns()
            self.patterns[block[: span[0]]] = parsed, block[span[1] :]
            self.lengths.add(span[0])

    def forget(self) -> None:
        self.known.clear()
        self.forget_patterns()

    def forget_patterns(self) -> None:
        self.patterns.clear()
        self.lengths.clear()


class HeaderReader:
    """The reading end of a connection's header blocks."""

    def __init__(self, max_list_size: int, watched: str = "") -> None:
        self._decoder = Decoder(max_list_size, watched)
        self._memories: list[Callable[[], None]] = []       # how to empty each cache

    def cache(
        self, parse: Callable[[Fields], Parsed], vary: Callable[[Parsed, str], Parsed] | None = None
    ) -> BlockCache[Parsed]:
        """A cache for blocks that `parse` understands, kept right from now on."""
        cache = BlockCache(parse, vary)
        self._memories.append(cache.forget)
        return cache

    def read(self, block: bytes, cache: BlockCache[Parsed]) -> Parsed:
        """The meaning of a whole block.

        Raises ConnectionFault if it cannot be decoded, CallFault if it is too long, and whatever `cache.parse` does.
        """
        known = cache.known.get(block) or self.recall(block, cache)
        if known is not None:
            return known
        parsed = cache.parse(self._decode(block))
        if self._decoder.stateless and len(block) <= _CACHE_BLOCK:
            cache.remember(block, parsed, self._decoder.span if cache.vary is not None else None)
        return parsed

    def recall(self, block: bytes, cache: BlockCache[Parsed]) -> Parsed | None:
        """The meaning of a block that is like a known one in all but the value of its watched field, else None."""
        for length in cache.lengths:
            pattern = cache.patterns.get(block[:length])
            if pattern is not None and cache.vary is not None:
                try:
                    value, end = self._decoder.string(block, length)
                    if block[end:] == pattern[1]:
                        return cache.vary(pattern[0], value)
                except (IndexError, ConnectionFault, CallFault):
                    return None     # to be read again, and refused, in the general way
        return None

    def skip(self, block: bytes) -> None:
        """Read a block that nobody wants, because the dynamic table has to follow it all the same."""
        with suppress(CallFault):       # too long, and there is no call that it could end
            self._decode(block)

    @property
    def stateless(self) -> bool:
        """Whether the block decoded last is free of memory."""
        return self._decoder.stateless

    def limit_table(self, size: int) -> None:
        """The peer has acknowledged this HEADER_TABLE_SIZE."""
        self._decoder.limit_table(size)

    def _decode(self, block: bytes) -> Fields:
        try:
            return self._decoder.decode(block)
        finally:
            if not self._decoder.stateless:
                self._forget()

    def _forget(self) -> None:
        for forget in self._memories:
            forget()


def split_fields(fields: Fields, pseudo_names: frozenset[str]) -> tuple[dict[str, str], Fields]:
    """The pseudo-header fields by name, and the other fields in order.

    Raises StreamFault if a field is malformed, or a pseudo-header field is not one of `pseudo_names`, comes twice, or
    comes behind the others.
    """
    pseudo: dict[str, str] = {}
    regular: Fields = []
    for name, value in fields:
        if "\n" in value or "\r" in value or "\0" in value or value != value.strip(" \t"):
            raise StreamFault(PROTOCOL_ERROR, f"malformed value of header field {name!r}")
        if name.startswith(":"):
            if name not in pseudo_names or name in pseudo or regular:
                raise StreamFault(PROTOCOL_ERROR, f"misplaced pseudo-header field {name!r}")
            pseudo[name] = value
            continue
        if not name or name.strip(_NAME_CHARACTERS):
            raise StreamFault(PROTOCOL_ERROR, f"malformed header field name {name!r}")
        if name in _CONNECTION_FIELDS or (name == "te" and value != "trailers"):
            raise StreamFault(PROTOCOL_ERROR, f"header field {name!r} has no place in HTTP/2")
        regular.append((name, value))
    return pseudo, regular
