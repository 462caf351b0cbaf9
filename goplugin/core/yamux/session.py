"""One yamux session, either role.

`receive_data` reads frames at once; what they mean waits as events. An error of the peer's comes in its place among
the events: those before it are delivered, then `next_event` raises RemoteProtocolError, now and ever after.

What a peer can make us keep is bounded. Data: by the windows, which open only as the application acknowledges. Streams:
those that the application has accepted, and a backlog of BACKLOG. Answers: MAX_OWED of them may wait for the peer to
read.

Source: hashicorp/yamux session.go, whose strictness this follows with two exceptions. A SYN has to have an id of the
peer's own kind, odd or even. And DATA behind a FIN is dropped: a Go program that writes and closes at the same time
may send it.
"""
from __future__ import annotations

from collections import deque

from ..errors import LocalProtocolError, RemoteProtocolError
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
from .frames import (
    ACK,
    DATA,
    FIN,
    GO_AWAY,
    HEAD_SIZE,
    INTERNAL_ERROR,
    MAX_WORD,
    NORMAL,
    PING,
    PROTOCOL_ERROR,
    RST,
    SYN,
    VERSION,
    WINDOW_UPDATE,
    data_head,
    go_away,
    ping,
    unpack_head,
    window_update,
)
from .stream import CREDIT_MARK, SessionFault, Stream

__all__ = ["BACKLOG", "MAX_OWED", "Session"]

BACKLOG = 256
"""Streams that either side may have opened without an answer."""

MAX_OWED = 1_000

_REASONS = {PROTOCOL_ERROR: "protocol error", INTERNAL_ERROR: "internal error"}


