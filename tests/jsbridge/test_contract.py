from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import Any, Protocol

import pytest
from google.protobuf import struct_pb2
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from goplugin.core.errors import LocalProtocolError, RemoteProtocolError
from goplugin.core.protowire import bytes_field, uint_field
from jsbridge.contract import (
    DISPENSE_NAME,
    GET_MANIFEST_PATH,
    HANDSHAKE,
    INVOKE_PATH,
    NAMESPACE,
    Empty,
    ExportKind,
    ExportSpec,
    InvokeRequest,
    InvokeResponse,
    MethodSpec,
    ModuleManifest,
)
from tests.goplugin.core import oracle
from tests.support import requirement

PROTO = (Path(__file__).parents[2] / "proto" / "jsbridge" / "_proto" / "jsmodule.proto").read_text("utf-8")
SCHEMA = {
    name: re.findall(r"^  ((?:repeated )?[\w.]+ \w+ = \d+);", body, re.MULTILINE)
    for name, body in re.findall(r"^message (\w+) \{\n(.*?)^\}", PROTO, re.MULTILINE | re.DOTALL)
}
KINDS = {"EXPORT_KIND_UNSPECIFIED": 0, "EXPORT_KIND_FUNCTION": 1, "EXPORT_KIND_OBJECT": 2}
TYPES: dict[str, Any] = oracle.message_types(
    "hashiplugin.contract.v1", SCHEMA, enums={"ExportKind": KINDS}, imports=(struct_pb2,)
)


class Message(Protocol):
    def SerializeToString(self) -> bytes: ...

    @classmethod
    def FromString(cls, data: bytes, /) -> Any: ...


OURS: dict[str, type[Message]] = {
    "ModuleManifest": ModuleManifest,
    "ExportSpec": ExportSpec,
    "MethodSpec": MethodSpec,
    "InvokeRequest": InvokeRequest,
    "InvokeResponse": InvokeResponse,
}

TEXTS = st.text(max_size=200)
METHODS = st.builds(MethodSpec, TEXTS, TEXTS, TEXTS, st.lists(TEXTS, max_size=3).map(tuple))
EXPORTS = st.builds(
    ExportSpec, TEXTS, st.integers(-(2**31), 2**31 - 1), TEXTS, st.lists(METHODS, max_size=3).map(tuple)
)
MANIFESTS = st.builds(
    ModuleManifest,
    TEXTS,
    TEXTS,
    st.lists(EXPORTS, max_size=3).map(tuple),
    st.lists(TEXTS, max_size=3).map(tuple),
    TEXTS,
)
ARGUMENTS = st.none() | st.booleans() | st.floats(allow_nan=False) | TEXTS | st.lists(TEXTS | st.none())
REQUESTS = st.builds(InvokeRequest, TEXTS, TEXTS, st.lists(ARGUMENTS).map(tuple))
MESSAGES = MANIFESTS | EXPORTS | METHODS | REQUESTS | st.builds(InvokeResponse, ARGUMENTS)

ECHO = ModuleManifest(
    module_name="plugin:echo",
    version="v1",
    exports=(
        ExportSpec("ping", ExportKind.FUNCTION),
        ExportSpec("pid", ExportKind.FUNCTION),
        ExportSpec("math", ExportKind.OBJECT, method_specs=(MethodSpec("add"),)),
    ),
)


@requirement("jm.contract")
@pytest.mark.parametrize(
    ("message", "wire"),
    [
        (
            InvokeRequest("math", "add", (2.0, "x", None, False)),
            "0a046d61746812036164641a091100000000000000401a031a01781a0208001a022000",
        ),
        (InvokeResponse(None), "0a020800"),
        (
            ECHO,
            "0a0b706c7567696e3a6563686f120276311a080a0470696e6710011a070a0370696410011a0f0a046d617468100222050a03616464",
        ),
        (Empty(), ""),
    ],
)
def test_golden_bytes(message: Message, wire: str) -> None:
    assert message.SerializeToString().hex() == wire
    read = type(message).FromString(bytes.fromhex(wire))
    assert type(read) is type(message)
    assert read.SerializeToString().hex() == wire


def test_the_paths_and_names_are_those_of_the_go_host() -> None:
    assert GET_MANIFEST_PATH == "/hashiplugin.contract.v1.JSModuleService/GetManifest"
    assert INVOKE_PATH == "/hashiplugin.contract.v1.JSModuleService/Invoke"
    assert (DISPENSE_NAME, NAMESPACE) == ("js_module", "plugin:")
    assert HANDSHAKE == ("GO_GO_GOJA_PLUGIN", "js-module", 1)


def test_the_proto_source_says_the_same() -> None:
    assert set(SCHEMA) == set(OURS)
    assert re.findall(r"rpc (\w+)\(([\w.]+)\) returns \((\w+)\)", PROTO) == [
        ("GetManifest", "google.protobuf.Empty", "ModuleManifest"),
        ("Invoke", "InvokeRequest", "InvokeResponse"),
    ]
    assert dict(re.findall(r"(EXPORT_KIND_\w+) = (\d)", PROTO)) == {name: str(kind) for name, kind in KINDS.items()}
    assert "package hashiplugin.contract.v1;" in PROTO
    assert KINDS == {
        "EXPORT_KIND_UNSPECIFIED": ExportKind.UNSPECIFIED,
        "EXPORT_KIND_FUNCTION": ExportKind.FUNCTION,
        "EXPORT_KIND_OBJECT": ExportKind.OBJECT,
    }


@given(MESSAGES)
def test_a_message_comes_back(message: Message) -> None:
    assert type(message).FromString(message.SerializeToString()) == message


