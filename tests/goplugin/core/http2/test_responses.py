from __future__ import annotations

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goplugin.core.errors import LocalProtocolError
from goplugin.core.http2 import Status
from goplugin.core.http2.faults import ERROR_NAMES, CallFault, StreamFault
from goplugin.core.http2.headers import Fields
from goplugin.core.http2.hpack import Decoder
from goplugin.core.http2.metadata import UNLIMITED
from goplugin.core.http2.responses import (
    OK_TRAILERS,
    RESPONSE_HEAD,
    decode_message,
    encode_message,
    parse_head,
    parse_trailers,
    parse_trailers_only,
    refusal_block,
    reset_status,
    response_block,
    trailers_block,
)
from goplugin.core.status import Code

GRPC = ("content-type", "application/grpc")


def decode(block: bytes) -> Fields:
    return Decoder(1 << 20).decode(block)


@given(st.text())
def test_a_status_message_comes_back(message: str) -> None:
    encoded = encode_message(message)

    assert encoded.isascii()
    assert encoded.isprintable()
    assert encoded == encoded.strip()
    expected = message.encode("utf-8", "replace").decode()
    assert decode_message(encoded) == unquote(encoded) == expected


@pytest.mark.parametrize(
    ("message", "encoded"),
    [
        ("plain text!", "plain text!"), ("100%", "100%25"), ("line\nbreak", "line%0Abreak"), ("\u00e9", "%C3%A9"),
        (" in out ", "%20in out%20"), ("  ", "%20%20"), ("", ""), ("\udc80", "?"),
    ],
)
def test_how_a_status_message_is_encoded(message: str, encoded: str) -> None:
    assert encode_message(message) == encoded


@pytest.mark.parametrize(
    ("value", "message"),
    [("50% off", "50% off"), ("%4", "%4"), ("%zz%41", "%zzA"), ("%ff", "\ufffd"), ("\u00e9%41", "\ufffdA"), ("%", "%")],
)
def test_a_message_that_is_badly_encoded_is_read_as_far_as_it_goes(value: str, message: str) -> None:
    assert decode_message(value) == message


def test_the_head_of_a_response() -> None:
    head = parse_head([*decode(response_block([("key", "value")], UNLIMITED)), ("grpc-encoding", "gzip")])

    assert head is not None
    assert (head.metadata, head.encoding) == ((("key", "value"),), "gzip")
    assert decode(RESPONSE_HEAD) == [(":status", "200"), GRPC]


def test_an_informational_head_is_none() -> None:
    assert parse_head([(":status", "103")]) is None


@given(st.integers(0, 16), st.text(), st.binary())
def test_a_status_comes_back(code: int, message: str, details: bytes) -> None:
    block = trailers_block(code, message, details, [("key", "value")], UNLIMITED)

    text = message.encode("utf-8", "replace").decode()
    assert parse_trailers(decode(block)) == Status(Code(code), text, details, (("key", "value"),))


def test_a_status_alone_is_a_whole_response() -> None:
    block = RESPONSE_HEAD + trailers_block(5, "gone", b"", (), UNLIMITED)

    assert parse_trailers_only(decode(block)) == Status(Code.NOT_FOUND, "gone")
    assert parse_trailers(decode(OK_TRAILERS)) == Status(Code.OK)


@pytest.mark.parametrize("number", ["17", "99", "10000", "9" * 5000])
def test_an_unknown_code_is_unknown(number: str) -> None:
    assert parse_trailers([("grpc-status", number)]).code is Code.UNKNOWN


@pytest.mark.parametrize(
    ("fields", "code", "text"),
    [
        ([], Code.UNKNOWN, "without a grpc-status"),
        ([("grpc-status", "")], Code.INTERNAL, "malformed grpc-status"),
        ([("grpc-status", "-1")], Code.INTERNAL, "malformed grpc-status"),
        ([("grpc-status", "\u0665")], Code.INTERNAL, "malformed grpc-status"),
        ([("grpc-status", "0"), ("grpc-status-details-bin", "*")], Code.INTERNAL, "malformed binary"),
    ],
)
def test_trailers_that_make_no_sense_end_the_call(fields: Fields, code: Code, text: str) -> None:
    with pytest.raises(CallFault, match=text) as caught:
        parse_trailers(fields)

    assert caught.value.code is code


