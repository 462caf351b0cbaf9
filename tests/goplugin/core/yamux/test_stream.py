from __future__ import annotations

import pytest

from goplugin.core.errors import LocalProtocolError
from goplugin.core.yamux.stream import STEPS, SessionFault, State, Step, Stream


def stream_in(state: State) -> Stream:
    stream = Stream(1)
    stream.state = state
    return stream


@pytest.mark.parametrize("state", State)
def test_each_direction_ends_once(state: State) -> None:
    sender, receiver = stream_in(state), stream_in(state)
    if (state, Step.SEND_FIN) in STEPS:
        assert sender.sending
        sender.send_fin()
    assert not sender.sending
    with pytest.raises(LocalProtocolError, match=f"^stream 1 is {sender.state.value} already$"):
        sender.send_fin()

    if (state, Step.RECEIVE_FIN) in STEPS:
        assert receiver.receiving
        receiver.receive_fin()
    assert not receiver.receiving
    with pytest.raises(SessionFault, match=r"^a second FIN on stream 1$"):
        receiver.receive_fin()


def test_a_stream_is_closed_when_both_directions_have_ended() -> None:
    one, other = Stream(1), Stream(1)
    one.send_fin()
    one.receive_fin()
    other.receive_fin()
    other.send_fin()

    assert one.state is other.state is State.CLOSED
