"""The life of one stream. RFC 9113 section 5.1.

A stream is two one-way streets, and gRPC uses each of them in the same order: a head, messages, an end.

    IDLE --HEADERS--> OPEN --DATA--> OPEN --END_STREAM--> ENDED

STEPS is that sentence as a table, and `Stream.send` and `Stream.receive` are the only way along it. The five states of
the RFC's diagram are pairs of these; STATES names them. RST_STREAM ends both streets at once, and with them the
stream: a closed stream is one that the connection no longer has. (The reserved states belong to server push, which is
refused.)

A call is over when its response is. A server that has sent the end of it, or a client that has received it, closes the
stream there and then, with RST_STREAM(NO_ERROR) if the request has not ended yet (RFC 9113 8.1).
"""
from __future__ import annotations

from typing import Generic, TypeVar

from ..errors import LocalProtocolError
from .events import RequestHead
from .faults import PROTOCOL_ERROR, STREAM_CLOSED, StreamFault
from .messages import MessageReader
from .outbox import Sender
from .responses import ResponseHead

__all__ = ["DATA_STEP", "ENDED", "END_STEP", "HEAD_STEP", "IDLE", "OPEN", "STATES", "STEPS", "Head", "Stream"]

Head = TypeVar("Head", RequestHead, ResponseHead)

IDLE, OPEN, ENDED = range(3)
HEAD_STEP, DATA_STEP, END_STEP = "HEADERS", "DATA", "END_STREAM"

STEPS: dict[tuple[int, str], int] = {
    (IDLE, HEAD_STEP): OPEN,
    (OPEN, DATA_STEP): OPEN,
    (OPEN, END_STEP): ENDED,
}

# (our street, the peer's street) -> the RFC's name. Client and server differ only in which street opens first.
STATES: dict[tuple[int, int], str] = {
    (IDLE, IDLE): "idle",
    (OPEN, IDLE): "open",
    (IDLE, OPEN): "open",
    (OPEN, OPEN): "open",
    (ENDED, IDLE): "half-closed (local)",
    (ENDED, OPEN): "half-closed (local)",
    (IDLE, ENDED): "half-closed (remote)",
    (OPEN, ENDED): "half-closed (remote)",
    (ENDED, ENDED): "closed",
}


class Stream(Sender, Generic[Head]):
    """One call's stream: where its two streets are, and the windows on them.

    `head`: the peer's head; at a client an empty one until it comes.
    `receive_window`: octets of DATA that we let the peer send.
    `held`: octets of messages that the application has not acknowledged yet.
    `unary`: one event tells of it, when all of the request (at a server) or of the response (at a client) is there.
    `message`: the only message of an unary stream, once it has come.
    `told`: the application knows of it, and has to hear how it ends.
    """

    __slots__ = ("head", "held", "local", "message", "reader", "receive_window", "remote", "told", "unary")

    def __init__(
        self,
        stream_id: int,
        head: Head,
        local: int,
        remote: int,
        send_window: int,
        receive_window: int,
        unary: bool,
        told: bool,
    ) -> None:
        self.id = stream_id         # what Sender would set, without the call: one stream is made per call
        self.send_window = send_window
        self.backlog = None
        self.head = head
        self.local = local
        self.remote = remote
        self.receive_window = receive_window
        self.unary = unary
        self.told = told
        self.message: bytes | None = None
        self.reader: MessageReader | None = None
        self.held = 0

    @property
    def state(self) -> str:
        """The RFC's name for where the stream is."""
        return STATES[self.local, self.remote]

    def send(self, step: str) -> None:
        """We take a step. Raises LocalProtocolError if it is not possible now."""
        try:
            self.local = STEPS[self.local, step]
        except KeyError:
            raise LocalProtocolError(f"{step} cannot be sent on stream {self.id}: {self._where(self.local)}") from None

    def receive(self, step: str) -> None:
        """The peer took a step. Raises StreamFault if it was not possible."""
        try:
            self.remote = STEPS[self.remote, step]
        except KeyError:
            error_code = STREAM_CLOSED if self.remote == ENDED else PROTOCOL_ERROR
            raise StreamFault(error_code, f"{step} on stream {self.id}: {self._where(self.remote)}") from None

    def _where(self, street: int) -> str:
        return f"it is {self.state}, and this side of it {('has not begun', 'is open', 'has ended')[street]}"
