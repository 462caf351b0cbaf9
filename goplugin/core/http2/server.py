"""The server's end of a connection: calls in, answers out. gRPC over HTTP/2, and RFC 9113 8.1.

A request to one of the `unary_paths` is one event once its only message is there; any other request is a sequence of
events. The plainest request to the former, two whole frames with a header block that is known, is taken in one step
(`_take_unary`); the general path gives the same event for it.

What a server says about a call that it does not let the application have: a request that is not gRPC is answered as
`requests.py` says, and one that comes above the limits or behind our GOAWAY is refused, which tells the client that it
may try again.
"""
from __future__ import annotations

from collections.abc import Container
from contextlib import suppress
from struct import Struct

from ..status import Code
from .calls import CallConnection
from .events import RequestEnded, RequestHead, RequestReceived, Status, UnaryRequest
from .faults import INTERNAL_ERROR, NO_ERROR, PROTOCOL_ERROR, REFUSED_STREAM, CallFault, ConnectionFault, StreamFault
from .frames import DEFAULT_MAX_FRAME_SIZE, END_HEADERS, END_STREAM, HEADERS, MAX_STREAM_ID, PREFACE
from .headers import HeaderReader
from .messages import MESSAGE_HEAD_SIZE, PREFIX_SIZE, MessageReader, check_message, unpack_message_head
from .metadata import UNLIMITED, MetadataLike
from .requests import RequestParser, parse_trailers
from .responses import OK_TRAILERS, RESPONSE_HEAD, refusal_block, response_block, trailers_block
from .settings import MAX_CONCURRENT_STREAMS, Limits
from .stream import DATA_STEP, END_STEP, ENDED, HEAD_STEP, IDLE, Stream

__all__ = ["ServerConnection"]

# What stands before and behind the message of a plain reply: HEADERS, and the head of DATA; HEADERS again.
_pack_reply_head = Struct(f">IBI{len(RESPONSE_HEAD)}sIBIBI").pack
_pack_reply_tail = Struct(f">IBI{len(OK_TRAILERS)}s").pack
_NO_MESSAGE = "cardinality violation: received no request message from non-client-streaming RPC"
_TWO_MESSAGES = "cardinality violation: received multiple request messages for non-client-streaming RPC"
_UNENDED_TRAILERS = "trailers have to end the stream"
_HEAD_WORD = len(RESPONSE_HEAD) << 8 | HEADERS
_TAIL_WORD = len(OK_TRAILERS) << 8 | HEADERS


