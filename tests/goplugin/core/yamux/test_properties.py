"""What holds for all bytes, however they are cut, and for all that two sessions may say to each other."""
from __future__ import annotations

import itertools
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from goplugin.core.errors import RemoteProtocolError
from goplugin.core.yamux import (
    BACKLOG,
    INITIAL_WINDOW,
    DataReceived,
    Event,
    Session,
    StreamFinished,
    StreamOpened,
    StreamReset,
    StreamWritable,
)
from goplugin.core.yamux.frames import DATA, HEAD_SIZE, MAX_WORD
from goplugin.core.yamux.session import MAX_OWED

from .support import drain, pack

STREAM_IDS = st.sampled_from([0, 1, 2, 3, 5, 7, 8, MAX_WORD])
FLAGS = st.sampled_from([0, 0, 0, 1, 2, 4, 8, 3, 5, 6, 15, 0xFFF0])
WORDS = st.sampled_from([0, 0, 0, 1, 2, 50, INITIAL_WINDOW // 2, INITIAL_WINDOW, MAX_WORD])




class Data(NamedTuple):
    """A DATA frame, by the size of its payload: hypothesis shall not print it."""

    flags: int
    stream_id: int
    size: int


SIZES = st.integers(0, 20) | st.sampled_from([INITIAL_WINDOW // 2, INITIAL_WINDOW])
FRAMES = st.one_of(
    st.builds(Data, FLAGS, STREAM_IDS, SIZES),
    st.builds(pack, st.integers(1, 3), FLAGS, STREAM_IDS, WORDS),
    st.builds(pack, st.integers(0, 5), FLAGS, STREAM_IDS, WORDS, st.sampled_from([0, 0, 0, 1])),
    st.binary(max_size=12),
)
CONVERSATIONS = st.lists(FRAMES, max_size=12)
CUTS = st.lists(st.integers(0, 400))


def written(frames: list[Data | bytes]) -> bytes:
    return b"".join(
        pack(DATA, frame.flags, frame.stream_id, frame.size) + bytes(frame.size) if isinstance(frame, Data) else frame
        for frame in frames
    )


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    positions = [0, *sorted(at for at in cuts if at < len(data)), len(data)]
    return [data[start:stop] for start, stop in itertools.pairwise(positions)]


def merged(events: list[Event]) -> list[Event]:
    """Data that came in pieces, as one piece."""
    result: list[Event] = []
    for event in events:
        last = result[-1] if result else None
        if isinstance(event, DataReceived) and isinstance(last, DataReceived) and event.stream_id == last.stream_id:
            result[-1] = DataReceived(event.stream_id, last.data + event.data)
        else:
            result.append(event)
    return result


def outcome(pieces: list[bytes]) -> tuple[list[str], str, bytes]:
    """All that comes of these bytes at a client with streams of its own: events, the error, and what is to be sent."""
    session = Session(client=True)
    session.send_open()
    session.send_open()
    session.send_data(1, bytes(INITIAL_WINDOW + 1))
    session.send_end(3)
    session.discard(3)
    events: list[Event] = []
    error = ""
    for piece in pieces:
        session.receive_data(piece)
        assert len(session._buffer) < HEAD_SIZE
        assert len(session._pieces) < MAX_OWED + 10
        assert sum(stream.held for stream in session._streams.values()) <= len(session._streams) * INITIAL_WINDOW
        assert len(session._streams) <= 2 + BACKLOG
    session.receive_eof()
    try:
        while (event := session.next_event()) is not None:
            events.append(event)
    except RemoteProtocolError as broken:
        error = str(broken)
    assert not session._streams
    assert session._offered == session._unanswered == 0
    return [repr(event) for event in merged(events)], error, session.data_to_send()


@given(CONVERSATIONS, CUTS)
@settings(max_examples=500)
def test_a_session_does_not_care_how_bytes_are_cut(conversation: list[Data | bytes], cuts: list[int]) -> None:
    data = written(conversation)
    whole = outcome([data])

    assert outcome(cut(data, cuts)) == whole
    assert outcome([data[at : at + 1] for at in range(min(len(data), 400))] + [data[400:]]) == whole


@given(st.lists(st.binary(max_size=40)))
def test_any_bytes_give_events_or_an_error(pieces: list[bytes]) -> None:
    outcome(pieces)


@given(st.lists(CONVERSATIONS, max_size=5), st.data())
@settings(max_examples=300)
def test_a_session_that_answers_survives_any_peer(conversations: list[list[Data | bytes]], data: st.DataObject) -> None:
    session = Session(client=True)
    session.send_open()
    try:
        for conversation in conversations:
            session.receive_data(written(conversation))
            for event in drain(session):
                if isinstance(event, StreamOpened):
                    session.send_accept(event.stream_id)
                    session.send_data(event.stream_id, bytes(data.draw(st.sampled_from([0, 10, INITIAL_WINDOW + 5]))))
                elif isinstance(event, DataReceived):
                    session.acknowledge_data(event.stream_id, data.draw(st.integers(0, len(event.data))))
                elif isinstance(event, StreamFinished) and data.draw(st.booleans()):
                    session.discard(event.stream_id)
                    session.send_reset(event.stream_id)
            if data.draw(st.booleans()):
                session.data_to_send()
    except RemoteProtocolError:
        assert not session._streams


class End:
    """One end of a conversation that means well: what it has to say, and what it has heard."""

    def __init__(self, *, client: bool) -> None:
        self.session = Session(client=client)
        self.to_say: dict[int, bytes] = {}
        self.said: dict[int, bytes] = {}
        self.heard: dict[int, bytes] = {}
        self.unacknowledged: dict[int, int] = {}
        self.finished: set[int] = set()
        self.wire = b""

    def open(self) -> None:
        if self.session.can_open:
            self.to_say[self.session.send_open()] = b""

    def say(self, stream_id: int, data: bytes) -> None:
        self.said[stream_id] = self.said.get(stream_id, b"") + data
        self.to_say[stream_id] += data
        self.go_on(stream_id)

    def go_on(self, stream_id: int) -> None:
        waiting = self.to_say[stream_id]
        self.to_say[stream_id] = waiting[self.session.send_data(stream_id, waiting) :]

    def write(self) -> None:
        self.wire += self.session.data_to_send()

    def hear(self, data: bytes) -> None:
        self.session.receive_data(data)
        for event in drain(self.session):
            if isinstance(event, StreamOpened):
                self.session.send_accept(event.stream_id)
                self.to_say[event.stream_id] = b""
            elif isinstance(event, DataReceived):
                self.heard[event.stream_id] = self.heard.get(event.stream_id, b"") + event.data
                self.unacknowledged[event.stream_id] = self.unacknowledged.get(event.stream_id, 0) + len(event.data)
                assert self.unacknowledged[event.stream_id] <= INITIAL_WINDOW
            elif isinstance(event, StreamWritable):
                self.go_on(event.stream_id)
            elif isinstance(event, StreamFinished):
                self.finished.add(event.stream_id)
            assert not isinstance(event, StreamReset)

    def acknowledge(self) -> None:
        for stream_id, size in self.unacknowledged.items():
            self.session.acknowledge_data(stream_id, size)
        self.unacknowledged.clear()


STEPS = st.lists(
    st.tuples(st.booleans(), st.sampled_from(["open", "say", "say", "carry", "carry", "acknowledge"]), st.integers(0)),
    max_size=60,
)


@given(STEPS)
@settings(max_examples=200)
def test_two_sessions_deliver_every_octet_in_order(steps: list[tuple[bool, str, int]]) -> None:
    client, server = End(client=True), End(client=False)
    for first, action, number in steps:
        end, other = (client, server) if first else (server, client)
        if action == "open":
            end.open()
        elif action == "say" and end.to_say:
            size = (1, 13, 5_000, 200_000)[number % 4]
            stream_id = sorted(end.to_say)[number % len(end.to_say)]
            end.say(stream_id, bytes((number % 251,)) * size)
        elif action == "carry":
            end.write()
            size = number % (len(end.wire) + 1)
            data, end.wire = end.wire[:size], end.wire[size:]
            other.hear(data)
        elif action == "acknowledge":
            end.acknowledge()
    settle(client, server)

    assert client.heard == {stream_id: said for stream_id, said in server.said.items() if said}
    assert server.heard == {stream_id: said for stream_id, said in client.said.items() if said}
    for end, other in ((client, server), (server, client)):
        for stream_id in end.to_say:
            end.session.send_end(stream_id)
        end.write()
        other.hear(end.wire)
    assert client.finished == set(server.to_say)
    assert server.finished == set(client.to_say)
    assert client.session._streams == server.session._streams == {}


def settle(client: End, server: End) -> None:
    """Carry and acknowledge until there is nothing left to carry."""
    while True:
        carried = b""
        for end, other in ((client, server), (server, client)):
            end.acknowledge()
            end.write()
            data, end.wire = end.wire, b""
            carried += data
            other.hear(data)
        if not carried:
            return
