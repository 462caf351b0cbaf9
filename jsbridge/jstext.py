"""Values as text between the JavaScript engine and Python.

    JavaScript -> Python   JSON, and NaN, Infinity, -Infinity and -0.0 where the shim's values.js writes them: `read`
    Python -> JavaScript   JSON, because the engine's own parser reads it: `write`, and `write_exact` for the values
                           that JSON or the C encoder of Python's json cannot take: NaN, the infinities, bytes

Rule 1: numbers stay exact. A JavaScript number without a fraction arrives as int up to 2**53 - 1, -0 as -0.0. Bytes
become a Uint8Array; the other way that is base64 text, see binary.py.
Rule 2: the fast path is json's C code; it recurses, so deep values (up to MAX_DEPTH) take a slower way that does not.
"""
from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any, cast

from goplugin.core.errors import RemoteProtocolError

from .values import MAX_DEPTH, encode_text

__all__ = ["read", "read_arguments", "write", "write_exact"]

_decode = json.JSONDecoder().raw_decode
write = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode
"""The JSON text of a value. Raises ValueError, TypeError or RecursionError for what may need `write_exact`."""

_TOKEN = re.compile(r'[\[\]{},:]|"[^"\\]*(?:\\.[^"\\]*)*"|[^\[\]{},:"\s]+')


def read(text: str) -> Any:
    """The value of a text written by the shim."""
    try:
        return _decode(text)[0]
    except RecursionError:
        return _read_deep(text)


def read_arguments(payload: bytes) -> list[Any]:
    """The arguments of one call, as the shim's packArguments sends them: `[[argument, ...]]`.

    What is not a plain scalar comes as a one-element array with its text. Lone surrogates become U+FFFD.
    """
    text = payload.decode()
    args: list[Any] = _decode(text)[0][0]
    for index, arg in enumerate(args):
        if type(arg) is list:
            args[index] = read(cast(list[str], arg)[0])
        elif "\\ud" in text and type(arg) is str:
            args[index] = encode_text(arg).decode()
    return args


def _read_deep(text: str) -> Any:
    root: list[Any] = []
    stack: list[list[Any] | dict[str, Any]] = [root]
    key: str | None = None
    for token in _TOKEN.findall(text):
        if token in "]}":
            stack.pop()
            continue
        if token in ",:":
            continue
        container = stack[-1]
        if key is None and isinstance(container, dict):
            key = _decode(token)[0]
            continue
        value: Any = [] if token == "[" else {} if token == "{" else _decode(token)[0]
        if key is None:
            cast(list[Any], container).append(value)
        else:
            cast(dict[str, Any], container)[key] = value
            key = None
        if token in "[{":
            stack.append(value)
    return root[0]


class _Open:
    """A list or dict that `write_exact` is inside of."""

    __slots__ = ("bytes", "close", "key", "members", "nan")

    def __init__(self, members: Iterator[tuple[str | int, Any]], close: str) -> None:
        self.members = members
        self.close = close
        self.key: str | int = 0
        self.nan: list[str | int] = []
        self.bytes: list[str | int] = []


_Places = list[tuple[list["str | int"], list["str | int"]]]
"""Some members of a value: the paths of their containers, with their keys there."""


def write_exact(value: dict[str, Any]) -> str:
    """The JSON text of `value` with two more members, which list the places of what JSON cannot say.

    At those in "nan", null stands for NaN; at those in "bytes", a string for bytes, which are the numbers of its
    characters. Both have the form [[path of a container, keys in it], ...]. An infinity is written as a number beyond
    the range of a double, which every parser rounds to it.
    Raises RemoteProtocolError if the value is nested deeper than MAX_DEPTH, TypeError for what is no value.
    """
    out = ["{"]
    nan: _Places = []
    binary: _Places = []
    stack = [_Open(iter(value.items()), "}")]
    while stack:
        top = stack[-1]
        entry = next(top.members, None)
        if entry is None:
            stack.pop()
            out.append(top.close)
            for places, keys in ((nan, top.nan), (binary, top.bytes)):
                if keys:
                    places.append(([level.key for level in stack], keys))
            continue
        top.key, member = entry
        if out[-1] not in "[{":
            out.append(",")
        if top.close == "}":
            out.append(write(top.key) + ":")
        opened = _open(member)
        if opened is None:
            out.append(_leaf(member, top))
            continue
        if len(stack) > MAX_DEPTH:
            raise RemoteProtocolError(f"value is nested deeper than {MAX_DEPTH} levels")
        stack.append(opened)
        out.append("{" if opened.close == "}" else "[")
    out[-1] = f',"nan":{write(nan)},"bytes":{write(binary)}}}'
    return "".join(out)


def _open(value: Any) -> _Open | None:
    if isinstance(value, dict):
        return _Open(iter(cast(dict[str, Any], value).items()), "}")
    if isinstance(value, (list, tuple)):
        return _Open(enumerate(cast(list[Any], value)), "]")
    return None


def _leaf(value: Any, parent: _Open) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        if value != value:
            parent.nan.append(parent.key)
            return "null"
        return "1e999" if value > 0 else "-1e999"
    if isinstance(value, bytes):
        parent.bytes.append(parent.key)
        return write(value.decode("latin-1"))
    return write(value)
