"""The contract between a JavaScript host and a module in a plugin process, as it stands on the wire.

Two unary calls, GetManifest and Invoke, and their messages. Each message is what protobuf's generated class would be,
as far as a gRPC library asks: `SerializeToString` and `FromString`. Arguments and results are Python values in the
object and `google.protobuf.Value` on the wire; see values.py.

Rule 1: as proto3 says, defaults are not written, the last value of a field wins, and unknown fields and fields of
another wire type are skipped.
Rule 2: `SerializeToString` raises LocalProtocolError for a value that cannot travel, `FromString` RemoteProtocolError
for bytes that are no message. Lone surrogates become U+FFFD.
Source: proto/jsbridge/_proto/jsmodule.proto; go-go-goja pkg/hashiplugin/contract and pkg/hashiplugin/shared.
"""
from __future__ import annotations

from typing import Any, NamedTuple, cast

from goplugin.core.handshake import HandshakeConfig
from goplugin.core.http2.events import Value
from goplugin.core.messages import Empty
from goplugin.core.protowire import BYTES, VARINT, bytes_field, decode_varint, fields, uint_field

from .values import Heads, decode_text, decode_value, encode_text, encode_value

__all__ = [
    "DISPENSE_NAME", "GET_MANIFEST_PATH", "HANDSHAKE", "INVOKE_PATH", "NAMESPACE", "SERVICE",
    "Empty", "ExportKind", "ExportSpec", "InvokeRequest", "InvokeResponse", "MethodSpec", "ModuleManifest",
]

HANDSHAKE = HandshakeConfig(
    magic_cookie_key="GO_GO_GOJA_PLUGIN",
    magic_cookie_value="js-module",
    protocol_version=1,
)
"""What every host and every plugin of JavaScript modules have in common."""

DISPENSE_NAME = "js_module"
"""The name of the module in the plugin set, which a host dispenses; never on the wire."""

NAMESPACE = "plugin:"
"""What the names of all modules begin with."""

SERVICE = "hashiplugin.contract.v1.JSModuleService"
GET_MANIFEST_PATH = f"/{SERVICE}/GetManifest"
INVOKE_PATH = f"/{SERVICE}/Invoke"


_RESULT_TAG = 1 << 3 | BYTES
_BYTES_TAGS = frozenset(range(8 | BYTES, 128, 8))  # the tags of one byte; field number 0 is none


class ExportKind:
    """What an export is. Plain numbers: a peer of a later version may send others."""

    UNSPECIFIED = 0
    FUNCTION = 1
    OBJECT = 2


class MethodSpec(NamedTuple):
    """One method of an object. `summary` is a line, `doc` may be pages."""

    name: str = ""
    summary: str = ""
    doc: str = ""
    tags: tuple[str, ...] = ()

    def SerializeToString(self) -> bytes:
        texts = _text_field(1, self.name) + _text_field(2, self.summary) + _text_field(3, self.doc)
        return texts + _text_fields(4, self.tags)

    @classmethod
    def FromString(cls, data: bytes) -> MethodSpec:
        name = summary = doc = ""
        tags: list[str] = []
        for number, payload in _payloads(data):
            if number == 1:
                name = decode_text(payload)
            elif number == 2:
                summary = decode_text(payload)
            elif number == 3:
                doc = decode_text(payload)
            elif number == 4:
                tags.append(decode_text(payload))
        return cls(name, summary, doc, tuple(tags))


class ExportSpec(NamedTuple):
    """One property of the module: a function, or an object whose `method_specs` are its functions."""

    name: str = ""
    kind: int = ExportKind.UNSPECIFIED
    doc: str = ""
    method_specs: tuple[MethodSpec, ...] = ()

    def SerializeToString(self) -> bytes:
        kind = uint_field(2, self.kind & 0xFFFF_FFFF_FFFF_FFFF)  # a negative number takes all ten bytes
        methods = b"".join([bytes_field(4, method.SerializeToString()) for method in self.method_specs])
        return _text_field(1, self.name) + kind + _text_field(3, self.doc) + methods

    @classmethod
    def FromString(cls, data: bytes) -> ExportSpec:
        name, kind, doc = "", ExportKind.UNSPECIFIED, ""
        methods: list[MethodSpec] = []
        for number, wire_type, value in fields(data):
            if (number, wire_type) == (1, BYTES):
                name = decode_text(cast("bytes", value))
            elif (number, wire_type) == (2, VARINT):
                kind = cast("int", value) & 0xFFFF_FFFF
                kind -= kind >> 31 << 32  # the upper half are the negative numbers
            elif (number, wire_type) == (3, BYTES):
                doc = decode_text(cast("bytes", value))
            elif (number, wire_type) == (4, BYTES):
                methods.append(MethodSpec.FromString(cast("bytes", value)))
        return cls(name, kind, doc, tuple(methods))


