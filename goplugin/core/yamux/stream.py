"""The life of one stream.

A stream is open from its first frame on: data may flow before the peer has accepted it. Each side ends its own
direction with FIN, once, and when both have the stream is over. STEPS is that as a table, and `send` and `receive` are
the only way through it.

    OPEN --send FIN-----> LOCAL_CLOSED  --receive FIN--> CLOSED
    OPEN --receive FIN--> REMOTE_CLOSED --send FIN-----> CLOSED

RST ends both directions at once, from anywhere: a session does not have the stream any more then.
Source: hashicorp/yamux stream.go, Close and processFlags.
"""
from __future__ import annotations

import enum

from ..errors import LocalProtocolError
from .frames import INITIAL_WINDOW, MAX_WORD

__all__ = ["CREDIT_MARK", "STEPS", "SessionFault", "State", "Step", "Stream"]


class SessionFault(Exception):
    """Nothing that follows in this session can be trusted; `told` by the peer itself. Never leaves the package."""

    def __init__(self, reason: str, *, told: bool = False) -> None:
        super().__init__(reason)
        self.told = told


class State(enum.Enum):
    OPEN = "open"
    LOCAL_CLOSED = "closed by us"
    REMOTE_CLOSED = "closed by the peer"
    CLOSED = "closed"


class Step(enum.Enum):
    SEND_FIN = "send FIN"
    RECEIVE_FIN = "receive FIN"


STEPS: dict[tuple[State, Step], State] = {
    (State.OPEN, Step.SEND_FIN): State.LOCAL_CLOSED,
    (State.OPEN, Step.RECEIVE_FIN): State.REMOTE_CLOSED,
    (State.LOCAL_CLOSED, Step.RECEIVE_FIN): State.CLOSED,
    (State.REMOTE_CLOSED, Step.SEND_FIN): State.CLOSED,
}

CREDIT_MARK = INITIAL_WINDOW // 2
"""Octets that are worth a frame to give them back."""

_SENDING = (State.OPEN, State.REMOTE_CLOSED)
_RECEIVING = (State.OPEN, State.LOCAL_CLOSED)


class Stream:
    """One stream's state and its two windows, in octets.

    `unaccepted`: the side that did not open it has not said ACK yet.
    `send_window`: what the peer lets us send; `blocked`: we wanted to send more.
    `receive_window`: what we let the peer send.
    `held`: what the application has got and not acknowledged; `consumed`: acknowledged, and not yet given back.
    `discards`: the application wants nothing more of it.
    """

    __slots__ = (
        "blocked", "consumed", "discards", "held", "id", "receive_window", "send_window", "state", "unaccepted",
    )

    def __init__(self, stream_id: int) -> None:
        self.id = stream_id
        self.state = State.OPEN
        self.unaccepted = True
        self.send_window = INITIAL_WINDOW
        self.blocked = False
        self.receive_window = INITIAL_WINDOW
        self.held = 0
        self.consumed = 0
        self.discards = False

    @property
    def sending(self) -> bool:
        """Whether our direction is open."""
        return self.state in _SENDING

    @property
    def receiving(self) -> bool:
        """Whether the peer's direction is open."""
        return self.state in _RECEIVING

    def send_fin(self) -> None:
        """End our direction. Raises LocalProtocolError if it has ended."""
        try:
            self.state = STEPS[self.state, Step.SEND_FIN]
        except KeyError:
            raise LocalProtocolError(f"stream {self.id} is {self.state.value} already") from None

    def receive_fin(self) -> None:
        """The peer's direction ends. Raises SessionFault if it has ended."""
        try:
            self.state = STEPS[self.state, Step.RECEIVE_FIN]
        except KeyError:
            raise SessionFault(f"a second FIN on stream {self.id}") from None

    def receive_payload(self, size: int) -> None:
        """So many octets are on their way. Raises SessionFault if the window has less."""
        if size > self.receive_window:
            raise SessionFault(f"{size} octets on stream {self.id}, whose window has {self.receive_window}")
        self.receive_window -= size

    def receive_credit(self, credit: int) -> bool:
        """The peer lets us send more; returns whether we wanted to. Raises SessionFault for more than windows have."""
        self.send_window += credit
        if self.send_window > MAX_WORD:
            raise SessionFault(f"the window of stream {self.id} is too large")
        unblocked = self.blocked and credit > 0 and self.sending
        if unblocked:
            self.blocked = False
        return unblocked

    def acknowledge(self, size: int) -> int:
        """The application has taken so much; returns the credit that the peer is to hear of now, if any.

        Raises LocalProtocolError for more than the application got.
        """
        if size > self.held:
            raise LocalProtocolError(f"stream {self.id} has {self.held} octets to acknowledge, not {size}")
        self.held -= size
        self.consumed += size
        if self.consumed < CREDIT_MARK or self.discards or not self.receiving:
            return 0
        credit, self.consumed = self.consumed, 0
        self.receive_window += credit
        return credit