@pytest.mark.parametrize(
    ("http_status", "code"),
    [
        ("400", Code.INTERNAL), ("401", Code.UNAUTHENTICATED), ("403", Code.PERMISSION_DENIED),
        ("404", Code.UNIMPLEMENTED), ("429", Code.UNAVAILABLE), ("502", Code.UNAVAILABLE), ("503", Code.UNAVAILABLE),
        ("504", Code.UNAVAILABLE), ("500", Code.UNKNOWN), ("204", Code.UNKNOWN),
    ],
)
@pytest.mark.parametrize("parse", [parse_head, parse_trailers_only])
def test_an_http_status_becomes_a_code(http_status: str, code: Code, parse: object) -> None:
    assert callable(parse)
    with pytest.raises(CallFault, match=f"unexpected HTTP status code received from server: {http_status}$") as caught:
        parse([(":status", http_status), GRPC])

    assert caught.value.code is code


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ([(":status", "200")], "^transport: missing content-type$"),
        (
            [(":status", "200"), ("content-type", "text/html")],
            '^transport: received unexpected content-type "text/html"$',
        ),
        (
            [(":status", "404"), ("content-type", "text/html")],
            '^unexpected HTTP .* 404; transport: received unexpected content-type "text/html"$',
        ),
    ],
)
def test_another_content_type_ends_the_call(fields: Fields, text: str) -> None:
    with pytest.raises(CallFault, match=text):
        parse_head(fields)


@pytest.mark.parametrize("http_status", ["", "20", "2000", "abc", "\u0665\u0665\u0665"])
def test_a_malformed_http_status_costs_the_stream(http_status: str) -> None:
    with pytest.raises(StreamFault, match="HTTP status"):
        parse_head([(":status", http_status), GRPC])


def test_a_grpc_status_counts_more_than_the_http_status() -> None:
    fault = CallFault(Code.INVALID_ARGUMENT, "no", 415)

    assert parse_trailers_only(decode(refusal_block(fault))) == Status(Code.INVALID_ARGUMENT, "no")
    assert decode(refusal_block(fault))[0] == (":status", "415")


def test_who_does_not_know_an_encoding_says_what_is_known() -> None:
    fields = decode(refusal_block(CallFault(Code.UNIMPLEMENTED, "gzip?")))

    assert ("grpc-accept-encoding", "identity") in fields
    assert fields[0] == (":status", "200")


def test_a_status_larger_than_the_peer_accepts_is_refused() -> None:
    with pytest.raises(LocalProtocolError, match="larger than the peer accepts"):
        trailers_block(1, "x" * 100, b"", (), 100)


@pytest.mark.parametrize(
    ("error_code", "code", "name"),
    [
        (0, Code.INTERNAL, "NO_ERROR"), (1, Code.INTERNAL, "PROTOCOL_ERROR"), (7, Code.UNAVAILABLE, "REFUSED_STREAM"),
        (8, Code.CANCELLED, "CANCEL"), (11, Code.RESOURCE_EXHAUSTED, "ENHANCE_YOUR_CALM"),
        (12, Code.PERMISSION_DENIED, "INADEQUATE_SECURITY"), (14, Code.UNKNOWN, "0xe"),
        (2**32 - 1, Code.UNKNOWN, "0xffffffff"),
    ],
)
def test_an_error_code_becomes_a_status(error_code: int, code: Code, name: str) -> None:
    status = reset_status(error_code)

    assert status.code is code
    assert f"error code: {name}" in status.message
    assert all(reset_status(number).code is not Code.UNKNOWN for number in range(len(ERROR_NAMES)))
