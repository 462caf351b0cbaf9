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

from goplugin.core.errors import RemoteProtocolError
from goplugin.core.messages import (
    STDERR,
    STDOUT,
    ConnInfo,
    Empty,
    HealthCheckRequest,
    HealthCheckResponse,
    Knock,
    PluginInfo,
    StdioData,
)
from goplugin.core.protowire import FIXED32, bytes_field, encode_varint
from tests.goplugin.core import oracle

TYPES = {
    **oracle.message_types("plugin", oracle.PLUGIN, enums=oracle.PLUGIN_ENUMS),
    **oracle.message_types("goplugin.v1", oracle.INFO),
    **oracle.message_types("grpc.health.v1", oracle.HEALTH, enums=oracle.HEALTH_ENUMS),
}
PROTO = Path(__file__).parents[3] / "proto" / "goplugin" / "_proto"


class Message(Protocol):
    def SerializeToString(self) -> bytes: ...

    @classmethod
    def FromString(cls, data: bytes, /) -> Any: ...


KINDS: dict[str, type[Message]] = {
    "ConnInfo": ConnInfo,
    "ConnInfo.Knock": Knock,
    "Empty": Empty,
    "GetRequest": Empty,
    "GetResponse": PluginInfo,
    "StdioData": StdioData,
    "HealthCheckRequest": HealthCheckRequest,
    "HealthCheckResponse": HealthCheckResponse,
}
every_kind = pytest.mark.parametrize("name", list(KINDS))

TEXT = st.text("plugin|é日\U0001f600\0", max_size=200)
INT32 = st.integers(-(2**31), 2**31 - 1)
KNOCK = st.builds(Knock, st.booleans(), st.booleans(), TEXT)
MESSAGES = st.one_of(
    KNOCK,
    st.builds(ConnInfo, st.integers(0, 2**32 - 1), TEXT, TEXT, st.none() | KNOCK),
    st.builds(PluginInfo, TEXT),
    st.builds(StdioData, INT32, st.binary(max_size=300)),
    st.builds(HealthCheckRequest, TEXT | st.just("plugin")),
    st.builds(HealthCheckResponse, INT32),
)


@st.composite
def wire_fields(draw: st.DrawFn) -> bytes:
    """Fields with any number and wire type, in any order: valid protobuf, whatever the message."""
    data = b""
    for number in draw(st.lists(st.integers(1, 5), max_size=6)):
        wire_type = draw(st.sampled_from([0, 1, 2, 5]))
        data += encode_varint(number << 3 | wire_type)
        if wire_type == 0:
            data += encode_varint(draw(st.integers(0, 2**64 - 1) | st.sampled_from([0, 1, 2])))
        elif wire_type == 2:
            payload = draw(st.binary(max_size=8) | TEXT.map(str.encode) | wire_fields())
            data += encode_varint(len(payload)) + payload
        else:
            data += draw(st.binary(min_size=8 if wire_type == 1 else 4, max_size=8 if wire_type == 1 else 4))
    return data


@given(MESSAGES)
def test_protobuf_reads_and_writes_what_we_write(message: Message) -> None:
    name = next(name for name, kind in KINDS.items() if kind is type(message))
    data = message.SerializeToString()

    assert oracle.canonical(TYPES[name], data) == data


@given(MESSAGES)
def test_a_message_comes_back(message: Message) -> None:
    assert type(message).FromString(message.SerializeToString()) == message


PAIRS = [
    (
        ConnInfo(7, "unix", "/tmp/plugin1", Knock(knock=True, ack=True, error="no")),
        TYPES["ConnInfo"](service_id=7, network="unix", address="/tmp/plugin1",
                          knock=TYPES["ConnInfo.Knock"](knock=True, ack=True, error="no")),
    ),
    (StdioData(STDOUT, b"out"), TYPES["StdioData"](channel="STDOUT", data=b"out")),
    (StdioData(STDERR, b"err"), TYPES["StdioData"](channel="STDERR", data=b"err")),
    (StdioData(-1, b""), TYPES["StdioData"](channel=-1)),
    (HealthCheckRequest("plugin"), TYPES["HealthCheckRequest"](service="plugin")),
    (HealthCheckRequest("other"), TYPES["HealthCheckRequest"](service="other")),
    *(
        (HealthCheckResponse(getattr(HealthCheckResponse, name)), TYPES["HealthCheckResponse"](status=name))
        for name in ("UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN")
    ),
]  # fmt: skip


@pytest.mark.parametrize(("message", "protobuf"), PAIRS, ids=repr)
def test_a_field_means_the_same_to_protobuf(message: Message, protobuf: Any) -> None:
    data = protobuf.SerializeToString()

    assert message.SerializeToString() == data
    assert type(message).FromString(data) == message


