from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from goplugin.core.errors import RemoteProtocolError
from goplugin.core.protowire import bytes_field, fields, uint_field
from goplugin.wasm.services.messages import HttpGetRequest, HttpGetResponse, LogRequest


@given(st.binary())
def test_any_bytes_are_a_request_or_refused(data: bytes) -> None:
    for message in (LogRequest, HttpGetRequest):
        with contextlib.suppress(RemoteProtocolError):
            message.FromString(data)


def test_fields_of_later_versions_are_skipped() -> None:
    data = bytes_field(9, b"new") + uint_field(1, 7) + bytes_field(1, b"http://localhost")

    assert HttpGetRequest.FromString(data) == ("http://localhost", {})


def test_a_response_has_its_fields_where_the_proto_file_has_them() -> None:
    assert HttpGetResponse().SerializeToString() == b""
    assert list(fields(HttpGetResponse(b"body", 200, {"a": "b"}, "text").SerializeToString())) == [
        (1, 2, b"body"), (2, 0, 200), (3, 2, b"\n\1a\x12\1b"), (4, 2, b"text"),
    ]  # fmt: skip
