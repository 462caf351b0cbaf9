from __future__ import annotations

import pytest

from goplugin.core.errors import LocalProtocolError
from goplugin.core.http2.faults import PROTOCOL_ERROR, STREAM_CLOSED, StreamFault
from goplugin.core.http2.responses import NO_HEAD, ResponseHead
from goplugin.core.http2.stream import DATA_STEP, END_STEP, ENDED, HEAD_STEP, IDLE, OPEN, STATES, STEPS, Stream

ALL_STEPS = [HEAD_STEP, DATA_STEP, END_STEP]
# The arrows of RFC 9113 5.1 that HEADERS and END_STREAM have; `send` is ours, `recv` the peer's.
ARROWS = {
    ("idle", "send", HEAD_STEP): "open",
    ("idle", "recv", HEAD_STEP): "open",
    ("open", "send", HEAD_STEP): "open",                  # an answer's head
    ("open", "recv", HEAD_STEP): "open",
    ("open", "send", END_STEP): "half-closed (local)",
    ("open", "recv", END_STEP): "half-closed (remote)",
    ("half-closed (local)", "recv", HEAD_STEP): "half-closed (local)",
    ("half-closed (local)", "recv", END_STEP): "closed",
    ("half-closed (remote)", "send", HEAD_STEP): "half-closed (remote)",
    ("half-closed (remote)", "send", END_STEP): "closed",
}


def stream_in(local: int, remote: int) -> Stream[ResponseHead]:
    return Stream(1, NO_HEAD, local, remote, 100, 100, False, True)


def test_every_pair_of_streets_has_a_name() -> None:
    assert set(STATES) == {(local, remote) for local in range(3) for remote in range(3)}


@pytest.mark.parametrize(("local", "remote"), STATES)
@pytest.mark.parametrize("step", ALL_STEPS)
def test_the_steps_are_the_arrows_of_the_rfc(local: int, remote: int, step: str) -> None:
    for direction in ("send", "recv"):
        stream = stream_in(local, remote)
        before = stream.state
        street = local if direction == "send" else remote
        if (street, step) not in STEPS:
            continue
        stream.send(step) if direction == "send" else stream.receive(step)
        expected = before if step == DATA_STEP else ARROWS[before, direction, step]
        assert stream.state == expected


@pytest.mark.parametrize("step", ALL_STEPS)
@pytest.mark.parametrize("local", [IDLE, OPEN, ENDED])
def test_an_impossible_step_of_ours_is_a_bug(local: int, step: str) -> None:
    stream = stream_in(local, OPEN)
    if (local, step) in STEPS:
        stream.send(step)
        assert stream.local == STEPS[local, step]
    else:
        with pytest.raises(LocalProtocolError, match=f"{step} cannot be sent on stream 1"):
            stream.send(step)


@pytest.mark.parametrize("step", ALL_STEPS)
@pytest.mark.parametrize("remote", [IDLE, OPEN, ENDED])
def test_an_impossible_step_of_the_peer_costs_the_stream(remote: int, step: str) -> None:
    stream = stream_in(OPEN, remote)
    if (remote, step) in STEPS:
        stream.receive(step)
        assert stream.remote == STEPS[remote, step]
    else:
        with pytest.raises(StreamFault) as caught:
            stream.receive(step)
        assert caught.value.error_code == (STREAM_CLOSED if remote == ENDED else PROTOCOL_ERROR)
