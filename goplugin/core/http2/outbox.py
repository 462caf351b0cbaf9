"""What waits to be written: frames in their order, and messages that wait for the peer's credit. RFC 9113 section 5.2.

DATA is sent within two windows, the stream's and the connection's; both shrink with every octet and grow by
WINDOW_UPDATE. What does not fit stays in the stream's Backlog, by reference. A stream whose backlog waits for the
connection's credit and not for its own is `ready`; such streams take turns, a frame each.

The outbox also keeps what a hostile peer would have grow (RFC 9113 10.5):

    `owed`   answers that the peer made us write and nobody has collected: acknowledgements, resets, refusals. A peer
             that sends PING or SETTINGS faster than it reads, or makes us refuse one stream after another.
    `debt`   frames that asked for nothing and brought nothing, since we last sent a message. Empty DATA, endless
             CONTINUATION, PRIORITY, WINDOW_UPDATE; a call that is reset at once counts as many of them.

Neither needs a clock: an honest peer has a few answers owed and pays its debt with every call it makes.
"""
from __future__ import annotations

from collections import deque

from .faults import ENHANCE_YOUR_CALM, FLOW_CONTROL_ERROR, ConnectionFault
from .frames import DEFAULT_MAX_FRAME_SIZE, DEFAULT_WINDOW, END_STREAM, MAX_WINDOW, data_head, headers
from .hpack import DROP_TABLE
from .messages import PREFIX_SIZE, pack_message_head, pack_prefix

__all__ = ["MAX_DEBT", "MAX_OWED", "Backlog", "Outbox", "Sender"]

MAX_OWED = 1_000
MAX_DEBT = 10_000



class Backlog:
    """What waits for the peer's credit: octets of DATA, and what is to follow them.

    `pieces` are slices of messages, never copies. `trailers` is a header block to send behind the last octet, and
    `end` says that the last octet ends the stream.
    """

    __slots__ = ("end", "pieces", "size", "trailers")

    def __init__(self) -> None:
        self.pieces: deque[memoryview] = deque()
        self.size = 0
        self.end = False
        self.trailers: bytes | None = None

    def append(self, piece: bytes) -> None:
        if piece:
            self.pieces.append(memoryview(piece))
            self.size += len(piece)

    def take(self, size: int) -> list[memoryview]:
        """The next `size` octets, of which there are as many."""
        self.size -= size
        taken: list[memoryview] = []
        while size:
            piece = self.pieces.popleft()
            if len(piece) > size:
                self.pieces.appendleft(piece[size:])
                piece = piece[:size]
            taken.append(piece)
            size -= len(piece)
        return taken


class Sender:
    """The sending side of a stream: `send_window` is what the peer lets it send, `backlog` what waits for more."""

    __slots__ = ("backlog", "id", "send_window")

    def __init__(self, stream_id: int, send_window: int) -> None:
        self.id = stream_id
        self.send_window = send_window
        self.backlog: Backlog | None = None


