"""The string literals of HPACK, unpacked: RFC 7541 section 5.2 and appendix B.

The code is canonical: codes of one length are consecutive numbers, given to the symbols in ascending order, and the
first code of a length follows from the last one of the length before. So the 257 codes of the appendix are described
by the symbols of each length alone. There is no encoder: what we announce is sent as it is, which costs a few bytes
and saves the time (`hpack.py` has the reasons).
"""
from __future__ import annotations

__all__ = ["HuffmanError", "decode"]

# Length in bits -> the symbols with a code of that length, ascending. EOS, the 257th symbol, has the last code of all.
_SYMBOLS: dict[int, bytes] = {
    5: b"012aceiost",
    6: b" %-./3456789=A_bdfghlmnpru",
    7: b":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz",
    8: b"&*,;XZ",
    10: b"!\"()?",
    11: b"'+|",
    12: b"#>",
    13: b"\0$@[]~",
    14: b"^}",
    15: b"<`{",
    19: b"\\\xc3\xd0",
    20: b"\x80\x82\x83\xa2\xb8\xc2\xe0\xe2",
    21: b"\x99\xa1\xa7\xac\xb0\xb1\xb3\xd1\xd8\xd9\xe3\xe5\xe6",
    22: b"\x81\x84\x85\x86\x88\x92\x9a\x9c\xa0\xa3\xa4\xa9\xaa\xad\xb2\xb5\xb9\xba\xbb\xbd\xbe\xc4\xc6\xe4\xe8\xe9",
    23: b"\x01\x87\x89\x8a\x8b\x8c\x8d\x8f\x93\x95\x96\x97\x98\x9b\x9d\x9e\xa5\xa6\xa8\xae\xaf\xb4\xb6\xb7\xbc\xbf"
        b"\xc5\xe7\xef",
    24: b"\x09\x8e\x90\x91\x94\x9f\xab\xce\xd7\xe1\xec\xed",
    25: b"\xc7\xcf\xea\xeb",
    26: b"\xc0\xc1\xc8\xc9\xca\xcd\xd2\xd5\xda\xdb\xee\xf0\xf2\xf3\xff",
    27: b"\xcb\xcc\xd3\xd4\xd6\xdd\xde\xdf\xf1\xf4\xf5\xf6\xf7\xf8\xfa\xfb\xfc\xfd\xfe",
    28: b"\x02\x03\x04\x05\x06\x07\x08\x0b\x0c\x0e\x0f\x10\x11\x12\x13\x14\x15\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f"
        b"\x7f\xdc\xf9",
    30: b"\x0a\x0d\x16",
}
_LONGEST = 30
_EOS = (1 << _LONGEST) - 1


class HuffmanError(ValueError):
    """No sequence of codes, followed by less than a byte of ones."""


def _tables() -> tuple[list[tuple[int, int] | None], list[tuple[int, int, bytes]]]:
    """What the next eight bits mean: (symbol, length), or None for a longer code; and the runs of the longer codes.

    A run is (length, first code, symbols), shortest first.
    """
    short: list[tuple[int, int] | None] = []
    runs: list[tuple[int, int, bytes]] = []
    code = previous = 0
    for length, symbols in _SYMBOLS.items():
        code <<= length - previous
        previous = length
        if length > 8:
            runs.append((length, code, symbols))
        else:
            for symbol in symbols:
                short += [(symbol, length)] * (1 << 8 - length)
        code += len(symbols)
    short += [None] * (256 - len(short))
    return short, runs


_SHORT, _RUNS = _tables()


def decode(data: bytes) -> bytes:
    """The octets that `data` stands for.

    Raises HuffmanError if the last code is followed by more than seven bits or by anything but ones, and on the code
    for the end of the string, which must not be sent.
    """
    out = bytearray()
    window = bits = 0               # the bits read and not yet decoded; ones follow the last byte
    left = len(data) * 8            # how many bits of `data` are not yet decoded
    source = iter(data)
    while left:
        while bits < _LONGEST:
            window = window << 8 | next(source, 0xFF)
            bits += 8
        found = _SHORT[window >> bits - 8] or _long_code(window >> bits - _LONGEST)
        if found is None or found[1] > left:
            break
        symbol, length = found
        out.append(symbol)
        bits -= length
        left -= length
        window &= (1 << bits) - 1
    if left > 7 or (left and window >> bits - left != (1 << left) - 1):
        raise HuffmanError("a Huffman-coded string ends in the middle of a code")
    return bytes(out)


def _long_code(window: int) -> tuple[int, int] | None:
    """(symbol, length) of the code at the head of these 30 bits; None if it is EOS."""
    for length, first, symbols in _RUNS:
        index = (window >> _LONGEST - length) - first
        if index < len(symbols):
            return symbols[index], length
    return None
