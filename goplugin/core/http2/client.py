"""The client's end of a connection: calls out, answers in. gRPC over HTTP/2, and RFC 9113 8.1.

A call opened by `send_unary_request` is answered by one event; any other call by a sequence of them. The plainest
answer to the former, three whole frames with header blocks that are known, is taken in one step (`_take_unary`); the
general path gives the same event for it.
"""
from __future__ import annotations

from ..errors import LocalProtocolError
from ..status import Code
from .calls import CallConnection
from .events import ResponseEnded, ResponseStarted, Status, StreamWritable, UnaryResponse
from .faults import CANCEL, NO_ERROR, PROTOCOL_ERROR, REFUSED_STREAM, CallFault, ConnectionFault, StreamFault
from .frames import (
    DEFAULT_MAX_FRAME_SIZE,
    END_HEADERS,
    END_STREAM,
    HEAD_SIZE,
    HEADERS,
    MAX_STREAM_ID,
    PREFACE,
    pack_head,
    unpack_head,
)
from .headers import HeaderReader
from .messages import (
    MESSAGE_HEAD_SIZE,
    PREFIX_SIZE,
    MessageReader,
    check_message,
    pack_message_head,
    unpack_message_head,
)
from .metadata import MetadataLike
from .requests import RequestWriter
from .responses import NO_HEAD, ResponseHead, parse_head, parse_trailers, parse_trailers_only
from .settings import ENABLE_PUSH, Limits
from .stream import DATA_STEP, END_STEP, ENDED, HEAD_STEP, IDLE, Stream

__all__ = ["ClientConnection"]

_NO_MESSAGE = "cardinality violation: received no response message from non-server-streaming RPC"
_TWO_MESSAGES = "cardinality violation: expected <EOF> for non server-streaming RPCs, but received another message"


