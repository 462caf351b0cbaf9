from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from hypothesis import given
from hypothesis import strategies as st

from goplugin.core.errors import RemoteError
from goplugin.core.status import Code
from goplugin.details import decode_details, encode_details

from .sync.support import UNARY, Note, Probe, serving

# google.rpc.Status as protobuf writes it: code 5, message "text", and one Any with a Duration of three seconds.
STATUS = b'\x08\x05\x12\x04text\x1a2\n,type.googleapis.com/google.protobuf.Duration\x12\x02\x08\x03'


def test_details_are_written_as_protobuf_does() -> None:
    assert encode_details(5, "text", [Duration(seconds=3)]) == STATUS


def test_details_are_read() -> None:
    assert decode_details(STATUS) == (Duration(seconds=3),)


def test_details_make_the_way_and_back() -> None:
    details = (Note(text="a"), Duration(seconds=1), Note(data=b"\0"))

    assert decode_details(encode_details(13, "text", details)) == details


def test_an_any_is_what_it_contains() -> None:
    container = AnyMessage()
    container.Pack(Note(text="a"))

    assert decode_details(encode_details(13, "", [container])) == (Note(text="a"),)


def test_a_detail_of_an_unknown_type_stays_packed() -> None:
    container = AnyMessage(type_url="type.googleapis.com/no.such.Type", value=b"\x08\x01")

    assert decode_details(encode_details(13, "", [container])) == (container,)


def test_a_detail_that_is_no_message_of_its_type_stays_packed() -> None:
    container = AnyMessage(type_url="type.googleapis.com/google.protobuf.Duration", value=b"\xff")

    assert decode_details(encode_details(13, "", [container])) == (container,)


@given(st.binary())
def test_whatever_comes_gives_details_or_none(data: bytes) -> None:
    assert isinstance(decode_details(data), tuple)


def test_details_travel_with_an_error() -> None:
    def method(request: Any, context: Any) -> Any:
        raise RemoteError(Code.NOT_FOUND, "no such key", (Note(text="detail"),))

    with serving(Probe(method)) as channel, pytest.raises(RemoteError) as caught:
        channel.unary(UNARY, b"")

    assert (caught.value.code, caught.value.message) == (Code.NOT_FOUND, "no such key")
    assert caught.value.details == (Note(text="detail"),)


def test_details_that_cannot_be_sent_do_not_hide_the_error() -> None:
    def method(request: Any, context: Any) -> Any:
        raise RemoteError(Code.NOT_FOUND, "no such key", ("no message",))

    with serving(Probe(method)) as channel, pytest.raises(RemoteError, match="its details cannot be sent"):
        channel.unary(UNARY, b"")
