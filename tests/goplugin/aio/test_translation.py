"""The machine's words and grpclib's."""
from __future__ import annotations

import pytest
from grpclib.config import Configuration
from grpclib.const import Status as StatusCode
from hypothesis import given
from hypothesis import strategies as st
from multidict import MultiDict

from goplugin.aio.translation import limits_of, multidict_of, pairs_of, refused, status_of
from goplugin.core.errors import LocalProtocolError
from goplugin.core.http2 import Limits, Metadata, Status
from goplugin.core.status import Code

KEYS = st.text("abcdefghijklmnopqrstuvwxyz0123456789_-.", min_size=1).filter(lambda key: not key.startswith("grpc-"))
PAIRS = st.lists(st.tuples(KEYS, st.text() | st.binary())).map(tuple)


@given(PAIRS)
def test_metadata_keeps_its_order_and_its_repetitions(pairs: Metadata) -> None:
    assert pairs_of(multidict_of(pairs)) == pairs
    assert pairs_of(pairs) == pairs


@pytest.mark.parametrize("metadata", [None, (), {}, MultiDict()])
def test_no_metadata_has_many_forms(metadata: object) -> None:
    assert pairs_of(metadata) == ()  # pyright: ignore[reportArgumentType]


def test_a_mapping_is_metadata() -> None:
    assert pairs_of({"key": "value", "raw-bin": b"\0"}) == (("key", "value"), ("raw-bin", b"\0"))


def test_what_grpc_keeps_for_itself_is_hidden() -> None:
    assert list(multidict_of((("grpc-trace-bin", b""), ("key", "value"))).items()) == [("key", "value")]
    with pytest.raises(ValueError, match="Invalid metadata key: 'grpc-trace-bin'"):
        pairs_of({"grpc-trace-bin": b""})


@pytest.mark.parametrize(
    ("pair", "error", "text"),
    [
        (("Key", "x"), ValueError, "Invalid metadata key: 'Key'"),
        (("key", "\n"), ValueError, "Invalid metadata value: '\\n'"),
        (("key", b""), TypeError, "Invalid metadata value type, str expected: b''"),
        (("key", " what grpclib sends "), ValueError, "the machine's own words"),
    ],
)
def test_a_refusal_is_grpclibs_where_it_has_one(pair: tuple[str, str], error: type[Exception], text: str) -> None:
    refusal = refused((pair,), LocalProtocolError("the machine's own words"))

    assert (type(refusal), str(refusal)) == (error, text)


@pytest.mark.parametrize("code", Code)
def test_every_code_has_its_counterpart(code: Code) -> None:
    status, message, details = status_of(Status(code, "text", b"details"), None)

    assert status.name == code.name
    assert details is None
    assert message == (None if status is StatusCode.OK else "text")


def test_an_error_without_a_message_has_none() -> None:
    assert status_of(Status(Code.ABORTED), None) == (StatusCode.ABORTED, None, None)


def test_windows_come_from_the_configuration() -> None:
    config = Configuration(http2_connection_window_size=2**20, http2_stream_window_size=2**17)

    assert limits_of(config).connection_window == 2**20
    assert limits_of(config).stream_window == 2**17
    assert limits_of(None).stream_window == Limits().stream_window
