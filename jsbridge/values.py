"""`google.protobuf.Value` on the wire <-> plain Python values, without protobuf's runtime.

    null_value    None            string_value  str
    bool_value    bool            list_value    list
    number_value  float           struct_value  dict with str keys, in the order written

Encoding also takes int (rounded to a double), tuple, bytes (a list of numbers, as Go's SDK sends []byte), subclasses
of all of these, and protobuf's own Value in the place of a whole value. NaN, the infinities and -0 travel as they are.

Rule 1: nothing recurses. A deep value costs memory, never the interpreter's stack; MAX_DEPTH bounds both directions.
Rule 2: time and memory are linear in the size of the message, whatever a peer writes: no byte costs more than 64.
Rule 3: what protobuf accepts means here what it means there: the last kind in a Value wins, two lists or two structs
in a row merge, of two equal keys the later one wins, unknown fields are skipped. Only groups are refused.
Source: google/protobuf/struct.proto and the "Encoding" page of the protobuf documentation.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import repeat
from struct import Struct
from typing import TYPE_CHECKING, Any, cast

from goplugin.core.errors import LocalProtocolError
from goplugin.core.protowire import encode_varint

from .value_decoder import MAX_DEPTH, decode_text, decode_value

if TYPE_CHECKING:
    from google.protobuf.struct_pb2 import Value

__all__ = ["MAX_DEPTH", "Heads", "decode_text", "decode_value", "encode_text", "encode_value"]


def encode_value(value: object) -> bytes:
    """The bytes of one google.protobuf.Value.

    Raises LocalProtocolError, in the words of Go's SDK where it has any, for a type that has no place in a Value, a
    key that is not a string, an integer beyond the range of a double, a value that contains itself, and nesting
    deeper than MAX_DEPTH.
    """
    encode = _LEAVES.get(type(value))
    if encode is None:
        if getattr(getattr(value, "DESCRIPTOR", None), "full_name", "") == "google.protobuf.Value":
            return cast("Value", value).SerializeToString()
        value = _as_base_type(value)
        encode = _LEAVES[type(value)]
    encoded = encode(value)
    return _encode_tree(value) if encoded is None else encoded


def encode_text(text: str) -> bytes:
    """`text` in UTF-8, with U+FFFD for each lone surrogate: JavaScript's strings may hold them, UTF-8 may not."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


_pack_double = Struct("<d").pack
_pack_item = Struct("<3sd").pack  # a number in a list, with its three bytes of head


class Heads(dict[int, bytes]):
    """Tag and length in front of a length-delimited field, by length. The short ones are kept, others are made."""

    def __init__(self, tag: int) -> None:
        super().__init__((size, bytes((tag, size))) for size in range(128))
        self._tag = bytes((tag,))

    def __missing__(self, size: int) -> bytes:
        return self._tag + encode_varint(size)


class _KeyFields(dict[str, bytes]):
    """The key in front of an entry's value, by key. Short ones are kept: the same few come with every call."""

    def __missing__(self, key: object) -> bytes:
        if not isinstance(key, str):
            raise LocalProtocolError(f"unsupported map key type {_type_name(type(key))}")
        data = encode_text(key)
        field = _key_head[len(data)] + data
        if len(data) < 64:
            if len(self) >= 1024:
                self.clear()
            self[str.__str__(key)] = field
        return field


_string_head, _struct_head, _list_head = Heads(0x1A), Heads(0x2A), Heads(0x32)  # fields 3, 5, 6 of a Value
_item_head = Heads(0x0A)  # a value of a ListValue, and an entry of a Struct
_key_head, _value_head = Heads(0x0A), Heads(0x12)  # the two fields of an entry
_key_field = _KeyFields()


def _entry_head(key: str, size: int) -> bytes:
    """What stands in front of a Value of `size` bytes that a struct holds under `key`."""
    head = _key_field[key] + _value_head[size]
    return _item_head[len(head) + size] + head


def _list_item_head(_: object, size: int) -> bytes:
    """What stands in front of a Value of `size` bytes that a list holds."""
    return _item_head[size]


def _encode_null(_: None) -> bytes:
    return b"\x08\x00"


def _encode_bool(value: bool) -> bytes:
    return b"\x20\x01" if value else b"\x20\x00"


def _encode_float(value: float) -> bytes:
    return b"\x11" + _pack_double(value)


def _encode_int(value: int) -> bytes:
    try:
        return b"\x11" + _pack_double(float(value))
    except OverflowError:
        raise LocalProtocolError("unsupported result type int beyond the range of a double") from None