class ModuleManifest(NamedTuple):
    """What a module says of itself; the order of `exports` is that of the properties in JavaScript."""

    module_name: str = ""
    version: str = ""
    exports: tuple[ExportSpec, ...] = ()
    capabilities: tuple[str, ...] = ()
    doc: str = ""

    def SerializeToString(self) -> bytes:
        exports = b"".join([bytes_field(3, export.SerializeToString()) for export in self.exports])
        head = _text_field(1, self.module_name) + _text_field(2, self.version)
        return head + exports + _text_fields(4, self.capabilities) + _text_field(5, self.doc)

    @classmethod
    def FromString(cls, data: bytes) -> ModuleManifest:
        module_name = version = doc = ""
        exports: list[ExportSpec] = []
        capabilities: list[str] = []
        for number, payload in _payloads(data):
            if number == 1:
                module_name = decode_text(payload)
            elif number == 2:
                version = decode_text(payload)
            elif number == 3:
                exports.append(ExportSpec.FromString(payload))
            elif number == 4:
                capabilities.append(decode_text(payload))
            elif number == 5:
                doc = decode_text(payload)
        return cls(module_name, version, tuple(exports), tuple(capabilities), doc)


class InvokeRequest(Value):
    """Call the function `export_name`, or the method `method_name` of the object `export_name`."""

    __slots__ = ("args", "export_name", "method_name")  # half the time of a named tuple, and four come with each call

    def __init__(self, export_name: str = "", method_name: str = "", args: tuple[Any, ...] = ()) -> None:
        self.export_name = export_name
        self.method_name = method_name
        self.args = args

    def SerializeToString(self) -> bytes:
        parts = [_names[self.export_name, self.method_name]]
        for arg in self.args:
            value = encode_value(arg)
            parts += _arg_head[len(value)], value
        return b"".join(parts)

    @classmethod
    def FromString(cls, data: bytes) -> InvokeRequest:
        export_name = method_name = ""
        args: list[Any] = []
        for number, payload in _payloads(data):
            if number == 3:
                args.append(decode_value(payload))
            elif number == 1:
                export_name = decode_text(payload)
            elif number == 2:
                method_name = decode_text(payload)
        return cls(export_name, method_name, tuple(args))


class InvokeResponse(Value):
    """What the call returned; a result that is absent on the wire is None. Errors travel as gRPC status."""

    __slots__ = ("result",)

    def __init__(self, result: Any = None) -> None:
        self.result = result

    def SerializeToString(self) -> bytes:
        value = encode_value(self.result)
        return _result_head[len(value)] + value

    @classmethod
    def FromString(cls, data: bytes) -> InvokeResponse:
        if 2 <= len(data) < 130 and data[0] == _RESULT_TAG and data[1] == len(data) - 2:
            return cls(decode_value(data[2:]))      # the one field that everybody sends, if it is short
        # A message that comes in several parts is one message: that of all their bytes.
        return cls(decode_value(b"".join([payload for number, payload in _payloads(data) if number == 1])))


class _Names(dict[tuple[str, str], bytes]):
    """The fields of an InvokeRequest that name the function, by export and method; the last ones are kept."""

    def __missing__(self, names: tuple[str, str]) -> bytes:
        if len(self) >= 1024:
            self.clear()
        encoded = self[names] = _text_field(1, names[0]) + _text_field(2, names[1])
        return encoded


_names = _Names()
_arg_head, _result_head = Heads(3 << 3 | BYTES), Heads(_RESULT_TAG)


def _text_field(number: int, text: str) -> bytes:
    return bytes_field(number, encode_text(text)) if text else b""


def _text_fields(number: int, texts: tuple[str, ...]) -> bytes:
    return b"".join([bytes_field(number, encode_text(text)) for text in texts])


def _payloads(data: bytes) -> list[tuple[int, bytes]]:
    """Every length-delimited field as (number, payload); these messages have no others, but for one enum."""
    found: list[tuple[int, bytes]] = []
    position, end = 0, len(data)
    while position + 1 < end:
        tag, size, start = data[position], data[position + 1], position + 2
        if tag not in _BYTES_TAGS:
            break
        if size > 127:
            size, start = decode_varint(data, position + 1)
        position = start + size
        found.append((tag >> 3, data[start:position]))
    if position == end:
        return found
    # Cut off, or fields that nobody sends today. `fields` knows them all, and costs every call two microseconds more.
    return [(number, cast("bytes", value)) for number, wire_type, value in fields(data) if wire_type == BYTES]
