"""What `next_event` returns, and the two records that events carry.

Events are values: they compare by content and nobody changes one. The type checker holds everybody to that; a check at
run time would cost as much as the rest of a call's bookkeeping.

A call as a server sees it:

    UnaryRequest                                        the path is one of `unary_paths`
    RequestReceived MessageReceived* RequestEnded       any other

and as a client sees it:

    UnaryResponse                                       it was opened by `send_unary_request`
    [ResponseStarted MessageReceived*] ResponseEnded    it was opened by `send_request`

StreamReset may come at any point and is the last event of its stream. Which events a peer's bytes give never depends on
how the bytes were cut.
"""
from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ..status import Code
from .metadata import Metadata

__all__ = [
    "ConnectionEnded", "Event", "GoingAway", "MessageReceived", "PingAcknowledged", "RequestEnded", "RequestHead",
    "RequestReceived", "ResponseEnded", "ResponseStarted", "SettingsChanged", "Status", "StreamReset",
    "StreamWritable", "UnaryRequest", "UnaryResponse", "Value",
]


class Value:
    """Equality and representation from the slots."""

    __slots__ = ()

    def _content(self) -> tuple[object, ...]:
        return tuple(getattr(self, name) for name in self.__slots__)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Value) and type(other) is type(self) and other._content() == self._content()

    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def __repr__(self) -> str:
        content = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__slots__)
        return f"{type(self).__name__}({content})"


# --- records -----------------------------------------------------------------------------------------------------


class RequestHead(Value):
    """What a client says before its first message.

    `path`: `/package.Service/Method`.
    `metadata`: the application's (key, value) pairs.
    `timeout`: seconds the client will wait from now on, or None.
    `authority`: the name under which the client knows the server; "" if it sent none.
    `user_agent`: the client's library; "" if it sent none.
    `content_type`: `application/grpc`, perhaps with a suffix such as `+proto`.
    `encoding`: how compressed messages would be compressed; "" if it sent none.
    `unary`: whether the path is one of the server's `unary_paths`.
    """

    __slots__ = ("authority", "content_type", "encoding", "metadata", "path", "timeout", "unary", "user_agent")

    def __init__(
        self,
        path: str,
        metadata: Metadata = (),
        timeout: float | None = None,
        authority: str = "",
        user_agent: str = "",
        content_type: str = "application/grpc",
        encoding: str = "",
        unary: bool = False,
    ) -> None:
        self.path: Final = path
        self.metadata: Final = metadata
        self.timeout: Final = timeout
        self.authority: Final = authority
        self.user_agent: Final = user_agent
        self.content_type: Final = content_type
        self.encoding: Final = encoding
        self.unary: Final = unary


class Status(Value):
    """How a call ended.

    `code`: the gRPC status code.
    `message`: text for people, "" if there is none.
    `details`: the octets of `grpc-status-details-bin`, a google.rpc.Status; b"" if there are none.
    `metadata`: the trailing metadata, as (key, value) pairs.
    """

    __slots__ = ("code", "details", "message", "metadata")

    def __init__(self, code: Code, message: str = "", details: bytes = b"", metadata: Metadata = ()) -> None:
        self.code: Final = code
        self.message: Final = message
        self.details: Final = details
        self.metadata: Final = metadata


# --- events of a stream ------------------------------------------------------------------------------------------


class UnaryRequest(Value):
    """Server: a whole request of exactly one message; the answer may be `send_unary_reply`.

    `stream_id`: names the call in everything that is sent for it.
    `head`: the RequestHead.
    `message`: the message.
    """

    __slots__ = ("head", "message", "stream_id")

    def __init__(self, stream_id: int, head: RequestHead, message: bytes) -> None:
        self.stream_id: Final = stream_id
        self.head: Final = head
        self.message: Final = message


class RequestReceived(Value):
    """Server: a call begins; its messages follow.

    `stream_id`: names the call.
    `head`: the RequestHead.
    """

    __slots__ = ("head", "stream_id")

    def __init__(self, stream_id: int, head: RequestHead) -> None:
        self.stream_id: Final = stream_id
        self.head: Final = head


class RequestEnded(Value):
    """Server: the client has sent its last message.

    `stream_id`: names the call.
    """

    __slots__ = ("stream_id",)

    def __init__(self, stream_id: int) -> None:
        self.stream_id: Final = stream_id


