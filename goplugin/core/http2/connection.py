"""One HTTP/2 connection, frame by frame. RFC 9113 sections 3.4, 4, 5.4 and 6.

This layer knows what every frame may look like and answers those that concern the whole connection; what DATA, header
blocks and resets mean for a call is the next layer's (`calls.py`), and what differs between the roles is the last one's
(`client.py`, `server.py`).

`receive_data` reads frames at once; what they mean waits as events. An error of the peer's comes in its place among
the events: those before it are delivered, then `next_event` raises RemoteProtocolError, now and ever after.
"""
from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping
from typing import ClassVar

from ..errors import LocalProtocolError, RemoteProtocolError
from .events import ConnectionEnded, Event, GoingAway, PingAcknowledged, SettingsChanged
from .faults import (
    ENHANCE_YOUR_CALM,
    FLOW_CONTROL_ERROR,
    FRAME_SIZE_ERROR,
    NO_ERROR,
    PROTOCOL_ERROR,
    CallFault,
    ConnectionFault,
    StreamFault,
)
from .frames import (
    ACK,
    CONTINUATION,
    DEFAULT_MAX_FRAME_SIZE,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEAD_SIZE,
    HEADERS,
    MAX_STREAM_ID,
    PADDED,
    PING,
    PRIORITY,
    PRIORITY_FLAG,
    PUSH_PROMISE,
    SETTINGS,
    goaway,
    ping,
    settings,
    settings_ack,
    unpack_head,
    unpack_word,
    unpad,
    window_update,
)
from .headers import HeaderReader, OpenBlock
from .outbox import Outbox
from .settings import HEADER_TABLE_SIZE, Limits, PeerSettings

__all__ = ["Connection", "Handler"]

# The largest first word of a frame: its length is still allowed, whatever its type.
_LARGEST = DEFAULT_MAX_FRAME_SIZE << 8 | 0xFF
# A header block may be this many times as long as the list of its fields: the limit of the list costs a call, but a
# block that is not read to its end costs the connection.
_BLOCK_FACTOR = 4

Handler = Callable[..., None]