class Outbox:
    """The writing end of a connection.

    `pieces` is what `collect` will join; `window` is the connection's, `max_frame_size` the peer's. `drops_table`: the
    next header block has to tell the peer that our dynamic table is gone.
    """

    __slots__ = ("debt", "drops_table", "max_frame_size", "owed", "pieces", "ready", "window")

    def __init__(self) -> None:
        self.pieces: list[bytes | memoryview] = []
        self.window = DEFAULT_WINDOW
        self.max_frame_size = DEFAULT_MAX_FRAME_SIZE
        self.drops_table = False
        self.ready: dict[int, Sender] = {}
        self.owed = 0
        self.debt = 0

    def collect(self) -> bytes:
        """All that can be written now, for good."""
        pieces = self.pieces
        if not pieces:
            return b""
        data = b"".join(pieces)
        pieces.clear()
        self.owed = 0
        return data

    # --- what the peer makes us do ---

    def owe(self, frame: bytes) -> None:
        """Write an answer that the peer asked for. Raises ConnectionFault as `count_owed` does."""
        self.count_owed()
        self.pieces.append(frame)

    def count_owed(self) -> None:
        """The peer makes us write something. Raises ConnectionFault if too much of that waits already."""
        self.owed += 1
        if self.owed > MAX_OWED:
            raise ConnectionFault(ENHANCE_YOUR_CALM, "the peer asks faster than it reads the answers")

    def charge(self, cost: int) -> None:
        """The peer sent something that helps nobody. Raises ConnectionFault if that is all it has done for long."""
        self.debt += cost
        if self.debt > MAX_DEBT:
            raise ConnectionFault(ENHANCE_YOUR_CALM, "the peer sends frames without purpose")

    # --- what we want to send ---

    def headers(self, stream_id: int, block: bytes, flags: int) -> None:
        """A header block; `flags` is END_STREAM or 0."""
        if self.drops_table:
            self.drops_table = False
            block = DROP_TABLE + block
        self.pieces.append(headers(stream_id, block, flags, self.max_frame_size))

    def message(self, stream: Sender, message: bytes, flags: int) -> bool:
        """A message; `flags` is END_STREAM or 0. Returns whether it has left the stream's backlog."""
        self.debt = 0
        size = len(message) + PREFIX_SIZE
        backlog = stream.backlog
        if backlog is None and size <= stream.send_window and size <= self.window and size <= self.max_frame_size:
            stream.send_window -= size
            self.window -= size
            self.pieces.append(pack_message_head(size << 8, flags, stream.id, 0, len(message)) + message)
            return True
        if backlog is None:
            backlog = stream.backlog = Backlog()
        backlog.append(pack_prefix(0, len(message)))
        backlog.append(message)
        backlog.end = bool(flags)
        return self.pump(stream)

    def end(self, stream: Sender) -> None:
        """The end of a request, behind its messages."""
        if stream.backlog is None:
            self.pieces.append(data_head(stream.id, 0, END_STREAM))
        else:
            stream.backlog.end = True

    def trailers(self, stream: Sender, block: bytes) -> None:
        """The end of a response, behind its messages."""
        self.debt = 0
        if stream.backlog is None:
            self.headers(stream.id, block, END_STREAM)
        else:
            stream.backlog.trailers = block

    def forget(self, stream: Sender) -> None:
        """The stream is over: what it still had to send is dropped."""
        stream.backlog = None
        self.ready.pop(stream.id, None)

    # --- credit ---

    def pump(self, stream: Sender, most: int = MAX_WINDOW) -> bool:
        """Send up to `most` octets of a stream's backlog, as far as credit goes; returns whether nothing is left."""
        backlog = stream.backlog
        if backlog is None:
            return True
        self.debt = 0
        while True:
            size = min(backlog.size, most, stream.send_window, self.window, self.max_frame_size)
            if size <= 0:
                break
            last = size == backlog.size and backlog.end
            self.pieces.append(data_head(stream.id, size, END_STREAM if last else 0))
            self.pieces += backlog.take(size)
            stream.send_window -= size
            self.window -= size
            most -= size
        self.ready.pop(stream.id, None)
        if backlog.size:
            if stream.send_window > 0:
                self.ready[stream.id] = stream
            return False
        stream.backlog = None
        if backlog.trailers is not None:
            self.headers(stream.id, backlog.trailers, END_STREAM)
        return True

    def add_credit(self, increment: int) -> list[Sender]:
        """The peer lets all streams together send more; returns those that have nothing left to send.

        Raises ConnectionFault if the window would be larger than windows can be.
        """
        self.window += increment
        if self.window > MAX_WINDOW:
            raise ConnectionFault(FLOW_CONTROL_ERROR, "WINDOW_UPDATE: the connection's window is too large")
        drained: list[Sender] = []
        while self.ready and self.window > 0:
            stream = next(iter(self.ready.values()))
            if self.pump(stream, self.max_frame_size):
                drained.append(stream)
        return drained
