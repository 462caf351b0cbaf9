from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goplugin.core.errors import ConfigError
from goplugin.core.http2.faults import FLOW_CONTROL_ERROR, PROTOCOL_ERROR, ConnectionFault
from goplugin.core.http2.frames import HEAD_SIZE, settings, window_update
from goplugin.core.http2.metadata import UNLIMITED
from goplugin.core.http2.settings import (
    ENABLE_PUSH,
    HEADER_TABLE_SIZE,
    INITIAL_WINDOW_SIZE,
    MAX_CONCURRENT_STREAMS,
    MAX_FRAME_SIZE,
    MAX_HEADER_LIST_SIZE,
    Limits,
    PeerSettings,
)


def payload(*pairs: tuple[int, int]) -> bytes:
    return settings(pairs)[HEAD_SIZE:]


def test_the_defaults_are_those_of_the_rfc() -> None:
    peer = PeerSettings()

    assert (peer.header_table_size, peer.initial_window, peer.max_frame_size) == (4096, 65_535, 16_384)
    assert peer.max_streams == peer.max_header_list_size == UNLIMITED


def test_every_parameter_is_taken() -> None:
    peer = PeerSettings()

    values = peer.apply(
        payload(
            (HEADER_TABLE_SIZE, 1), (ENABLE_PUSH, 1), (MAX_CONCURRENT_STREAMS, 3), (INITIAL_WINDOW_SIZE, 4),
            (MAX_FRAME_SIZE, 16_385), (MAX_HEADER_LIST_SIZE, 6), (0x99, 7),
        ),
        max_push=1,
    )

    assert values == {1: 1, 2: 1, 3: 3, 4: 4, 5: 16_385, 6: 6, 0x99: 7}
    assert (peer.header_table_size, peer.max_streams, peer.initial_window) == (1, 3, 4)
    assert (peer.max_frame_size, peer.max_header_list_size) == (16_385, 6)


def test_the_last_value_of_a_parameter_counts() -> None:
    peer = PeerSettings()

    peer.apply(payload((INITIAL_WINDOW_SIZE, 1), (INITIAL_WINDOW_SIZE, 2)), max_push=0)

    assert peer.initial_window == 2


@pytest.mark.parametrize(
    ("parameter", "value", "error_code"),
    [
        (ENABLE_PUSH, 2, PROTOCOL_ERROR),
        (INITIAL_WINDOW_SIZE, 2**31, FLOW_CONTROL_ERROR),
        (MAX_FRAME_SIZE, 16_383, PROTOCOL_ERROR),
        (MAX_FRAME_SIZE, 2**24, PROTOCOL_ERROR),
    ],
)
def test_a_value_out_of_range_costs_the_connection(parameter: int, value: int, error_code: int) -> None:
    with pytest.raises(ConnectionFault) as caught:
        PeerSettings().apply(payload((parameter, value)), max_push=1)

    assert caught.value.error_code == error_code


def test_a_server_cannot_enable_push() -> None:
    with pytest.raises(ConnectionFault, match="push"):
        PeerSettings().apply(payload((ENABLE_PUSH, 1)), max_push=0)


@given(st.lists(st.tuples(st.integers(0, 65535), st.integers(0, 2**32 - 1))))
def test_any_payload_is_taken_or_refused(pairs: list[tuple[int, int]]) -> None:
    try:
        values = PeerSettings().apply(payload(*pairs), max_push=1)
    except ConnectionFault:
        return
    assert values == dict(pairs)


def test_limits_are_announced() -> None:
    limits = Limits(max_header_list_size=5, stream_window=65_536, connection_window=70_000)

    assert limits.announcement((ENABLE_PUSH, 0)) == settings(
        [(INITIAL_WINDOW_SIZE, 65_536), (MAX_HEADER_LIST_SIZE, 5), (ENABLE_PUSH, 0)]
    ) + window_update(0, 70_000 - 65_535)


def test_a_window_that_is_the_default_needs_no_credit() -> None:
    assert Limits(connection_window=65_535).announcement((ENABLE_PUSH, 0))[3:4] == b"\x04"
    assert len(Limits(connection_window=65_535).announcement((ENABLE_PUSH, 0))) == 9 + 3 * 6


@pytest.mark.parametrize("window", [0, 65_534, 2**31])
def test_windows_that_cannot_work_are_refused(window: int) -> None:
    with pytest.raises(ConfigError, match=str(window)):
        Limits(stream_window=window)
    with pytest.raises(ConfigError, match=str(window)):
        Limits(connection_window=window)
