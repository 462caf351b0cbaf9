"""The streams of a connection, each of them one gRPC call: messages, credit and ends. RFC 9113 sections 5.1, 5.2, 6.

What comes for a stream that is over is the rest of what the peer sent before it knew, if we were the ones to end it,
and is dropped; the last such streams are remembered in `_cut`, until the peer ends them too. Otherwise it is an error.

Credit is returned in large steps. The connection's comes back as soon as octets are read, so that a call whose
application is slow holds up nobody else; a stream's comes back for a message that is still growing (or it could never
become larger than the window), and for a whole one when the application has acknowledged it. So a peer is at most one
message and one window ahead of a slow application.

The plainest calls are made, taken and answered in one step each, and nothing ever happens to their streams in between.
So such a call has no Stream, which is a third of what the step costs, but what its role calls a Plain; a Stream is made
of it when something does happen.
"""
from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Generic, TypeVar

from ..errors import LocalProtocolError
from ..status import Code
from .connection import Connection, Handler
from .events import MessageReceived, Status, StreamReset, StreamWritable
from .faults import (
    CANCEL,
    FLOW_CONTROL_ERROR,
    FRAME_SIZE_ERROR,
    PROTOCOL_ERROR,
    REFUSED_STREAM,
    STREAM_CLOSED,
    ConnectionFault,
    StreamFault,
)
from .frames import (
    DATA,
    END_STREAM,
    MAX_WINDOW,
    PADDED,
    RST_STREAM,
    WINDOW_UPDATE,
    rst_stream,
    unpack_word,
    unpad,
    window_update,
)
from .headers import HeaderReader
from .messages import PREFIX_SIZE, MessageReader
from .responses import reset_status
from .settings import Limits
from .stream import DATA_STEP, END_STEP, ENDED, Head, Stream

__all__ = ["CallConnection"]

Plain = TypeVar("Plain")

_CUT_STREAMS = 1000
_RESET_COST = 10            # of the outbox's debt: a thousand calls reset in a row, and none answered


