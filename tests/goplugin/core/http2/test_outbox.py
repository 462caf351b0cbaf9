from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goplugin.core.http2.faults import ENHANCE_YOUR_CALM, FLOW_CONTROL_ERROR, ConnectionFault
from goplugin.core.http2.frames import DATA, DEFAULT_WINDOW, END_STREAM, HEADERS, MAX_WINDOW
from goplugin.core.http2.hpack import DROP_TABLE
from goplugin.core.http2.outbox import MAX_DEBT, MAX_OWED, Backlog, Outbox, Sender

from .support import Frame, frames, message


def outbox(window: int = DEFAULT_WINDOW) -> Outbox:
    ours = Outbox()
    ours.window = window
    ours.max_frame_size = 10
    return ours


def data_of(found: list[Frame], stream_id: int) -> bytes:
    return b"".join(frame.payload for frame in found if frame.kind == DATA and frame.stream_id == stream_id)


@given(st.lists(st.binary(max_size=20)), st.data())
def test_a_backlog_gives_back_what_it_took_in(pieces: list[bytes], data: st.DataObject) -> None:
    backlog = Backlog()
    for piece in pieces:
        backlog.append(piece)
    assert backlog.size == sum(map(len, pieces))

    taken = b""
    while backlog.size:
        size = data.draw(st.integers(1, backlog.size))
        taken += b"".join(backlog.take(size))

    assert taken == b"".join(pieces)
    assert not backlog.pieces


def test_a_message_that_fits_goes_out_at_once() -> None:
    ours, sender = outbox(), Sender(1, 100)

    assert ours.message(sender, b"hello", END_STREAM)

    assert frames(ours.collect()) == [Frame(DATA, END_STREAM, 1, message(b"hello"))]
    assert (sender.send_window, ours.window) == (90, DEFAULT_WINDOW - 10)
    assert ours.collect() == b""


def test_a_message_larger_than_a_frame_is_split() -> None:
    ours, sender = outbox(), Sender(1, 100)

    assert ours.message(sender, b"x" * 25, END_STREAM)

    found = frames(ours.collect())
    assert [(len(frame.payload), frame.flags) for frame in found] == [(10, 0), (10, 0), (10, END_STREAM)]
    assert data_of(found, 1) == message(b"x" * 25)


def test_what_exceeds_the_streams_credit_waits_for_it() -> None:
    ours, sender = outbox(), Sender(1, 12)

    assert not ours.message(sender, b"x" * 25, 0)
    assert len(data_of(frames(ours.collect()), 1)) == 12
    assert not ours.ready               # the connection's credit would not help

    sender.send_window += 100
    assert ours.pump(sender)
    assert len(data_of(frames(ours.collect()), 1)) == 18
    assert sender.backlog is None
    assert ours.pump(sender)            # nothing is left


def test_streams_that_wait_for_the_connection_take_turns() -> None:
    ours, one, two = outbox(window=0), Sender(1, 1000), Sender(3, 1000)
    assert not ours.message(one, b"1" * 35, 0)
    assert not ours.message(two, b"2" * 15, 0)

    drained = ours.add_credit(50)

    assert [frame.stream_id for frame in frames(ours.collect())] == [1, 3, 1, 3, 1]
    assert drained == [two]
    assert ours.add_credit(50) == [one]
    assert not ours.ready


def test_a_stream_without_credit_of_its_own_takes_no_turn() -> None:
    ours, one, two = outbox(window=0), Sender(1, 5), Sender(3, 1000)
    ours.message(one, b"1" * 35, 0)
    ours.message(two, b"2" * 35, 0)

    ours.add_credit(45)

    found = frames(ours.collect())
    assert (len(data_of(found, 1)), len(data_of(found, 3))) == (5, 40)


def test_messages_keep_their_order_behind_a_backlog() -> None:
    ours, sender = outbox(), Sender(1, 3)
    ours.message(sender, b"first", 0)
    assert not ours.message(sender, b"second", 0)
    ours.end(sender)

    sender.send_window += 100
    assert ours.pump(sender)

    found = frames(ours.collect())
    assert data_of(found, 1) == message(b"first") + message(b"second")
    assert [frame.flags for frame in found][-1] == END_STREAM


def test_trailers_wait_behind_the_backlog() -> None:
    ours, sender = outbox(), Sender(1, 3)
    ours.message(sender, b"body", 0)
    ours.trailers(sender, b"trailers")
    ours.collect()

    sender.send_window += 100
    assert ours.pump(sender)

    assert [frame.kind for frame in frames(ours.collect())] == [DATA, HEADERS]


def test_without_a_backlog_ends_go_out_at_once() -> None:
    ours, sender = outbox(), Sender(1, 100)

    ours.end(sender)
    ours.trailers(sender, b"t")

    assert frames(ours.collect()) == [Frame(DATA, END_STREAM, 1, b""), Frame(HEADERS, 5, 1, b"t")]


def test_a_stream_that_is_over_sends_nothing_more() -> None:
    ours, sender = outbox(window=0), Sender(1, 100)
    ours.message(sender, b"body", 0)

    ours.forget(sender)

    assert ours.add_credit(100) == []
    assert ours.collect() == b""


def test_the_first_block_after_the_peer_limits_the_table_drops_it() -> None:
    ours, sender = outbox(), Sender(1, 3)
    ours.message(sender, b"body", 0)
    ours.trailers(sender, b"late")          # encoded before, sent behind the block that drops the table
    ours.drops_table = True
    ours.collect()

    ours.headers(3, b"early", 0)
    sender.send_window += 100
    ours.pump(sender)

    blocks = [frame.payload for frame in frames(ours.collect()) if frame.kind == HEADERS]
    assert blocks == [DROP_TABLE + b"early", b"late"]


def test_a_window_cannot_grow_beyond_the_largest() -> None:
    ours = outbox()

    assert ours.add_credit(MAX_WINDOW - DEFAULT_WINDOW) == []
    with pytest.raises(ConnectionFault) as caught:
        ours.add_credit(1)
    assert caught.value.error_code == FLOW_CONTROL_ERROR


def test_who_does_not_read_the_answers_may_not_ask_for_ever() -> None:
    ours = outbox()
    for _ in range(MAX_OWED):
        ours.owe(b"x")

    with pytest.raises(ConnectionFault) as caught:
        ours.owe(b"x")
    assert caught.value.error_code == ENHANCE_YOUR_CALM
    assert len(ours.collect()) == MAX_OWED
    ours.owe(b"x")


def test_frames_without_purpose_are_paid_for_by_messages() -> None:
    ours = outbox()
    ours.charge(MAX_DEBT)
    ours.message(Sender(1, 100), b"", 0)
    ours.charge(MAX_DEBT)

    with pytest.raises(ConnectionFault) as caught:
        ours.charge(1)
    assert caught.value.error_code == ENHANCE_YOUR_CALM
