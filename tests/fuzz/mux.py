"""Several connections over one: yamux, and the broker's messages."""
from __future__ import annotations

import struct
from contextlib import suppress

from goplugin.core.broker import MOST_PENDING, PENDING_SECONDS, BrokerMachine, MultiplexedBroker, PlainBroker
from goplugin.core.errors import LocalProtocolError, RemoteProtocolError
from goplugin.core.messages import ConnInfo, Knock
from goplugin.core.yamux import Event, Session
from goplugin.core.yamux.frames import HEAD_SIZE, INITIAL_WINDOW, MAX_WORD
from goplugin.core.yamux.session import BACKLOG

from .script import Script, assert_broken

SIZES = [0, 1, 1000, INITIAL_WINDOW, INITIAL_WINDOW + 1]
LENGTHS = [0, 1, 10, INITIAL_WINDOW // 2, INITIAL_WINDOW, INITIAL_WINDOW + 1, MAX_WORD]


def yamux_session(data: bytes) -> None:
    script = Script(data)
    session = Session(client=bool(script.number() % 2))
    try:
        while script:
            session.receive_data(_bytes_from_peer(script))
            while (event := session.next_event()) is not None:
                _react(session, event, script)
            if session.can_open and not script.number() % 4:
                session.send_data(session.send_open(), bytes(script.choose(SIZES)))
            if script.number() % 2:
                session.data_to_send()
            assert len(session._buffer) < HEAD_SIZE
            assert session._offered <= BACKLOG
            assert all(stream.held <= INITIAL_WINDOW for stream in session._streams.values())
        session.receive_eof()
    except RemoteProtocolError:
        session.data_to_send()
        assert_broken(session.next_event)
    assert not session._streams or not script


def _bytes_from_peer(script: Script) -> bytes:
    """Any bytes, or a frame."""
    kind = script.number() % 6
    if kind == 0:
        return script.piece()
    payload = script.piece() if kind == 1 else b""
    length = len(payload) if script.number() % 8 else script.choose(LENGTHS)
    stream_id = script.number() % 16
    return struct.pack(">BBHII", 0, min(kind - 1, 3), script.number() % 16, stream_id, length) + payload


def _react(session: Session, event: Event, script: Script) -> None:
    """Something that an application may do behind this event, or may have meant to do before it."""
    stream_id = getattr(event, "stream_id", 0)
    with suppress(LocalProtocolError):
        match script.number() % 7:
            case 0:
                session.send_accept(stream_id)
            case 1:
                session.send_data(stream_id, bytes(script.choose(SIZES)))
            case 2:
                session.send_end(stream_id)
            case 3:
                session.send_reset(stream_id)
            case 4:
                session.acknowledge_data(stream_id, len(getattr(event, "data", b"")))
            case 5:
                session.discard(stream_id)
            case _:
                session.send_ping(script.number())


def broker(data: bytes) -> None:
    script = Script(data)
    machine: BrokerMachine = script.choose([PlainBroker, MultiplexedBroker])()
    now = 0.0
    while script:
        now += script.choose([0.0, 0.5, PENDING_SECONDS])
        with suppress(LocalProtocolError, RemoteProtocolError):
            _take_step(machine, script, now)
        while machine.message_to_send(now) is not None:
            pass
        while machine.next_event() is not None:
            pass
        for kept in vars(machine).values():
            assert not isinstance(kept, dict | set) or len(kept) <= MOST_PENDING
    machine.expire(now + PENDING_SECONDS)


def _take_step(machine: BrokerMachine, script: Script, now: float) -> None:
    service_id = script.number() % 8
    match script.number() % 5:
        case 0:
            machine.receive_message(ConnInfo.FromString(script.piece()), now)
        case 1:
            flags = script.number()
            machine.receive_message(ConnInfo(service_id, knock=Knock(bool(flags & 1), bool(flags & 2))), now)
        case 2:
            machine.dial(service_id, now)
        case 3:
            machine.cancel_dial(service_id)
        case _ if isinstance(machine, MultiplexedBroker):
            machine.accept(service_id) if service_id % 2 else machine.receive_stream(now)
        case _ if isinstance(machine, PlainBroker):
            machine.send_conn_info(service_id, "unix", "/tmp/x")


SEEDS = {
    "yamux_session": [
        b"\x00",
        b"\x00\x03\x01\x01\x01\x00\x00\x01\x01\x05hello\x01\x01\x00\x04\x01\x01",
        b"\x01\x03\x01\x02\x02\x00\x00\x00\x02\x01",
        b"\x00" + b"\x03\x01\x01\x01\x03\x01\x01" * 4,
        b"\x00\x00\x0c" + struct.pack(">BBHII", 0, 0, 1, 1, 5) + b"\x01\x01\x00\x05hello\x01\x01",
    ],
    "broker": [
        b"\x00\x00\x01\x02\x00\x00\x00\x10" + ConnInfo(1, "unix", "/tmp/x").SerializeToString(),
        b"\x01\x00\x01\x04\x00\x01\x01\x01\x00\x02\x02\x00\x02\x01\x03",
    ],
}