class Session:
    """The machine of one connection; `client` says which role is ours, and with it whose ids are odd."""

    def __init__(self, *, client: bool) -> None:
        self._next_id = 1 if client else 2
        self._peer_parity = 0 if client else 1
        self._streams: dict[int, Stream] = {}
        self._offered = 0                   # of the peer's streams: not accepted by us
        self._unanswered = 0                # of our streams: not accepted by the peer
        self._events: deque[Event] = deque()
        self._pieces: list[bytes | memoryview] = []
        self._owed = 0                      # of the pieces: those that the peer made us write
        self._pings: set[int] = set()
        self._buffer = b""                  # the beginning of a frame's head
        self._rest = 0                      # octets of a DATA frame's payload that are to come,
        self._target = 0                    # their stream,
        self._finishes = False              # and whether it ends with them
        self._leaving = False
        self._peer_leaving = False
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
        position = 0
        try:
            while True:
                if self._rest:
                    position = self._read_payload(data, position)
                if len(data) - position < HEAD_SIZE:
                    break
                self._read_head(*unpack_head(data, position))
                position += HEAD_SIZE
        except SessionFault as fault:
            self._break(fault)
        else:
            self._buffer = data[position:]

    def receive_eof(self) -> None:
        """The peer sends no more: open streams end with StreamReset, then comes SessionEnded."""
        if self._ended or self._fault is not None:
            return
        self._ended = True
        clean = not (self._streams or self._buffer or self._rest)
        self._drop_streams()
        self._events.append(SessionEnded(clean))

    def next_event(self) -> Event | None:
        """The next event, or None until there is more data.

        Raises RemoteProtocolError if the peer broke the protocol, or said that we did, and all events before that have
        been taken; what `data_to_send` gives then is the last to be sent.
        """
        if self._events:
            return self._events.popleft()
        if self._fault is not None:
            raise RemoteProtocolError(self._fault)
        return None

    def data_to_send(self) -> bytes:
        """All that is to be written now, b"" if there is nothing; the caller has to write it, and in this order."""
        if not self._pieces:
            return b""
        data = b"".join(self._pieces)
        self._pieces.clear()
        self._owed = 0
        return data

    # --- sending for a stream; nothing is sent for one that is over, because nobody can know that in time ---

    @property
    def can_open(self) -> bool:
        """Whether `send_open` is possible now. If not, it may be when the peer accepts more."""
        over = self._ended or self._peer_leaving or self._fault is not None
        return not over and self._unanswered < BACKLOG and self._next_id <= MAX_WORD

    def send_open(self) -> int:
        """Open a stream, on which data may be sent at once; returns its id.

        Raises LocalProtocolError unless `can_open`.
        """
        if not self.can_open:
            raise LocalProtocolError("no stream can be opened now")
        stream = Stream(self._next_id)
        self._next_id += 2
        self._streams[stream.id] = stream
        self._unanswered += 1
        self._pieces.append(window_update(stream.id, SYN))
        return stream.id

    def send_accept(self, stream_id: int) -> None:
        """Accept a stream of the peer's. Raises LocalProtocolError if it has been accepted, or is ours."""
        stream = self._streams.get(stream_id)
        if stream is None:
            return
        if not (self._is_peers(stream) and stream.unaccepted):
            raise LocalProtocolError(f"stream {stream_id} cannot be accepted")
        self._settle(stream)
        self._pieces.append(window_update(stream_id, ACK))

    def send_data(self, stream_id: int, data: bytes | memoryview) -> int:
        """Send as much of `data` as the peer has given credit for, and return how much that was.

        If it was not all, StreamWritable tells when to go on. The data must not change before `data_to_send`.
        Raises LocalProtocolError for a stream that was not accepted, or whose direction we have ended.
        """
        stream = self._streams.get(stream_id)
        if stream is None:
            return len(data)
        self._check_accepted(stream)
        if not stream.sending:
            raise LocalProtocolError(f"stream {stream_id} is {stream.state.value}")
        size = min(len(data), stream.send_window)
        if size:
            stream.send_window -= size
            self._pieces.append(data_head(stream_id, size))
            self._pieces.append(data if size == len(data) else memoryview(data)[:size])
        stream.blocked = size < len(data)
        return size

    def send_end(self, stream_id: int) -> None:
        """Send no more on this stream. Raises LocalProtocolError if that was said before, or it was not accepted."""
        stream = self._streams.get(stream_id)
        if stream is None:
            return
        self._check_accepted(stream)
        stream.send_fin()
        self._pieces.append(window_update(stream_id, FIN))
        if not stream.receiving:
            self._forget(stream)

    def send_reset(self, stream_id: int) -> None:
        """Give a stream up, or refuse it."""
        stream = self._streams.get(stream_id)
        if stream is not None:
            self._pieces.append(window_update(stream_id, RST))
            self._forget(stream)

    def acknowledge_data(self, stream_id: int, size: int) -> None:
        """The application has taken so many octets of those it got. The peer hears of it once that is worth a frame.

        Raises LocalProtocolError for more than it got.
        """
        stream = self._streams.get(stream_id)
        if stream is None:
            return
        credit = stream.acknowledge(size)
        if credit:
            self._pieces.append(window_update(stream_id, 0, credit))

    def discard(self, stream_id: int) -> None:
        """Nobody wants what still comes on this stream: DataReceived comes no more, nor does credit for it.

        So a peer may finish what it was about to say. One that goes on, beyond half of its window, is reset.
        """
        stream = self._streams.get(stream_id)
        if stream is not None:
            stream.discards = True

    # --- sending for the session ---

    def send_ping(self, value: int) -> None:
        """Ask the peer for a PingAcknowledged with this value. Raises LocalProtocolError if it has not 32 bits."""
        if not 0 <= value <= MAX_WORD:
            raise LocalProtocolError(f"the value of a ping has 32 bits: {value}")
        self._pings.add(value)
        self._pieces.append(ping(SYN, value))

    def send_go_away(self) -> None:
        """Take no more streams of the peer's; those that are open go on."""
        self._leaving = True
        self._pieces.append(go_away(NORMAL))

    # --- reading frames ---

    def _read_head(self, version: int, kind: int, flags: int, stream_id: int, length: int) -> None:
        if version != VERSION:
            raise SessionFault(f"version {version} of yamux")
        if kind in (DATA, WINDOW_UPDATE):
            if flags & SYN:
                self._receive_syn(stream_id)
            self._receive_frame(kind, flags, stream_id, length)
        elif kind == PING:
            self._receive_ping(flags, length)
        elif kind == GO_AWAY:
            self._receive_go_away(length)
        else:
            raise SessionFault(f"a frame of type {kind}")

    def _receive_frame(self, kind: int, flags: int, stream_id: int, length: int) -> None:
        """A frame of a stream, which may be over: then nobody wants its payload."""
        payload = length if kind == DATA else 0
        self._rest, self._target, self._finishes = payload, stream_id, False
        stream = self._streams.get(stream_id)
        if stream is None:
            return
        if flags & ACK and stream.unaccepted and not self._is_peers(stream):
            self._settle(stream)
            self._events.append(StreamAccepted(stream_id))
        if flags & RST:
            self._end_by_reset(stream)
            return
        stream.receive_payload(payload)
        if kind == WINDOW_UPDATE and stream.receive_credit(length):
            self._events.append(StreamWritable(stream_id))
        if flags & FIN:
            if payload:
                self._finishes = True
            else:
                self._receive_fin(stream)

    def _read_payload(self, data: bytes, position: int) -> int:
        """Read what there is of a DATA frame's payload; returns how far that goes."""
        piece = data[position : position + self._rest]
        self._rest -= len(piece)
        stream = self._streams.get(self._target)
        if stream is not None and piece and stream.receiving:
            self._receive_piece(stream, piece)
            stream = self._streams.get(self._target)        # unless that was too much of it
        if stream is not None and self._finishes and not self._rest:
            self._receive_fin(stream)
        return position + len(piece)

    def _receive_piece(self, stream: Stream, piece: bytes) -> None:
        if not stream.discards:
            stream.held += len(piece)
            self._events.append(DataReceived(stream.id, piece))
        elif stream.receive_window < CREDIT_MARK:
            self._owe(window_update(stream.id, RST))
            self._end_by_reset(stream)

    def _receive_syn(self, stream_id: int) -> None:
        if not stream_id or stream_id % 2 != self._peer_parity:
            raise SessionFault(f"stream {stream_id} is not the peer's to open")
        if stream_id in self._streams:
            raise SessionFault(f"duplicate stream {stream_id}")
        if self._leaving or self._offered == BACKLOG:
            self._owe(window_update(stream_id, RST))
            return
        self._streams[stream_id] = Stream(stream_id)
        self._offered += 1
        self._events.append(StreamOpened(stream_id))

    def _receive_fin(self, stream: Stream) -> None:
        stream.receive_fin()
        self._events.append(StreamFinished(stream.id))
        if not stream.sending:
            self._forget(stream)

    def _receive_ping(self, flags: int, value: int) -> None:
        if flags & SYN:
            self._owe(ping(ACK, value))
        elif value in self._pings:
            self._pings.remove(value)
            self._events.append(PingAcknowledged(value))

    def _receive_go_away(self, reason: int) -> None:
        if reason != NORMAL:
            raise SessionFault(f"the peer ended the session: {_REASONS.get(reason, f'reason {reason}')}", told=True)
        if not self._peer_leaving:
            self._peer_leaving = True
            self._events.append(GoingAway())

    # --- inside ---

    def _is_peers(self, stream: Stream) -> bool:
        return stream.id % 2 == self._peer_parity

    def _check_accepted(self, stream: Stream) -> None:
        if stream.unaccepted and self._is_peers(stream):
            raise LocalProtocolError(f"stream {stream.id} has not been accepted")

    def _owe(self, frame: bytes) -> None:
        """Write an answer that the peer asked for."""
        self._owed += 1
        if self._owed > MAX_OWED:
            raise SessionFault("the peer asks faster than it reads the answers")
        self._pieces.append(frame)

    def _settle(self, stream: Stream) -> None:
        """The stream does not wait for its ACK any more."""
        if stream.unaccepted:
            stream.unaccepted = False
            if self._is_peers(stream):
                self._offered -= 1
            else:
                self._unanswered -= 1

    def _forget(self, stream: Stream) -> None:
        self._settle(stream)
        del self._streams[stream.id]

    def _end_by_reset(self, stream: Stream, *, session_over: bool = False) -> None:
        self._forget(stream)
        self._events.append(StreamReset(stream.id, session_over))

    def _drop_streams(self) -> None:
        for stream in list(self._streams.values()):
            self._end_by_reset(stream, session_over=True)

    def _break(self, fault: SessionFault) -> None:
        if not fault.told:
            self._pieces.append(go_away(PROTOCOL_ERROR))
        self._fault = str(fault)
        self._buffer = b""
        self._drop_streams()
