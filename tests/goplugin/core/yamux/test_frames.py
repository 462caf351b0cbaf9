"""The octets, as a Go peer writes them."""
from __future__ import annotations

from goplugin.core.yamux import frames


def test_data_is_a_head_with_its_length() -> None:
    assert frames.data_head(3, 5).hex() == "00 00 0000 00000003 00000005".replace(" ", "")


def test_flags_travel_on_a_window_update() -> None:
    assert frames.window_update(1, frames.SYN).hex() == "00 01 0001 00000001 00000000".replace(" ", "")
    assert frames.window_update(2, frames.ACK | frames.FIN, 7).hex() == "00 01 0006 00000002 00000007".replace(" ", "")


def test_a_ping_carries_its_value_where_others_have_a_length() -> None:
    assert frames.ping(frames.SYN, 0xCAFE).hex() == "00 02 0001 00000000 0000cafe".replace(" ", "")


def test_a_go_away_carries_its_reason_there() -> None:
    assert frames.go_away(frames.PROTOCOL_ERROR).hex() == "00 03 0000 00000000 00000001".replace(" ", "")


def test_a_head_is_read_as_it_was_written() -> None:
    head = frames.window_update(9, frames.RST, 11)

    assert frames.unpack_head(b"xx" + head, 2) == (frames.VERSION, frames.WINDOW_UPDATE, frames.RST, 9, 11)