class CallConnection(Connection, Generic[Head, Plain]):
    """Both roles' common part, above frames."""

    def __init__(self, limits: Limits, reader: HeaderReader, greeting: bytes, max_push: int) -> None:
        super().__init__(limits, reader, greeting, max_push)
        self._streams: dict[int, Stream[Head] | Plain] = {}
        self._initial_window = self._peer.initial_window    # of streams that are opened now, for what we send
        self._cut: dict[int, None] = {}             # in the order in which they were cut off
        self._room = 0                              # how many streams there may be before a new one is refused
        self._leaving = False

    @property
    def open_calls(self) -> int:
        """How many calls are under way."""
        return len(self._streams)

    # --- sending ---

    def send_reset(self, stream_id: int, error_code: int = CANCEL) -> None:
        """End a call without an answer, or without waiting for one. Does nothing if it is over."""
        stream = self._find(stream_id)
        if stream is not None:
            self._close(stream)
            self._cut_off(stream_id, error_code)

    def acknowledge_message(self, stream_id: int, size: int) -> None:
        """The application has taken a MessageReceived of `size` octets: the peer may send as much again.

        Does nothing if the call is over. Raises LocalProtocolError if no such message came.
        """
        stream = self._find(stream_id)
        if stream is None:
            return
        stream.held -= size + PREFIX_SIZE
        if stream.held < 0:
            raise LocalProtocolError(f"more messages are acknowledged than came on stream {stream_id}")
        if stream.remote != ENDED:
            self._return_stream_credit(stream)

    def _find(self, stream_id: int) -> Stream[Head] | None:
        """The stream, or None if it is over: then there is nobody to send to, and its last event tells why.

        Raises LocalProtocolError if there has been no such stream.
        """
        stream = self._stream(stream_id)
        if stream is None and self._is_idle(stream_id):
            raise LocalProtocolError(f"there has been no stream {stream_id}")
        return stream

    def _stream(self, stream_id: int) -> Stream[Head] | None:
        """The stream, made now if its call was plain until now; None if we have none."""
        stream = self._streams.get(stream_id)
        if stream is None or isinstance(stream, Stream):
            return stream  # pyright: ignore[reportUnknownVariableType] - of which head, isinstance cannot say
        made = self._streams[stream_id] = self._unfold(stream_id, stream)
        return made

    def _all_streams(self) -> list[Stream[Head]]:
        return [stream for stream in map(self._stream, list(self._streams)) if stream is not None]

    # --- frames of a stream ---

    def _on_data(self, stream_id: int, flags: int, data: bytes, start: int, stop: int) -> None:
        size = stop - start
        self._receive_window -= size
        if self._receive_window < self._credit_mark:
            self._return_credit()
        if flags & PADDED:
            start, stop = unpad(data, start, stop)
        stream = self._stream(stream_id)
        if stream is None:
            self._on_late_data(stream_id, flags)
            return
        stream.receive(DATA_STEP)
        if flags & END_STREAM:
            stream.receive(END_STEP)
        stream.receive_window -= size
        if stream.receive_window < 0:
            raise StreamFault(FLOW_CONTROL_ERROR, f"DATA beyond the window of stream {stream_id}")
        reader = stream.reader
        if reader is None:
            reader = stream.reader = self._message_reader(stream.head)
        for message in reader.receive(data, start, stop):
            self._on_message(stream, message)
        if flags & END_STREAM:
            self._on_ended(stream)
            return
        if start == stop:
            self._outbox.charge(1)
        self._return_stream_credit(stream)

    def _on_late_data(self, stream_id: int, flags: int) -> None:
        if self._is_idle(stream_id):
            raise ConnectionFault(PROTOCOL_ERROR, f"DATA on stream {stream_id}, which was never opened")
        if stream_id not in self._cut:
            raise StreamFault(STREAM_CLOSED, f"DATA on stream {stream_id}, which is closed")
        if flags & END_STREAM:
            del self._cut[stream_id]
        self._outbox.charge(1)

    def _on_late_block(self, stream_id: int, block: bytes, end: bool) -> None:
        if stream_id not in self._cut:
            raise ConnectionFault(STREAM_CLOSED, f"HEADERS on stream {stream_id}, which is closed")
        self._outbox.charge(1)
        self._skip_block(block, end)
        if end:
            del self._cut[stream_id]

    def _on_rst_stream(self, stream_id: int, flags: int, data: bytes, start: int, stop: int) -> None:
        if stop - start != 4:
            raise ConnectionFault(FRAME_SIZE_ERROR, f"RST_STREAM of {stop - start} octets")
        stream = self._stream(stream_id)
        if stream is None:
            if self._is_idle(stream_id):
                raise ConnectionFault(PROTOCOL_ERROR, f"RST_STREAM on stream {stream_id}, which was never opened")
            self._cut.pop(stream_id, None)
            self._outbox.charge(1)
            return
        self._outbox.charge(_RESET_COST)
        error_code: int = unpack_word(data, start)[0]
        self._close(stream)
        self._report(stream, reset_status(error_code), error_code, error_code == REFUSED_STREAM)

    def _on_window_update(self, stream_id: int, flags: int, data: bytes, start: int, stop: int) -> None:
        if stop - start != 4:
            raise ConnectionFault(FRAME_SIZE_ERROR, f"WINDOW_UPDATE of {stop - start} octets")
        self._outbox.charge(1)
        increment = unpack_word(data, start)[0] & MAX_WINDOW
        if stream_id == 0:
            if increment == 0:
                raise ConnectionFault(PROTOCOL_ERROR, "WINDOW_UPDATE of nothing")
            for sender in self._outbox.add_credit(increment):
                stream = self._stream(sender.id)
                assert stream is not None       # streams that wait for credit are open
                self._on_drained(stream)
            return
        stream = self._stream(stream_id)
        if stream is None and self._is_idle(stream_id):
            raise ConnectionFault(PROTOCOL_ERROR, f"WINDOW_UPDATE on stream {stream_id}, which was never opened")
        if increment == 0:
            raise StreamFault(PROTOCOL_ERROR, "WINDOW_UPDATE of nothing")
        if stream is None:
            return
        stream.send_window += increment
        if stream.send_window > MAX_WINDOW:
            raise StreamFault(FLOW_CONTROL_ERROR, f"WINDOW_UPDATE: the window of stream {stream_id} is too large")
        self._pump(stream)

    _handlers: ClassVar[Mapping[int, Handler]] = {
        **Connection._handlers,  # pyright: ignore[reportPrivateUsage]
        DATA: _on_data,
        RST_STREAM: _on_rst_stream,
        WINDOW_UPDATE: _on_window_update,
    }

    # --- credit ---

    def _adopt_settings(self, window_change: int) -> None:
        for stream in self._all_streams() if window_change else ():
            stream.send_window += window_change
            if stream.send_window > MAX_WINDOW:
                raise ConnectionFault(FLOW_CONTROL_ERROR, f"SETTINGS: the window of stream {stream.id} is too large")
            self._pump(stream)
        self._initial_window = self._peer.initial_window

    def _pump(self, stream: Stream[Head]) -> None:
        if stream.backlog is not None and self._outbox.pump(stream):
            self._on_drained(stream)

    def _on_drained(self, stream: Stream[Head]) -> None:
        """The last octet that waited for credit is on its way."""
        if stream.local == ENDED:
            self._on_sent(stream)
        else:
            self._events.append(StreamWritable(stream.id))

    def _return_stream_credit(self, stream: Stream[Head]) -> None:
        """Let the peer send again what has been read and is not held, if that is worth a frame."""
        window = self._limits.stream_window
        credit = window - stream.receive_window - stream.held
        if credit > 0 and credit >= window // 2:
            stream.receive_window += credit
            self._outbox.pieces.append(window_update(stream.id, credit))

    # --- ends ---

    def _leave(self) -> None:
        self._leaving = True
        self._room = 0

    def _close(self, stream: Stream[Head]) -> None:
        """The stream is no longer ours; says nothing to anybody."""
        del self._streams[stream.id]
        self._outbox.forget(stream)

    def _cut_off(self, stream_id: int, error_code: int) -> None:
        """Send RST_STREAM, and expect the peer to go on for a while."""
        self._outbox.pieces.append(rst_stream(stream_id, error_code))
        self._cut[stream_id] = None
        if len(self._cut) > _CUT_STREAMS:
            del self._cut[next(iter(self._cut))]

    def _fail_stream(self, stream_id: int, fault: StreamFault) -> None:
        stream = self._stream(stream_id)
        if stream is None and self._is_idle(stream_id):
            raise ConnectionFault(fault.error_code, fault.reason)
        self._outbox.count_owed()
        if stream is not None:
            self._close(stream)
            self._report(stream, Status(Code.INTERNAL, fault.reason), fault.error_code)
        self._cut_off(stream_id, fault.error_code)

    def _abandon(self, reason: str) -> bool:
        streams = self._all_streams()
        for stream in streams:
            self._close(stream)
            self._report(stream, Status(Code.UNAVAILABLE, reason), None)
        return bool(streams)

    def _report(self, stream: Stream[Head], status: Status, error_code: int | None, unprocessed: bool = False) -> None:
        """Tell of a stream that ended without an answer, if it has been told of at all."""
        if stream.told:
            self._events.append(StreamReset(stream.id, status, error_code, unprocessed))

    # --- what the roles answer ---

    def _on_message(self, stream: Stream[Head], message: bytes) -> None:
        """A whole message came."""
        if not stream.unary:
            stream.held += len(message) + PREFIX_SIZE
            self._events.append(MessageReceived(stream.id, message))
        elif stream.message is None:
            stream.message = message
        else:
            self._on_second_message()

    @abstractmethod
    def _unfold(self, stream_id: int, plain: Plain) -> Stream[Head]:
        """The stream of a plain call."""

    @abstractmethod
    def _on_second_message(self) -> None:
        """An unary stream has more than one message. Raises CallFault."""

    @abstractmethod
    def _skip_block(self, block: bytes, end: bool) -> None:
        """A header block came for a stream that we have cut off. Raises StreamFault if it could not come for any."""

    @abstractmethod
    def _message_reader(self, head: Head) -> MessageReader:
        """For the messages that come behind this head."""

    @abstractmethod
    def _on_ended(self, stream: Stream[Head]) -> None:
        """The peer's side ended with DATA."""

    @abstractmethod
    def _on_sent(self, stream: Stream[Head]) -> None:
        """Our side of the stream ended, and all of it is on its way."""

    @abstractmethod
    def _is_idle(self, stream_id: int) -> bool:
        """Whether a stream that we do not have was never opened, rather than closed."""
