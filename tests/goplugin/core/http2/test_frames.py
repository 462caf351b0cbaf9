from __future__ import annotations

import pytest
from hyperframe import frame as other
from hypothesis import given
from hypothesis import strategies as st

from goplugin.core.http2 import frames
from goplugin.core.http2.faults import ConnectionFault

from .support import frames as parse

stream_ids = st.integers(1, frames.MAX_STREAM_ID)
words = st.integers(0, 2**32 - 1)


@given(stream_ids, st.binary(max_size=70), st.booleans())
def test_header_blocks_are_split_into_continuations(stream_id: int, block: bytes, end: bool) -> None:
    flags = frames.END_STREAM if end else 0

    pieces = parse(frames.headers(stream_id, block, flags, max_frame_size=16))

    assert b"".join(piece.payload for piece in pieces) == block
    assert all(len(piece.payload) <= 16 and piece.stream_id == stream_id for piece in pieces)
    assert [piece.kind for piece in pieces] == [frames.HEADERS] + [frames.CONTINUATION] * (len(pieces) - 1)
    assert [bool(piece.flags & frames.END_HEADERS) for piece in pieces] == [False] * (len(pieces) - 1) + [True]
    assert [piece.flags & frames.END_STREAM for piece in pieces] == [flags] + [0] * (len(pieces) - 1)


@given(stream_ids, words)
def test_rst_stream(stream_id: int, error_code: int) -> None:
    assert frames.rst_stream(stream_id, error_code) == other.RstStreamFrame(stream_id, error_code).serialize()


@given(st.dictionaries(st.integers(0, 255), words))
def test_settings(values: dict[int, int]) -> None:
    assert frames.settings(values.items()) == other.SettingsFrame(0, values).serialize()


def test_settings_ack() -> None:
    assert frames.settings_ack() == other.SettingsFrame(0, flags=["ACK"]).serialize()


@pytest.mark.parametrize(("flags", "names"), [(0, []), (frames.ACK, ["ACK"])])
def test_ping(flags: int, names: list[str]) -> None:
    assert frames.ping(b"12345678", flags) == other.PingFrame(0, b"12345678", flags=names).serialize()


@given(st.integers(0, frames.MAX_STREAM_ID), words, st.binary(max_size=40))
def test_goaway(last_stream_id: int, error_code: int, reason: bytes) -> None:
    expected = other.GoAwayFrame(0, last_stream_id, error_code, reason).serialize()

    assert frames.goaway(last_stream_id, error_code, reason) == expected


@given(st.integers(0, frames.MAX_STREAM_ID), st.integers(1, frames.MAX_WINDOW))
def test_window_update(stream_id: int, increment: int) -> None:
    assert frames.window_update(stream_id, increment) == other.WindowUpdateFrame(stream_id, increment).serialize()


@given(stream_ids, st.binary(max_size=40), st.booleans())
def test_data(stream_id: int, payload: bytes, end: bool) -> None:
    expected = other.DataFrame(stream_id, payload, flags=["END_STREAM"] if end else []).serialize()

    assert frames.data_head(stream_id, len(payload), frames.END_STREAM if end else 0) + payload == expected


@given(st.binary(max_size=20), st.binary(max_size=20), st.integers(0, 255))
def test_padding_is_cut_off_both_ends(before: bytes, content: bytes, length: int) -> None:
    data = before + bytes((length,)) + content + b"\0" * length + b"behind"
    stop = len(data) - len(b"behind")

    start, end = frames.unpad(data, len(before), stop)

    assert data[start:end] == content


@pytest.mark.parametrize("payload", [b"", b"\x01", b"\x05abcd"])
def test_padding_longer_than_its_frame_is_refused(payload: bytes) -> None:
    with pytest.raises(ConnectionFault, match="padding"):
        frames.unpad(payload, 0, len(payload))