@pytest.mark.parametrize("message", [Empty(), Knock(error="no"), *(message for message, _ in PAIRS)], ids=repr)
def test_fields_of_a_later_version_are_skipped(message: Message) -> None:
    data = message.SerializeToString()
    unknown = b"\x7a\x00" + b"".join(encode_varint(number << 3 | FIXED32) + b"\xff" * 4 for number in range(1, 5))

    assert type(message).FromString(data + unknown).SerializeToString() == data
    assert type(message).FromString(unknown + data).SerializeToString() == data


@every_kind
@given(data=wire_fields())
def test_we_read_every_message_as_protobuf_reads_it(name: str, data: bytes) -> None:
    try:
        message = KINDS[name].FromString(data)
    except RemoteProtocolError as error:
        # Groups are the one thing that protobuf reads and we do not: proto3 cannot declare them.
        if "is not used here" not in str(error):
            with pytest.raises(DecodeError):
                TYPES[name].FromString(data)
        return
    with contextlib.suppress(DecodeError):  # bytes of a submessage may be a field number too high for protobuf
        assert message.SerializeToString() == oracle.canonical(TYPES[name], data)


@every_kind
@given(data=st.binary(max_size=40))
def test_any_bytes_are_a_message_or_refused(name: str, data: bytes) -> None:
    try:
        message = KINDS[name].FromString(data)
    except RemoteProtocolError:
        return
    assert isinstance(message, KINDS[name])


@every_kind
def test_no_bytes_are_the_defaults_and_the_reverse(name: str) -> None:
    assert KINDS[name]().SerializeToString() == b""
    assert isinstance(KINDS[name].FromString(b""), KINDS[name])


@pytest.mark.parametrize(
    ("message", "data"),
    [
        (ConnInfo(1, "unix", "/tmp/p"), "08011204756e69781a062f746d702f70"),
        (ConnInfo(1, knock=Knock(knock=True)), "080122020801"),
        (ConnInfo(1, knock=Knock(knock=True, ack=True)), "0801220408011001"),
        (ConnInfo(knock=Knock()), "2200"),
    ],
)
def test_the_brokers_bytes_are_those_seen_on_the_wire(message: Message, data: str) -> None:
    assert message.SerializeToString().hex() == data


def test_a_knock_that_comes_in_parts_is_one() -> None:
    parts = bytes_field(4, Knock(knock=True, error="old").SerializeToString()) + bytes_field(4, b"\x10\x01\x1a\x00")

    assert ConnInfo.FromString(parts).knock == Knock(knock=True, ack=True, error="")


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\x12\x02ab\x08\x01", id="data before channel"),
        pytest.param(b"\x08\x81\x00\x12\x02ab", id="channel in two bytes"),
        pytest.param(b"\x08\x02\x12\x02xy\x08\x01\x12\x02ab", id="both twice"),
        pytest.param(b"\x08\x01\x12\x02ab\x1a\x00", id="a further field"),
    ],
)
def test_stdio_data_may_be_written_in_an_unusual_way(data: bytes) -> None:
    assert StdioData.FromString(data) == StdioData(STDOUT, b"ab")


@pytest.mark.parametrize("data", [b"\x08\x01\x12", b"\x08\x01\x12\x05ab", b"\x08\x01\x12\x80"])
def test_stdio_data_that_is_cut_off_is_refused(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        StdioData.FromString(data)


def test_text_that_is_no_utf8_is_refused() -> None:
    with pytest.raises(RemoteProtocolError, match="string field is not UTF-8"):
        HealthCheckRequest.FromString(b"\x0a\x01\xff")


def test_empty_is_true_as_an_answer() -> None:
    assert bool(Empty.FromString(b""))


@pytest.mark.parametrize("file", ["grpc_broker.proto", "grpc_controller.proto", "grpc_stdio.proto"])
def test_the_proto_sources_are_in_the_package_of_upstream(file: str) -> None:
    text = (PROTO / file).read_text()

    assert 'syntax = "proto3";' in text
    assert "\npackage plugin;\n" in text


def test_the_proto_sources_declare_these_fields_and_numbers() -> None:
    sources = "".join(path.read_text() for path in sorted(PROTO.glob("*.proto")))
    declared = re.findall(r"^ *(\w+ \w+ = \d+);", sources, re.MULTILINE)
    labels = re.findall(r"^ *([A-Z]+ = \d+);", sources, re.MULTILINE)

    known = (*oracle.PLUGIN.values(), *oracle.INFO.values())
    assert sorted(declared) == sorted(field for fields in known for field in fields)
    assert labels == [f"{label} = {number}" for label, number in oracle.PLUGIN_ENUMS["StdioData.Channel"].items()]


def test_the_oracle_reads_imports_and_repeated_fields() -> None:
    kind: Any = oracle.message_types(
        "other", {"Call": ["repeated google.protobuf.Value args = 3"]}, imports=[struct_pb2]
    )["Call"]

    assert kind(args=[{"number_value": 2}, {"null_value": "NULL_VALUE"}]).SerializeToString().hex() == (
        "1a0911" + "0000000000000040" + "1a020800"
    )