class ClientConnection(CallConnection[ResponseHead, int]):
    """A gRPC client without a socket.

    A plain call is one whose request is out, and its Plain what is left of the window for that.
    `authority`, `scheme` and `user_agent` are sent with every call; servers of plugins look at none of them.
    """

    def __init__(
        self,
        *,
        authority: str = "localhost",
        scheme: str = "http",
        user_agent: str = "grpc-python-goplugin",
        limits: Limits | None = None,
    ) -> None:
        limits = limits or Limits()
        reader = HeaderReader(limits.max_header_list_size)
        self._heads = reader.cache(parse_head)
        self._tails = reader.cache(parse_trailers)
        self._trailers_only = reader.cache(parse_trailers_only)
        super().__init__(limits, reader, greeting=b"", max_push=0)
        self._writer = RequestWriter(scheme, authority, user_agent)
        self._next_id = 1
        self._room = self._peer.max_streams
        # What a request and an answer may measure to be sent and taken in one step, prefix included.
        self._largest_direct = DEFAULT_MAX_FRAME_SIZE
        self._largest_taken = min(limits.max_message_size + PREFIX_SIZE, limits.stream_window, DEFAULT_MAX_FRAME_SIZE)
        self._outbox.pieces.append(PREFACE + limits.announcement((ENABLE_PUSH, 0)))

    # --- sending ---

    @property
    def can_call(self) -> bool:
        """Whether one more call may be opened now; if not, perhaps when a call has ended, or with SettingsChanged."""
        return len(self._streams) < self._room and self._next_id <= MAX_STREAM_ID

    def send_unary_request(
        self, path: str, message: bytes, metadata: MetadataLike = (), timeout: float | None = None
    ) -> int:
        """Call a method with one message, for one message; returns the stream's id.

        The answer is an UnaryResponse or a StreamReset. `timeout`, in seconds, is for the server; whoever calls has to
        watch the clock too, and to `send_reset` when it has run out.
        Raises LocalProtocolError if no call is possible now (`can_call`), and for a path or metadata that cannot be
        sent.
        """
        block = self._writer.blocks.get(path) or self._writer.block(path)
        if metadata or timeout is not None:
            block += self._writer.call_fields(metadata, timeout, self._peer.max_header_list_size)
        outbox = self._outbox
        stream_id = self._next_id
        size = len(message) + PREFIX_SIZE
        if (
            size > self._largest_direct
            or size > outbox.window
            or len(block) > DEFAULT_MAX_FRAME_SIZE
            or outbox.drops_table
            or len(self._streams) >= self._room
            or stream_id > MAX_STREAM_ID
        ):
            return self._send_whole_request(block, message)
        self._next_id = stream_id + 2
        self._streams[stream_id] = self._initial_window - size
        outbox.window -= size
        outbox.debt = 0
        outbox.pieces.append(b"".join((
            pack_head(len(block) << 8 | HEADERS, END_HEADERS, stream_id),
            block,
            pack_message_head(size << 8, END_STREAM, stream_id, 0, size - PREFIX_SIZE),
            message,
        )))
        return stream_id

    def _send_whole_request(self, block: bytes, message: bytes) -> int:
        """An unary request in the general way."""
        check_message(message)
        stream = self._open(block, unary=True)
        stream.send(END_STEP)
        self._outbox.message(stream, message, END_STREAM)
        return stream.id

    def send_request(self, path: str, metadata: MetadataLike = (), timeout: float | None = None) -> int:
        """Begin a call of any kind; returns the stream's id. Messages follow, then the end.

        Raises LocalProtocolError as `send_unary_request` does.
        """
        block = self._writer.blocks.get(path) or self._writer.block(path)
        block += self._writer.call_fields(metadata, timeout, self._peer.max_header_list_size)
        return self._open(block, unary=False).id

    def send_message(self, stream_id: int, message: bytes, end: bool = False) -> bool:
        """Send a message of a call, and with `end` the end behind it; returns whether the next one may be sent.

        If not, it waits for the peer's credit, and StreamWritable tells when it has gone; or the call is over.
        Raises LocalProtocolError if the call has ended from this side, or there has been no such call.
        """
        check_message(message)
        stream = self._find(stream_id)
        if stream is None:
            return False
        stream.send(DATA_STEP)
        if end:
            stream.send(END_STEP)
        return self._outbox.message(stream, message, END_STREAM if end else 0)

    def send_end(self, stream_id: int) -> None:
        """There are no more messages. Does nothing if the call is over; raises LocalProtocolError as `send_message`."""
        stream = self._find(stream_id)
        if stream is not None:
            stream.send(END_STEP)
            self._outbox.end(stream)

    def _open(self, block: bytes, unary: bool) -> Stream[ResponseHead]:
        if not self.can_call:
            raise LocalProtocolError(f"the {'connection' if self._leaving else 'server'} takes no more calls now")
        stream = Stream(
            self._next_id, NO_HEAD, IDLE, IDLE, self._initial_window, self._limits.stream_window, unary, True
        )
        self._next_id += 2
        self._streams[stream.id] = stream
        stream.send(HEAD_STEP)
        self._outbox.headers(stream.id, block, 0)
        return stream

    # --- receiving ---

    def _take_unary(self, data: bytes, start: int, stop: int, end: int, stream_id: int) -> int:
        tail = stop + MESSAGE_HEAD_SIZE
        if tail > end or type(self._streams.get(stream_id)) is not int:
            return 0
        head = self._heads.known.get(data[start:stop])
        word, flags, data_stream_id, compressed, size = unpack_message_head(data, stop)
        tail += size
        if (
            head is None
            or word != size + PREFIX_SIZE << 8          # DATA of just this message
            or flags
            or data_stream_id != stream_id
            or compressed
            or size + PREFIX_SIZE > self._largest_taken
            or tail + HEAD_SIZE > end
        ):
            return 0
        word, flags, tail_stream_id = unpack_head(data, tail)
        behind = tail + HEAD_SIZE + (word >> 8)
        status = self._tails.known.get(data[tail + HEAD_SIZE : behind])
        if (
            status is None
            or status.code
            or word & 0xFF != HEADERS
            or flags != END_HEADERS | END_STREAM
            or tail_stream_id != stream_id
            or behind > end
        ):
            return 0
        self._receive_window -= size + PREFIX_SIZE
        if self._receive_window < self._credit_mark:
            self._return_credit()
        del self._streams[stream_id]
        self._events.append(UnaryResponse(stream_id, data[tail - size : tail], status, head.metadata))
        return behind

    def _unfold(self, stream_id: int, plain: int) -> Stream[ResponseHead]:
        return Stream(stream_id, NO_HEAD, ENDED, IDLE, plain, self._limits.stream_window, True, True)

    def _on_block(self, stream_id: int, block: bytes, end: bool) -> None:
        stream = self._stream(stream_id)
        if stream is None:
            if self._is_idle(stream_id):
                raise ConnectionFault(PROTOCOL_ERROR, f"HEADERS on stream {stream_id}, which was never opened")
            self._on_late_block(stream_id, block, end)
        elif stream.remote == IDLE:
            self._on_head(stream, block, end)
        else:
            if end:
                stream.receive(END_STEP)
            status = self._reader.read(block, self._tails)
            if not end:
                raise StreamFault(PROTOCOL_ERROR, "trailers have to end the stream")
            if stream.reader is not None and stream.reader.unfinished:
                raise CallFault(Code.INTERNAL, "the server ended the call in the middle of a message")
            self._finish(stream, status)

    def _on_head(self, stream: Stream[ResponseHead], block: bytes, end: bool) -> None:
        if end:
            stream.receive(HEAD_STEP)
            stream.receive(END_STEP)
            self._finish(stream, self._reader.read(block, self._trailers_only))
            return
        head = self._reader.read(block, self._heads)
        if head is None:
            self._outbox.charge(1)      # informational: the head is yet to come
            return
        stream.receive(HEAD_STEP)
        stream.head = head
        if not stream.unary:
            self._events.append(ResponseStarted(stream.id, head.metadata))

    def _skip_block(self, block: bytes, end: bool) -> None:
        self._reader.skip(block)

    def _on_ended(self, stream: Stream[ResponseHead]) -> None:
        raise CallFault(Code.INTERNAL, "server closed the stream without sending trailers")

    def _on_second_message(self) -> None:
        raise CallFault(Code.INTERNAL, _TWO_MESSAGES)

    def _message_reader(self, head: ResponseHead) -> MessageReader:
        return MessageReader(self._limits.max_message_size, head.encoding, server=False)

    def _finish(self, stream: Stream[ResponseHead], status: Status, error_code: int = NO_ERROR) -> None:
        """The call has its answer; whatever of its request or response is still on the way helps nobody any more."""
        unfinished = stream.remote != ENDED or stream.local != ENDED or stream.backlog is not None
        self._close(stream)
        if unfinished:
            self._cut_off(stream.id, error_code)
        if not stream.unary:
            self._events.append(ResponseEnded(stream.id, status))
            return
        message = None if status.code else stream.message
        if message is None and not status.code:
            status = Status(Code.INTERNAL, _NO_MESSAGE, b"", status.metadata)
        self._events.append(UnaryResponse(stream.id, message, status, stream.head.metadata))

    def _fail_call(self, stream_id: int, fault: CallFault) -> None:
        self._outbox.count_owed()
        stream = self._stream(stream_id)
        assert stream is not None       # whose frame it was
        self._finish(stream, Status(fault.code, fault.message), CANCEL)

    def _peer_leaves(self, last_stream_id: int) -> None:
        status = Status(Code.UNAVAILABLE, "the server goes away and has not taken the call")
        for stream in [stream for stream in self._all_streams() if stream.id > last_stream_id]:
            self._close(stream)
            self._report(stream, status, REFUSED_STREAM, True)

    def _last_peer_stream(self) -> int:
        return 0        # servers open no streams

    def _adopt_settings(self, window_change: int) -> None:
        super()._adopt_settings(window_change)
        self._largest_direct = min(self._peer.max_frame_size, self._initial_window)
        self._room = 0 if self._leaving else self._peer.max_streams

    def _on_sent(self, stream: Stream[ResponseHead]) -> None:
        if not stream.unary:
            self._events.append(StreamWritable(stream.id))

    def _is_idle(self, stream_id: int) -> bool:
        return stream_id % 2 == 0 or stream_id >= self._next_id
