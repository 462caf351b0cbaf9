"""The binary format of WebAssembly, as far as it is read here: numbers, names and sections.

Source: the WebAssembly specification, binary format.
"""
from __future__ import annotations

from collections.abc import Iterator

__all__ = ["CUSTOM", "EXPORT", "FUNCTION", "IMPORT", "TYPE", "Reader", "sections"]

CUSTOM, TYPE, IMPORT, FUNCTION, EXPORT = 0, 1, 2, 3, 7      # what a section holds

_HEADER_SIZE = 8
_LAST_SHIFT = 28    # of the five bytes that a number of 32 bits may have


class Reader:
    """Goes through `data` from its start. All methods raise ValueError where it ends too early, or makes no sense."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    @property
    def at_end(self) -> bool:
        return self._position >= len(self._data)

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        start, self._position = self._position, self._position + size
        if self._position > len(self._data):
            raise ValueError(f"{size} bytes at {start} of {len(self._data)}")
        return self._data[start : self._position]

    def byte(self) -> int:
        return self.take(1)[0]

    def number(self) -> int:
        """An unsigned LEB128 of up to 32 bits."""
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            if shift == _LAST_SHIFT:
                raise ValueError("a number of more than five bytes")
            shift += 7

    def name(self) -> str:
        return self.take(self.number()).decode("utf-8", "replace")


def sections(module: bytes) -> Iterator[tuple[int, bytes]]:
    """The kind and the content of each. Raises as a Reader."""
    reader = Reader(module)
    reader.take(_HEADER_SIZE)
    while not reader.at_end:
        yield reader.byte(), reader.take(reader.number())