class ServerConnection(CallConnection[RequestHead, RequestHead]):
    """A gRPC server without a socket.

    A plain call is one whose request is in and whose answer has not begun, and its Plain the request's head.
    `unary_paths`: the methods whose requests are exactly one message, as `/package.Service/Method`.
    """

    def __init__(self, *, unary_paths: Container[str] = (), limits: Limits | None = None) -> None:
        limits = limits or Limits()
        reader = HeaderReader(limits.max_header_list_size, watched="grpc-timeout")
        parser = RequestParser(unary_paths)
        self._heads = reader.cache(parser.parse, parser.vary)
        self._tails = reader.cache(parse_trailers)
        super().__init__(limits, reader, greeting=PREFACE, max_push=1)
        self._last_id = 0                               # of the streams that the client has opened
        self._room = limits.max_concurrent_streams
        # What a request may measure to be taken in one step, prefix included.
        self._largest_taken = min(limits.max_message_size + PREFIX_SIZE, limits.stream_window, DEFAULT_MAX_FRAME_SIZE)
        self._outbox.pieces.append(limits.announcement((MAX_CONCURRENT_STREAMS, limits.max_concurrent_streams)))

    # --- sending ---

    def send_unary_reply(
        self, stream_id: int, message: bytes, metadata: MetadataLike = (), trailers: MetadataLike = ()
    ) -> None:
        """Answer a call with one message and the status OK. Does nothing if the call is over.

        Raises LocalProtocolError if the answer has begun already, and for metadata that cannot be sent.
        """
        outbox = self._outbox
        size = len(message) + PREFIX_SIZE
        if (
            type(self._streams.get(stream_id)) is not RequestHead
            or metadata
            or trailers
            or size > self._initial_window
            or size > outbox.window
            or size > outbox.max_frame_size
            or outbox.drops_table
        ):
            self._send_reply_in_parts(stream_id, message, metadata, trailers)
            return
        del self._streams[stream_id]
        outbox.window -= size
        outbox.debt = 0
        outbox.pieces.append(b"".join((
            _pack_reply_head(
                _HEAD_WORD, END_HEADERS, stream_id, RESPONSE_HEAD, size << 8, 0, stream_id, 0, size - PREFIX_SIZE
            ),
            message,
            _pack_reply_tail(_TAIL_WORD, END_HEADERS | END_STREAM, stream_id, OK_TRAILERS),
        )))

    def _send_reply_in_parts(
        self, stream_id: int, message: bytes, metadata: MetadataLike, trailers: MetadataLike
    ) -> None:
        """An unary reply in the general way."""
        check_message(message)
        stream = self._find(stream_id)
        if stream is None:
            return
        head = response_block(metadata, self._peer.max_header_list_size)
        tail = trailers_block(Code.OK, "", b"", trailers, self._peer.max_header_list_size)
        stream.send(HEAD_STEP)
        self._outbox.headers(stream_id, head, 0)
        stream.send(DATA_STEP)
        self._outbox.message(stream, message, 0)
        self._send_trailers(stream, tail)

    def send_response(self, stream_id: int, metadata: MetadataLike = ()) -> None:
        """Begin an answer, with its initial metadata. Does nothing if the call is over.

        Raises LocalProtocolError if the answer has begun already, and for metadata that cannot be sent.
        """
        stream = self._find(stream_id)
        if stream is not None:
            block = response_block(metadata, self._peer.max_header_list_size)
            stream.send(HEAD_STEP)
            self._outbox.headers(stream_id, block, 0)

    def send_message(self, stream_id: int, message: bytes) -> bool:
        """Send a message of an answer that has begun; returns whether the next one may be sent.

        If not, it waits for the peer's credit, and StreamWritable tells when it has gone; or the call is over.
        Raises LocalProtocolError if the answer has not begun or has ended, or there has been no such call.
        """
        check_message(message)
        stream = self._find(stream_id)
        if stream is None:
            return False
        stream.send(DATA_STEP)
        return self._outbox.message(stream, message, 0)

    def send_status(
        self,
        stream_id: int,
        code: int = Code.OK,
        message: str = "",
        details: bytes = b"",
        trailers: MetadataLike = (),
    ) -> None:
        """End a call, behind whatever messages are still on their way. Does nothing if the call is over.

        `details` is a serialized google.rpc.Status. An answer that has not begun consists of its status alone.
        Raises LocalProtocolError for metadata that cannot be sent, or a status too large for the peer's limit.
        """
        stream = self._find(stream_id)
        if stream is None:
            return
        block = trailers_block(code, message, details, trailers, self._peer.max_header_list_size)
        if stream.local == IDLE:
            stream.send(HEAD_STEP)
            block = RESPONSE_HEAD + block
        self._send_trailers(stream, block)

    def _send_trailers(self, stream: Stream[RequestHead], block: bytes) -> None:
        stream.send(END_STEP)
        self._outbox.trailers(stream, block)
        if stream.backlog is None:
            self._on_sent(stream)

    # --- receiving ---

    def _take_unary(self, data: bytes, start: int, stop: int, end: int, stream_id: int) -> int:
        behind = stop + MESSAGE_HEAD_SIZE
        if behind > end:
            return 0
        block = data[start:stop]
        head = self._heads.known.get(block) or self._reader.recall(block, self._heads)
        word, flags, data_stream_id, compressed, size = unpack_message_head(data, stop)
        behind += size
        if (
            head is None
            or not head.unary
            or word != size + PREFIX_SIZE << 8          # DATA of just this message
            or flags != END_STREAM
            or data_stream_id != stream_id
            or compressed
            or size + PREFIX_SIZE > self._largest_taken
            or behind > end
            or not self._last_id < stream_id <= MAX_STREAM_ID
            or stream_id % 2 == 0
            or len(self._streams) >= self._room
        ):
            return 0
        self._last_id = stream_id
        self._receive_window -= size + PREFIX_SIZE
        if self._receive_window < self._credit_mark:
            self._return_credit()
        self._streams[stream_id] = head
        self._events.append(UnaryRequest(stream_id, head, data[behind - size : behind]))
        return behind

    def _unfold(self, stream_id: int, plain: RequestHead) -> Stream[RequestHead]:
        windows = self._initial_window, self._limits.stream_window
        return Stream(stream_id, plain, IDLE, ENDED, *windows, True, True)

    def _on_block(self, stream_id: int, block: bytes, end: bool) -> None:
        stream = self._stream(stream_id)
        if stream is not None:
            self._reader.read(block, self._tails)
            stream.receive(END_STEP)
            if not end:
                raise StreamFault(PROTOCOL_ERROR, _UNENDED_TRAILERS)
            self._on_ended(stream)
        elif stream_id % 2 == 0:
            raise ConnectionFault(PROTOCOL_ERROR, f"HEADERS on stream {stream_id}, which is not a client's")
        elif stream_id <= self._last_id:
            self._on_late_block(stream_id, block, end)
        elif len(self._streams) >= self._room:
            self._last_id = stream_id
            self._reader.skip(block)
            self._outbox.count_owed()
            self._cut_off(stream_id, REFUSED_STREAM)
        else:
            self._last_id = stream_id
            self._on_request(stream_id, block, end)

    def _on_request(self, stream_id: int, block: bytes, end: bool) -> None:
        try:
            head = self._reader.read(block, self._heads)
        except CallFault as fault:
            self._outbox.count_owed()
            self._outbox.headers(stream_id, refusal_block(fault), END_STREAM)
            if not end:
                self._cut_off(stream_id, NO_ERROR)
            return
        windows = self._initial_window, self._limits.stream_window
        stream = self._streams[stream_id] = Stream(stream_id, head, IDLE, IDLE, *windows, head.unary, not head.unary)
        stream.receive(HEAD_STEP)
        if not head.unary:
            self._events.append(RequestReceived(stream_id, head))
        if end:
            stream.receive(END_STEP)
            self._on_ended(stream)

    def _skip_block(self, block: bytes, end: bool) -> None:
        with suppress(CallFault):       # too long, and there is no call that it could end
            self._reader.read(block, self._tails)
        if not end:
            raise StreamFault(PROTOCOL_ERROR, _UNENDED_TRAILERS)

    def _on_ended(self, stream: Stream[RequestHead]) -> None:
        if stream.reader is not None and stream.reader.unfinished:
            raise CallFault(Code.INTERNAL, "the client ended the request in the middle of a message")
        if not stream.unary:
            self._events.append(RequestEnded(stream.id))
            return
        if stream.message is None:
            raise CallFault(Code.INTERNAL, _NO_MESSAGE)
        stream.told = True
        self._events.append(UnaryRequest(stream.id, stream.head, stream.message))
        stream.message = None
        if stream.send_window == self._initial_window:
            self._streams[stream.id] = stream.head      # however it has come, it is plain from now on

    def _on_second_message(self) -> None:
        raise CallFault(Code.INTERNAL, _TWO_MESSAGES)

    def _message_reader(self, head: RequestHead) -> MessageReader:
        return MessageReader(self._limits.max_message_size, head.encoding, server=True)

    def _on_sent(self, stream: Stream[RequestHead]) -> None:
        """The call has its answer; a request that has not ended is of no more use."""
        self._close(stream)
        if stream.remote != ENDED:
            self._cut_off(stream.id, NO_ERROR)

    def _fail_call(self, stream_id: int, fault: CallFault) -> None:
        """Answer a call in the application's place, behind what it has sent so far."""
        stream = self._stream(stream_id)
        assert stream is not None       # whose frame it was
        self._outbox.count_owed()
        self._report(stream, Status(fault.code, fault.message), NO_ERROR)
        if stream.backlog is not None:
            self._close(stream)
            self._cut_off(stream_id, INTERNAL_ERROR)
            return
        if stream.local == IDLE:
            self._outbox.headers(stream_id, refusal_block(fault), END_STREAM)
        else:
            block = trailers_block(fault.code, fault.message, b"", (), UNLIMITED)
            self._outbox.headers(stream_id, block, END_STREAM)
        self._on_sent(stream)

    def _peer_leaves(self, last_stream_id: int) -> None:
        """A client that goes away opens no more streams; those it has go on."""

    def _last_peer_stream(self) -> int:
        return self._last_id

    def _is_idle(self, stream_id: int) -> bool:
        return stream_id % 2 == 0 or stream_id > self._last_id
