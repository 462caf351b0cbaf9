"""yamux without I/O: many streams over one connection, for the client's and the server's end.

go-plugin runs it below gRPC in multiplexed mode and below net/rpc. The host is the client, whose streams have odd ids;
either side may open streams at any time, and nothing precedes the first frame.

    opener                                              acceptor
    WINDOW_UPDATE  SYN                      ---->
    DATA           as far as credit goes    ---->
                                            <----   WINDOW_UPDATE  ACK
                                            <----   DATA, and WINDOW_UPDATE for what has been taken
    WINDOW_UPDATE  FIN                      ---->
                                            <----   WINDOW_UPDATE  FIN

Bottom up: `frames` is their layout, `stream` the life of one stream, `events` what comes out, `session` the machine.
It has the verbs of every machine of this project, and keeps nothing that is to be sent for want of credit: `send_data`
returns how much it took, as a socket does, and StreamWritable tells when to go on. It is not thread-safe.

    session = Session(client=True)
    stream_id = session.send_open()
    session.send_data(stream_id, b"hello")
    session.send_end(stream_id)
    sock.sendall(session.data_to_send())
    while data := sock.recv(65536):
        session.receive_data(data)
        while (event := session.next_event()) is not None:
            if isinstance(event, DataReceived):
                print(event.data)
                session.acknowledge_data(event.stream_id, len(event.data))
            elif isinstance(event, StreamFinished | StreamReset):
                return
        sock.sendall(session.data_to_send())

`next_event` raises RemoteProtocolError when the peer broke the protocol; all streams have ended with StreamReset
before, and `data_to_send` has the GO_AWAY that says so. LocalProtocolError means a bug in the calling code.
"""
from __future__ import annotations

from .events import (
    DataReceived,
    Event,
    GoingAway,
    PingAcknowledged,
    SessionEnded,
    StreamAccepted,
    StreamFinished,
    StreamOpened,
    StreamReset,
    StreamWritable,
)
from .frames import INITIAL_WINDOW
from .session import BACKLOG, Session

__all__ = [
    "BACKLOG", "INITIAL_WINDOW", "Session",
    "DataReceived", "Event", "GoingAway", "PingAcknowledged", "SessionEnded", "StreamAccepted", "StreamFinished",
    "StreamOpened", "StreamReset", "StreamWritable",
]
