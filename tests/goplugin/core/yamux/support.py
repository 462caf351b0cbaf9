"""Frames by hand, and what sessions made of them."""
from __future__ import annotations

import struct
from typing import NamedTuple

from goplugin.core.yamux import Event, Session
from goplugin.core.yamux.frames import HEAD_SIZE


class Frame(NamedTuple):
    kind: int
    flags: int = 0
    stream_id: int = 0
    length: int = 0
    payload: bytes = b""


def pack(kind: int, flags: int = 0, stream_id: int = 0, length: int = 0, version: int = 0) -> bytes:
    """A frame's head, whatever it may be."""
    return struct.pack(">BBHII", version, kind, flags, stream_id, length)


def frames(data: bytes) -> list[Frame]:
    """The frames in `data`, of which there are whole ones only."""
    position = 0
    found: list[Frame] = []
    while position < len(data):
        version, kind, flags, stream_id, length = struct.unpack_from(">BBHII", data, position)
        assert version == 0
        start = position + HEAD_SIZE
        position = start + (0 if kind else length)
        assert position <= len(data)
        found.append(Frame(kind, flags, stream_id, length, data[start:position]))
    return found


def sent(session: Session) -> list[Frame]:
    return frames(session.data_to_send())


def drain(session: Session) -> list[Event]:
    events: list[Event] = []
    while (event := session.next_event()) is not None:
        events.append(event)
    return events


def told(session: Session) -> list[str]:
    """The events as text, because tuples of different types may be equal."""
    return [repr(event) for event in drain(session)]


def carry(source: Session, target: Session) -> list[str]:
    """Carry what one session has to send to another one; returns what that one tells."""
    target.receive_data(source.data_to_send())
    return told(target)


def pair() -> tuple[Session, Session]:
    return Session(client=True), Session(client=False)


def opened() -> tuple[Session, Session, int]:
    """A client, a server, and a stream that one has opened and the other accepted."""
    client, server = pair()
    stream_id = client.send_open()
    carry(client, server)
    server.send_accept(stream_id)
    carry(server, client)
    return client, server, stream_id