def _encode_string(value: str) -> bytes:
    try:
        data = value.encode()  # not encode_text at once: strings are most of what travels, and a call costs as much
    except UnicodeEncodeError:
        data = encode_text(value)
    return _string_head[len(data)] + data


_SCALARS: dict[type, Callable[[Any], bytes]] = {
    type(None): _encode_null,
    bool: _encode_bool,
    float: _encode_float,
    int: _encode_int,
    str: _encode_string,
}
_SCALAR_TYPES = frozenset(_SCALARS)


def _encode_flat_list(items: list[Any] | tuple[Any, ...]) -> bytes | None:
    """A list of scalars; None if it holds anything else."""
    kinds = set(map(type, items))
    if kinds == {float}:  # vectors and matrices: three times as fast
        body = b"".join(map(_pack_item, repeat(b"\x0a\x09\x11"), items))
    elif kinds <= _SCALAR_TYPES:
        encoded = [_SCALARS[type(item)](item) for item in items]
        body = b"".join([_item_head[len(item)] + item for item in encoded])
    else:
        return None
    return _list_head[len(body)] + body


def _encode_flat_dict(entries: dict[Any, Any]) -> bytes | None:
    """A dict whose values are scalars; None if it holds anything else."""
    if not _SCALAR_TYPES.issuperset(map(type, entries.values())):
        return None
    parts: list[bytes] = []
    for key, value in entries.items():
        encoded = _SCALARS[type(value)](value)
        parts.append(_entry_head(key, len(encoded)) + encoded)
    body = b"".join(parts)
    return _struct_head[len(body)] + body


_LEAVES: dict[type, Callable[[Any], bytes | None]] = {
    **_SCALARS,
    list: _encode_flat_list,
    tuple: _encode_flat_list,
    dict: _encode_flat_dict,
}


class _Open:
    """A list or dict whose end is written and whose beginning is not."""

    __slots__ = ("child_head", "container", "end", "items", "key", "own_heads")

    def __init__(self, container: Any, key: Any, end: int) -> None:
        self.container: object = container
        self.key = key  # under which its parent holds it, if that is a dict
        self.end = end  # how many bytes stand behind it
        self.items: Iterator[tuple[Any, object]]  # what is still to be written, last one first
        if isinstance(self.container, dict):
            self.items = reversed(container.items())
            self.own_heads, self.child_head = _struct_head, _entry_head
        else:
            self.items = zip(repeat(None), reversed(container))
            self.own_heads, self.child_head = _list_head, _list_item_head


def _encode_tree(root: object) -> bytes:
    """A list or dict with others inside.

    Written from its last byte to its first: a length stands before what it measures, and is known only after it.
    """
    out: list[bytes] = []
    size = 0
    path = [_Open(root, None, 0)]
    open_ids = {id(root)}
    while path:
        here = path[-1]
        for key, item in here.items:
            encode = _LEAVES.get(type(item))
            if encode is None:
                item = _as_base_type(item)
                encode = _LEAVES[type(item)]
            encoded = encode(item)
            if encoded is None:
                _check_descent(item, open_ids)
                path.append(_Open(item, key, size))
                break
            encoded = here.child_head(key, len(encoded)) + encoded
            out.append(encoded)
            size += len(encoded)
        else:
            path.pop()
            open_ids.remove(id(here.container))
            head = here.own_heads[size - here.end]
            if path:
                head = path[-1].child_head(here.key, size - here.end + len(head)) + head
            out.append(head)
            size += len(head)
    return b"".join(reversed(out))


def _check_descent(container: object, open_ids: set[int]) -> None:
    """Enter `container` among those that are open."""
    if id(container) in open_ids:
        raise LocalProtocolError("value contains itself")
    open_ids.add(id(container))
    if len(open_ids) >= MAX_DEPTH:  # and it is no leaf: there is at least one more below it
        raise LocalProtocolError(f"value is nested deeper than {MAX_DEPTH} levels")


_CONVERSIONS: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (str, str.__str__),  # str() would give the name of an enum's member, not its value
    (int, int),
    (float, float),
    (dict, dict),
    ((list, tuple, bytes, bytearray), list),
)


def _as_base_type(value: object) -> object:
    """What a `value` whose type is not in _LEAVES travels as."""
    for base, convert in _CONVERSIONS:
        if isinstance(value, base):
            return convert(value)
    raise LocalProtocolError(f"unsupported result type {_type_name(type(value))}")


def _type_name(kind: type) -> str:
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