@given(MESSAGES)
def test_protobuf_writes_the_same_bytes(message: Message) -> None:
    data = message.SerializeToString()

    assert oracle.canonical(TYPES[type(message).__name__], data) == data


def test_fields_of_protobuf_are_ours() -> None:
    manifest = TYPES["ModuleManifest"].FromString(ECHO._replace(doc="d", capabilities=("a", "b")).SerializeToString())

    assert (manifest.module_name, manifest.version, manifest.doc) == ("plugin:echo", "v1", "d")
    assert list(manifest.capabilities) == ["a", "b"]
    assert [(export.name, export.kind) for export in manifest.exports] == [("ping", 1), ("pid", 1), ("math", 2)]
    method = TYPES["MethodSpec"].FromString(MethodSpec("n", "s", "d", ("t", "")).SerializeToString())
    assert (method.name, method.summary, method.doc, list(method.tags)) == ("n", "s", "d", ["t", ""])


def assert_means_what_protobuf_reads(message: Message, data: bytes) -> None:
    """`message`, read from `data`, is what protobuf reads there, except that an absent result is a null."""
    kind = TYPES[type(message).__name__]
    expected = type(message).FromString(oracle.canonical(kind, data))
    assert oracle.canonical(kind, message.SerializeToString()) == oracle.canonical(kind, expected.SerializeToString())


@given(st.sampled_from(sorted(OURS)), st.binary(max_size=60) | MESSAGES.map(lambda sent: sent.SerializeToString()))
def test_any_bytes_give_a_message_or_a_protocol_error(name: str, data: bytes) -> None:
    try:
        message = OURS[name].FromString(data)
    except RemoteProtocolError:
        return
    with contextlib.suppress(DecodeError):  # protobuf is stricter in places, with bytes that nobody sends
        assert_means_what_protobuf_reads(message, data)


@given(MESSAGES, st.data())
def test_a_message_that_is_cut_off_is_an_error_or_a_shorter_message(message: Message, data: st.DataObject) -> None:
    whole = message.SerializeToString()
    part = whole[: data.draw(st.integers(0, len(whole)))]

    try:
        read = type(message).FromString(part)
    except RemoteProtocolError:
        return
    assert_means_what_protobuf_reads(read, part)


LATER_FIELDS = bytes_field(99, b"later") + uint_field(98, 7) + b"\x9d\x06four" + b"\x99\x06" + b"eight..."


@pytest.mark.parametrize(
    "message", [ECHO, ECHO.exports[2], MethodSpec("add", tags=("a",)), InvokeRequest("f", "", (1.0,))]
)
def test_fields_of_a_later_version_are_skipped(message: Message) -> None:
    data = message.SerializeToString()

    assert type(message).FromString(LATER_FIELDS + data + LATER_FIELDS) == message
    assert type(message).FromString(uint_field(1, 5) + data + uint_field(3, 5)) == message


def test_a_result_may_be_absent_or_in_parts() -> None:
    assert InvokeResponse.FromString(b"") == InvokeResponse(None)
    assert InvokeResponse.FromString(bytes_field(1, b"")) == InvokeResponse(None)
    lists = [InvokeResponse([number]).SerializeToString() for number in (1.0, 2.0)]
    assert InvokeResponse.FromString(b"".join(lists)) == InvokeResponse([1.0, 2.0])


@pytest.mark.parametrize("size", [0, 1, 120, *range(121, 131), 300, 20_000])
def test_texts_of_all_lengths_come_back(size: int) -> None:
    text = "x" * size
    assert InvokeResponse.FromString(InvokeResponse(text).SerializeToString()) == InvokeResponse(text)
    request = InvokeRequest(text, text, (text, text))
    assert InvokeRequest.FromString(request.SerializeToString()) == request


def test_requests_of_many_names_come_back() -> None:
    for number in range(3000):
        request = InvokeRequest(f"f{number}", "m", (1.0,))
        assert InvokeRequest.FromString(request.SerializeToString()) == request


def test_an_argument_without_a_kind_is_null() -> None:
    assert InvokeRequest.FromString(bytes_field(3, b"") + bytes_field(3, b"\x20\x01")).args == (None, True)


@pytest.mark.parametrize("kind", [3, 2**31 - 1, -1, -(2**31)])
def test_a_kind_of_a_later_version_comes_back(kind: int) -> None:
    export = ExportSpec("x", kind)

    assert ExportSpec.FromString(export.SerializeToString()) == export
    assert TYPES["ExportSpec"].FromString(export.SerializeToString()).kind == kind


def test_a_kind_is_cut_to_32_bits() -> None:
    assert ExportSpec.FromString(uint_field(2, 2**40 + 1)).kind == 1


def test_lone_surrogates_in_names_are_replaced() -> None:
    request = InvokeRequest.FromString(InvokeRequest("a\ud800", "\udc00").SerializeToString())
    assert request == InvokeRequest("a\ufffd", "\ufffd")


@pytest.mark.parametrize(
    "data", [bytes_field(1, b"\xff"), bytes_field(3, bytes_field(1, b"\xff")), b"\x0a\x05ab", b"\x0a"]
)
def test_text_that_is_not_utf8_and_messages_that_end_early_are_errors(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        ModuleManifest.FromString(data)


def test_a_value_that_cannot_travel_is_refused() -> None:
    with pytest.raises(LocalProtocolError, match="unsupported result type object"):
        InvokeRequest("f", "", (object(),)).SerializeToString()
    with pytest.raises(LocalProtocolError, match="unsupported result type set"):
        InvokeResponse({1}).SerializeToString()
