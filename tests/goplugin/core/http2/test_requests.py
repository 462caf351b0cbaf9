from __future__ import annotations

import pytest

from goplugin.core.errors import LocalProtocolError
from goplugin.core.http2 import RequestHead
from goplugin.core.http2.faults import CallFault, StreamFault
from goplugin.core.http2.headers import Fields
from goplugin.core.http2.hpack import Decoder
from goplugin.core.http2.metadata import UNLIMITED
from goplugin.core.http2.requests import RequestParser, RequestWriter, is_grpc, parse_trailers
from goplugin.core.status import Code

from .support import ECHO

PLAIN: Fields = [(":method", "POST"), (":scheme", "http"), (":path", ECHO), ("content-type", "application/grpc")]


def fields_with(*replaced: tuple[str, str]) -> Fields:
    names = dict(replaced)
    return [(name, value) for name, value in PLAIN if name not in names] + [field for field in replaced if field[1]]


def writer() -> RequestWriter:
    return RequestWriter("http", "localhost", "tests")


def decode(block: bytes) -> Fields:
    return Decoder(1 << 20).decode(block)


def test_a_request_has_the_fields_of_grpc_in_their_order() -> None:
    ours = writer()

    block = ours.block(ECHO) + ours.call_fields([("key", "value")], 5, UNLIMITED)

    assert decode(block) == [
        (":method", "POST"), (":scheme", "http"), (":path", ECHO), (":authority", "localhost"), ("te", "trailers"),
        ("content-type", "application/grpc"), ("user-agent", "tests"), ("grpc-timeout", "5000000u"), ("key", "value"),
    ]


def test_the_parser_reads_what_the_writer_writes() -> None:
    ours = writer()
    block = ours.block(ECHO) + ours.call_fields([("key", "value"), ("k-bin", b"\0")], 0.25, UNLIMITED)

    assert RequestParser({ECHO}).parse(decode(block)) == RequestHead(
        ECHO, (("key", "value"), ("k-bin", b"\0")), 0.25, "localhost", "tests", "application/grpc", "", True
    )


def test_blocks_are_kept_by_path_up_to_a_limit() -> None:
    ours = writer()

    assert ours.block(ECHO) is ours.blocks[ECHO]
    for number in range(2000):
        ours.block(f"/{number}")
        ours.call_fields((), number, UNLIMITED)
    assert len(ours.blocks) <= 1024
    assert len(ours._timeouts) <= 64


@pytest.mark.parametrize("path", ["", "no/slash", "/sp ace", "/new\nline", "/\u00e9"])
def test_a_path_that_cannot_be_sent_is_refused(path: str) -> None:
    with pytest.raises(LocalProtocolError, match="no path"):
        writer().block(path)


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("application/grpc", True), ("application/grpc+proto", True), ("application/grpc;charset=utf-8", True),
        ("application/grpcweb", False), ("application/json", False), ("", False),
    ],
)
def test_which_content_types_are_grpc(content_type: str, expected: bool) -> None:
    assert is_grpc(content_type) is expected


def test_every_field_of_a_head_is_read() -> None:
    head = RequestParser(()).parse([
        *PLAIN[:3], (":authority", "me"), ("content-type", "application/grpc+proto"), ("user-agent", "other"),
        ("grpc-encoding", "gzip"), ("grpc-timeout", "1S"), ("key", "value"),
    ])

    assert head == RequestHead(ECHO, (("key", "value"),), 1.0, "me", "other", "application/grpc+proto", "gzip", False)


def test_host_stands_in_for_the_authority() -> None:
    assert RequestParser(()).parse([*PLAIN, ("host", "me")]).authority == "me"


@pytest.mark.parametrize("missing", [":method", ":scheme", ":path"])
def test_a_request_without_its_pseudo_headers_is_malformed(missing: str) -> None:
    with pytest.raises(StreamFault, match="needs"):
        RequestParser(()).parse([field for field in PLAIN if field[0] != missing])


@pytest.mark.parametrize(
    ("field", "http_status", "code", "text"),
    [
        (("content-type", ""), 415, Code.INVALID_ARGUMENT, 'invalid gRPC request content-type ""'),
        (("content-type", "text/html"), 415, Code.INVALID_ARGUMENT, 'invalid gRPC request content-type "text/html"'),
        (("grpc-timeout", "soon"), 400, Code.INTERNAL, "malformed grpc-timeout"),
        (("k-bin", "***"), 400, Code.INTERNAL, "malformed binary metadata"),
    ],
)
def test_what_is_not_grpc_is_told_why(field: tuple[str, str], http_status: int, code: Code, text: str) -> None:
    with pytest.raises(CallFault, match=text) as caught:
        RequestParser(()).parse(fields_with(field))

    assert (caught.value.http_status, caught.value.code) == (http_status, code)


def test_another_method_than_post_is_told_so() -> None:
    with pytest.raises(CallFault, match='with :method "GET" which should be POST') as caught:
        RequestParser(()).parse([(":method", "GET"), *PLAIN[1:]])

    assert caught.value.http_status == 405


def test_trailers_of_a_request_say_nothing() -> None:
    assert parse_trailers([("anything", "x")])
    with pytest.raises(StreamFault):
        parse_trailers([(":path", "/")])