class MessageReceived(Value):
    """A whole message of a call. `acknowledge_message` lets the peer send as much again.

    `stream_id`: names the call.
    `message`: the message.
    """

    __slots__ = ("message", "stream_id")

    def __init__(self, stream_id: int, message: bytes) -> None:
        self.stream_id: Final = stream_id
        self.message: Final = message


class UnaryResponse(Value):
    """Client: the whole answer to a call opened by `send_unary_request`.

    `stream_id`: names the call.
    `message`: the message; None unless `status.code` is OK.
    `status`: the Status, with the trailing metadata.
    `metadata`: the initial metadata, as (key, value) pairs.
    """

    __slots__ = ("message", "metadata", "status", "stream_id")

    def __init__(self, stream_id: int, message: bytes | None, status: Status, metadata: Metadata) -> None:
        self.stream_id: Final = stream_id
        self.message: Final = message
        self.status: Final = status
        self.metadata: Final = metadata


class ResponseStarted(Value):
    """Client: the server begins to answer.

    `stream_id`: names the call.
    `metadata`: the initial metadata, as (key, value) pairs.
    """

    __slots__ = ("metadata", "stream_id")

    def __init__(self, stream_id: int, metadata: Metadata) -> None:
        self.stream_id: Final = stream_id
        self.metadata: Final = metadata


class ResponseEnded(Value):
    """Client: the server has answered; nothing more comes for this call.

    `stream_id`: names the call.
    `status`: the Status, with the trailing metadata.
    """

    __slots__ = ("status", "stream_id")

    def __init__(self, stream_id: int, status: Status) -> None:
        self.stream_id: Final = stream_id
        self.status: Final = status


class StreamReset(Value):
    """A call ended without an answer: the peer reset it, or broke a rule, or the connection is gone.

    `stream_id`: names the call.
    `status`: a Status for whoever waits for the call.
    `error_code`: the HTTP/2 error code, received or sent; None if the connection ended.
    `unprocessed`: client: the server promises that it did nothing, so the call may be made again.
    """

    __slots__ = ("error_code", "status", "stream_id", "unprocessed")

    def __init__(self, stream_id: int, status: Status, error_code: int | None, unprocessed: bool = False) -> None:
        self.stream_id: Final = stream_id
        self.status: Final = status
        self.error_code: Final = error_code
        self.unprocessed: Final = unprocessed


class StreamWritable(Value):
    """All that was held back for lack of the peer's credit is on its way: the next message may be sent.

    `stream_id`: names the call.
    """

    __slots__ = ("stream_id",)

    def __init__(self, stream_id: int) -> None:
        self.stream_id: Final = stream_id


# --- events of the connection ------------------------------------------------------------------------------------


class SettingsChanged(Value):
    """The peer announced settings; they are in force and acknowledged. A client may now be able to open more calls.

    `values`: parameter number -> value, of those that were sent.
    """

    __slots__ = ("values",)

    def __init__(self, values: Mapping[int, int]) -> None:
        self.values: Final = values


class PingAcknowledged(Value):
    """The peer answered a PING.

    `payload`: the eight octets that `send_ping` was given.
    """

    __slots__ = ("payload",)

    def __init__(self, payload: bytes) -> None:
        self.payload: Final = payload


class GoingAway(Value):
    """The peer takes no new calls on this connection; those up to `last_stream_id` go on.

    `last_stream_id`: the last of our streams that it may have acted on.
    `error_code`: an HTTP/2 error code; 0 is a graceful shutdown.
    `reason`: its debug data, for people.
    """

    __slots__ = ("error_code", "last_stream_id", "reason")

    def __init__(self, last_stream_id: int, error_code: int, reason: bytes) -> None:
        self.last_stream_id: Final = last_stream_id
        self.error_code: Final = error_code
        self.reason: Final = reason


class ConnectionEnded(Value):
    """The peer closed its side; the last event of all.

    `clean`: whether it did so between frames and with no call under way.
    """

    __slots__ = ("clean",)

    def __init__(self, clean: bool) -> None:
        self.clean: Final = clean


Event = (
    UnaryRequest | UnaryResponse | MessageReceived | RequestReceived | RequestEnded | ResponseStarted | ResponseEnded
    | StreamReset | StreamWritable | SettingsChanged | PingAcknowledged | GoingAway | ConnectionEnded
)
"""Everything that `next_event` may return."""
