"""gRPC over HTTP/2 without I/O: bytes in, events and bytes out, for the client's and the server's end.

A gRPC call is one HTTP/2 stream:

    client                                              server
    HEADERS  :path /package.Service/Method ...  ---->
    DATA     a message, as often as needed      ---->
    (END_STREAM on the last frame)              ---->
                                                <----   HEADERS  :status 200 ...
                                                <----   DATA     a message, as often as needed
                                                <----   HEADERS  grpc-status ...  END_STREAM

Bottom up, and each module says which part of RFC 9113, RFC 7541 or the gRPC protocol it follows:

    faults      the sizes of error, and the error codes
    frames      layout of frames, and how to write them
    huffman, hpack, headers     header blocks: octets, fields, and the cache that makes a call cheap
    metadata, messages          what gRPC puts into header fields and DATA
    requests, responses         the header blocks of calls, written and read
    settings, outbox, stream    what the peer announced; what waits to be written; the life of a call
    connection, calls, client, server    the machine, a layer each

The machine has the verbs of every machine of this project. `send_*` and `receive_data` do all their work at once, and
leave events for `next_event` and octets for `data_to_send`; after either, the caller takes the events until there are
none and writes the octets. It is not thread-safe: one lock per connection is the caller's.

A client:

    connection = ClientConnection()
    stream_id = connection.send_unary_request("/plugin.Greeter/Greet", request, timeout=5.0)
    while True:
        sock.sendall(connection.data_to_send())
        data = sock.recv(65536)
        connection.receive_data(data) if data else connection.receive_eof()
        while (event := connection.next_event()) is not None:
            if isinstance(event, UnaryResponse | StreamReset):
                return event                                # event.status says how it ended

A server, in which only the branch of the plainest calls is written out:

    connection = ServerConnection(unary_paths={"/plugin.Greeter/Greet"})
    while data := sock.recv(65536):
        connection.receive_data(data)
        while (event := connection.next_event()) is not None:
            if isinstance(event, UnaryRequest):
                connection.send_unary_reply(event.stream_id, greet(event.message))
            elif isinstance(event, RequestReceived):
                connection.send_status(event.stream_id, Code.UNIMPLEMENTED, f"unknown method {event.head.path}")
        sock.sendall(connection.data_to_send())

Calls of the other kinds go message by message. A client has `send_request`, `send_message`, `send_end`; a server has
`send_response`, `send_message`, `send_status`; both get MessageReceived, and give credit back with
`acknowledge_message` when the application has taken the message. A `send_message` that returns False waits for the
peer's credit, and StreamWritable tells when to go on. `send_reset` gives a call up from either end. What is sent for a
call that is over already is dropped, because nobody can know in time that the peer has reset it; the call's last event
tells.

`next_event` raises RemoteProtocolError when the peer broke the protocol; all calls have ended with StreamReset before,
and `data_to_send` has the GOAWAY that says why. LocalProtocolError means a bug in the calling code.
"""
from __future__ import annotations

from .client import ClientConnection
from .events import (
    ConnectionEnded,
    Event,
    GoingAway,
    MessageReceived,
    PingAcknowledged,
    RequestEnded,
    RequestHead,
    RequestReceived,
    ResponseEnded,
    ResponseStarted,
    SettingsChanged,
    Status,
    StreamReset,
    StreamWritable,
    UnaryRequest,
    UnaryResponse,
)
from .metadata import Metadata, MetadataLike
from .server import ServerConnection
from .settings import Limits

__all__ = [
    "ClientConnection", "Limits", "Metadata", "MetadataLike", "RequestHead", "ServerConnection", "Status",
    "ConnectionEnded", "Event", "GoingAway", "MessageReceived", "PingAcknowledged", "RequestEnded", "RequestReceived",
    "ResponseEnded", "ResponseStarted", "SettingsChanged", "StreamReset", "StreamWritable", "UnaryRequest",
    "UnaryResponse",
]