class Connection(ABC):
    """Both roles' common part.

    `greeting` is what the peer must send before its first frame, `max_push` the highest ENABLE_PUSH it may announce.
    """

    def __init__(self, limits: Limits, reader: HeaderReader, greeting: bytes, max_push: int) -> None:
        self._limits = limits
        self._max_push = max_push
        self._reader = reader
        self._greeting = greeting
        self._greeted = False
        self._buffer = b""                              # the beginning of a frame
        self._open_block: OpenBlock | None = None
        self._events: deque[Event] = deque()
        self._outbox = Outbox()
        self._peer = PeerSettings()
        self._table_dropped = False                     # the peer knows, or will, that our blocks need no table
        self._table_refused = False                     # and that we want none of its own
        self._acknowledged = 0                          # of our SETTINGS
        self._receive_window: int = limits.connection_window
        self._credit_mark = limits.connection_window // 2
        self._fault: str | None = None
        self._ended = False

    # --- bytes in, events out ---

    def receive_data(self, data: bytes) -> None:
        """Take bytes that came from the peer, cut anywhere.

        Nothing more is taken from a peer that has broken the protocol; `next_event` says so.
        Raises LocalProtocolError behind `receive_eof`.
        """
        if self._ended:
            raise LocalProtocolError("no data can follow the end of the connection")
        if self._fault is not None:
            return
        if self._buffer:
            data = self._buffer + data
        try:
            position = self._read_frames(data, 0) if self._greeted else self._greet(data)
        except ConnectionFault as fault:
            self._break(fault)
        else:
            self._buffer = data[position:]

    def receive_eof(self) -> None:
        """The peer sends no more: calls under way end with StreamReset, then comes ConnectionEnded."""
        if self._ended or self._fault is not None:
            return
        self._ended = True
        self._leave()
        cut_off = self._abandon("the connection ended before the call did")
        self._events.append(ConnectionEnded(not (cut_off or self._buffer or self._open_block)))

    def next_event(self) -> Event | None:
        """The next event, or None until there is more data.

        Raises RemoteProtocolError if the peer broke the protocol and all events before that have been taken; what
        `data_to_send` gives then is the last to be sent.
        """
        if self._events:
            return self._events.popleft()
        if self._fault is not None:
            raise RemoteProtocolError(self._fault)
        return None

    def data_to_send(self) -> bytes:
        """All that is to be written now, b"" if there is nothing; the caller has to write it, and in this order."""
        return self._outbox.collect()

    # --- sending for the connection ---

    def send_ping(self, payload: bytes = b"goplugin") -> None:
        """Ask the peer for a PingAcknowledged with these eight octets."""
        if len(payload) != 8:
            raise LocalProtocolError("the payload of a PING has eight octets")
        self._outbox.pieces.append(ping(payload, 0))

    def send_goaway(self, error_code: int = NO_ERROR, reason: bytes = b"") -> None:
        """Take no more calls; those under way go on, and the connection may be closed when there are none."""
        self._leave()
        self._outbox.pieces.append(goaway(self._last_peer_stream(), error_code, reason))

    # --- reading frames ---

    def _greet(self, data: bytes) -> int:
        """Read the beginning of the connection; returns how much of it has been read."""
        size = len(self._greeting)
        if data[:size] != self._greeting[: len(data)]:
            raise ConnectionFault(PROTOCOL_ERROR, "the client's preface is not that of HTTP/2")
        if len(data) < size + HEAD_SIZE:
            return 0
        word, flags, _ = unpack_head(data, size)
        if word & 0xFF != SETTINGS or flags & ACK:
            raise ConnectionFault(PROTOCOL_ERROR, "the peer does not speak HTTP/2: it has to begin with SETTINGS")
        self._greeted = True
        return self._read_frames(data, size)

    def _read_frames(self, data: bytes, position: int) -> int:
        """Read whole frames from `position` on; returns where the first incomplete one begins."""
        end = len(data)
        while end - position >= HEAD_SIZE:
            word, flags, stream_id = unpack_head(data, position)
            start = position + HEAD_SIZE
            stop = start + (word >> 8)
            if flags == END_HEADERS and word & 0xFF == HEADERS and self._open_block is None:
                behind = self._take_unary(data, start, stop, end, stream_id)
                if behind:
                    position = behind
                    continue
            if word > _LARGEST:
                raise ConnectionFault(FRAME_SIZE_ERROR, f"a frame of {word >> 8} octets is too large")
            if stop > end:
                break
            self._read_frame(word & 0xFF, stream_id & MAX_STREAM_ID, flags, data, start, stop)
            position = stop
        return position

    def _read_frame(self, kind: int, stream_id: int, flags: int, data: bytes, start: int, stop: int) -> None:
        """Read one frame, whose payload is `data[start:stop]`; an error that concerns one stream ends here."""
        open_block = self._open_block
        if open_block is not None and (kind != CONTINUATION or stream_id != open_block.stream_id):
            raise ConnectionFault(PROTOCOL_ERROR, "a header block has to go on in CONTINUATION")
        handler = self._handlers.get(kind)
        if handler is None:
            self._outbox.charge(1)      # unknown frames are ignored (5.5)
            return
        try:
            handler(self, stream_id, flags, data, start, stop)
        except StreamFault as fault:
            self._fail_stream(stream_id, fault)
        except CallFault as fault:
            self._fail_call(stream_id, fault)

    def _on_headers(self, stream_id: int, flags: int, data: bytes, start: int, stop: int) -> None:
        if stream_id == 0:
            raise ConnectionFault(PROTOCOL_ERROR, "HEADERS belong to a stream")
        if flags & PADDED:
            start, stop = unpad(data, start, stop)
        if flags & PRIORITY_FLAG:
            start += 5
            if start > stop:
                raise ConnectionFault(FRAME_SIZE_ERROR, "HEADERS: no room for the priority")
        if flags & END_HEADERS:
            self._end_block(stream_id, data[start:stop], flags)
        else:
            self._open_block = OpenBlock(stream_id, flags, data[start:stop])

    def _on_continuation(self, stream_id: int, flags: int, data: bytes, start: int, stop: int) -> None:
        block = self._open_block
        if block is None:
            raise ConnectionFault(PROTOCOL_ERROR, "CONTINUATION without a header block")
        self._outbox.charge(1)
        block.pieces.append(data[start:stop])
        block.size += stop - start
        if block.size > self._limits.max_header_list_size * _BLOCK_FACTOR:
            raise ConnectionFault(ENHANCE_YOUR_CALM, "a header block is too large")
        if flags & END_HEADERS:
            self._open_block = None
            self._end_block(stream_id, b"".join(block.pieces), block.flags)

    def _end_block(self, stream_id: int, block: bytes, flags: int) -> None:
        """A header block is complete. If it is the first one with a memory, ask the peer for blocks without."""
        try:
            self._on_block(stream_id, block, bool(flags & END_STREAM))
        finally:
            if not (self._table_refused or self._reader.stateless):
                self._table_refused = True
                self._outbox.pieces.append(settings([(HEADER_TABLE_SIZE, 0)]))

    def _on_settings(self, stream_id: int, flags: int, data: bytes, start: int, stop: int) -> None:
        if stream_id:
            raise ConnectionFault(PROTOCOL_ERROR, "SETTINGS belong to no stream")
        if (stop - start) % 6 or (flags & ACK and stop > start):
            raise ConnectionFault(FRAME_SIZE_ERROR, f"SETTINGS of {stop - start} octets")
        if flags & ACK:
            self._outbox.charge(1)
            self._acknowledged += 1
            if self._acknowledged == 2:     # the second announcement takes something away from the peer
                self._reader.limit_table(0)
            return
        window = self._peer.initial_window
        values = self._peer.apply(data[start:stop], self._max_push)
        outbox = self._outbox
        outbox.max_frame_size = self._peer.max_frame_size
        if HEADER_TABLE_SIZE in values and not self._table_dropped:
            self._table_dropped = outbox.drops_table = True
        outbox.owe(settings_ack())
        self._adopt_settings(self._peer.initial_window - window)
        self._events.append(SettingsChanged(values))

    def _on_ping(self, stream_id: int, flags: int, data: bytes, start: int, stop: int) -> None:
        if stream_id:
            raise ConnectionFault(PROTOCOL_ERROR, "PING belongs to no stream")
        if stop - start != 8:
            raise ConnectionFault(FRAME_SIZE_ERROR, f"PING of {stop - start} octets")
        if flags & ACK:
            self._outbox.charge(1)
            self._events.append(PingAcknowledged(data[start:stop]))
        else:
            self._outbox.owe(ping(data[start:stop], ACK))

    def _on_goaway(self, stream_id: int, flags: int, data: bytes, start: int, stop: int) -> None:
        if stream_id:
            raise ConnectionFault(PROTOCOL_ERROR, "GOAWAY belongs to no stream")
        if stop - start < 8:
            raise ConnectionFault(FRAME_SIZE_ERROR, f"GOAWAY of {stop - start} octets")
        self._outbox.charge(1)
        self._leave()
        last_stream_id = unpack_word(data, start)[0] & MAX_STREAM_ID
        self._events.append(GoingAway(last_stream_id, unpack_word(data, start + 4)[0], data[start + 8 : stop]))
        self._peer_leaves(last_stream_id)

    def _on_priority(self, stream_id: int, flags: int, data: bytes, start: int, stop: int) -> None:
        """Priorities are advice that we do not take (5.3.2)."""
        if stream_id == 0:
            raise ConnectionFault(PROTOCOL_ERROR, "PRIORITY belongs to a stream")
        if stop - start != 5:
            raise StreamFault(FRAME_SIZE_ERROR, f"PRIORITY of {stop - start} octets")
        self._outbox.charge(1)

    def _on_push_promise(self, stream_id: int, flags: int, data: bytes, start: int, stop: int) -> None:
        raise ConnectionFault(PROTOCOL_ERROR, "PUSH_PROMISE: nobody asked for a push")

    # Extended by the next layer.
    _handlers: ClassVar[Mapping[int, Handler]] = {
        HEADERS: _on_headers,
        PRIORITY: _on_priority,
        SETTINGS: _on_settings,
        PUSH_PROMISE: _on_push_promise,
        PING: _on_ping,
        GOAWAY: _on_goaway,
        CONTINUATION: _on_continuation,
    }

    # --- ends ---

    def _return_credit(self) -> None:
        """Less than half of the connection's window is left: open it again, in one frame."""
        if self._receive_window < 0:
            raise ConnectionFault(FLOW_CONTROL_ERROR, "DATA beyond the connection's window")
        self._outbox.owe(window_update(0, self._limits.connection_window - self._receive_window))
        self._receive_window = self._limits.connection_window

    def _break(self, fault: ConnectionFault) -> None:
        """The peer broke the protocol: GOAWAY is the last that we send."""
        self._fault = fault.reason
        self._buffer = b""
        self._open_block = None
        self._leave()
        self._abandon(f"the peer broke the protocol: {fault.reason}")
        self._outbox.pieces.append(goaway(self._last_peer_stream(), fault.error_code, fault.reason.encode()))

    # --- what the layers above answer ---

    @abstractmethod
    def _take_unary(self, data: bytes, start: int, stop: int, end: int, stream_id: int) -> int:
        """Take a whole unary request or response at once, if that is what begins with the HEADERS at `start`.

        Returns the position behind it; or 0, having done nothing, if it is not all there or is not the plainest case.
        """

    @abstractmethod
    def _on_block(self, stream_id: int, block: bytes, end: bool) -> None:
        """A header block is complete; `end`: and ends the peer's side of the stream."""

    @abstractmethod
    def _adopt_settings(self, window_change: int) -> None:
        """The peer's settings are others now; its INITIAL_WINDOW_SIZE changed by so much."""

    @abstractmethod
    def _leave(self) -> None:
        """There will be no new calls on this connection."""

    @abstractmethod
    def _peer_leaves(self, last_stream_id: int) -> None:
        """The peer sent GOAWAY."""

    @abstractmethod
    def _last_peer_stream(self) -> int:
        """The last stream of the peer's that we have acted on."""

    @abstractmethod
    def _fail_stream(self, stream_id: int, fault: StreamFault) -> None:
        """A frame on this stream broke a rule of HTTP/2."""

    @abstractmethod
    def _fail_call(self, stream_id: int, fault: CallFault) -> None:
        """A frame on this stream ends its call with a gRPC status."""

    @abstractmethod
    def _abandon(self, reason: str) -> bool:
        """The connection is over: reset all streams without a word to the peer; returns whether there were any."""
