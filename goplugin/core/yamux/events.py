"""What `Session.next_event` returns.

A stream as either end sees it, after StreamOpened at the end that did not open it:

    StreamAccepted?  (DataReceived | StreamWritable)*  StreamFinished?

StreamReset may come at any point and is the last event of its stream. A stream is over with it, or when both ends have
finished. Which events a peer's octets give never depends on how they were cut, but that DataReceived is cut with them.
"""
from __future__ import annotations

from typing import NamedTuple

__all__ = [
    "DataReceived", "Event", "GoingAway", "PingAcknowledged", "SessionEnded", "StreamAccepted", "StreamFinished",
    "StreamOpened", "StreamReset", "StreamWritable",
]


class StreamOpened(NamedTuple):
    """The peer opened a stream. `send_accept` or `send_reset` is the answer; until then it is one of the backlog.

    `stream_id`: names the stream in everything that is sent for it.
    """

    stream_id: int


class StreamAccepted(NamedTuple):
    """The peer accepted a stream of ours. It may have received data before that.

    `stream_id`: what `send_open` returned.
    """

    stream_id: int


class DataReceived(NamedTuple):
    """Octets of a stream. `acknowledge_data` lets the peer send as many again.

    `stream_id`: names the stream.
    `data`: at least one octet.
    """

    stream_id: int
    data: bytes


class StreamWritable(NamedTuple):
    """There is credit again for a stream whose last `send_data` took less than it was given.

    `stream_id`: names the stream.
    """

    stream_id: int


class StreamFinished(NamedTuple):
    """The peer sends no more on this stream.

    `stream_id`: names the stream.
    """

    stream_id: int


class StreamReset(NamedTuple):
    """The stream is over, in both directions.

    `stream_id`: names the stream.
    `session_over`: because all streams are; otherwise the peer gave it up.
    """

    stream_id: int
    session_over: bool = False


class PingAcknowledged(NamedTuple):
    """The peer answered a ping.

    `value`: what `send_ping` was given.
    """

    value: int


class GoingAway(NamedTuple):
    """The peer takes no new streams; those that are open go on."""


class SessionEnded(NamedTuple):
    """The peer closed the connection; the last event of all.

    `clean`: whether it did so between frames and with no stream open.
    """

    clean: bool


Event = (
    StreamOpened | StreamAccepted | DataReceived | StreamWritable | StreamFinished | StreamReset
    | PingAcknowledged | GoingAway | SessionEnded
)
"""Everything that `next_event` may return."""
