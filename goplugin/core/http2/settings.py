"""SETTINGS: what each side tells the other about itself, and our own limits. RFC 9113 sections 6.5 and 10.5.

Settings travel in one direction and describe their sender, so the peer's bind what we send and ours bind the peer.
They take effect in the order in which they come; the acknowledgement says that they have.

Our own never change. We announce them once, before anything else:

    ENABLE_PUSH             0, from a client: gRPC has no use for it
    MAX_CONCURRENT_STREAMS  from a server
    INITIAL_WINDOW_SIZE     large, because an unary call should never wait for credit
    MAX_HEADER_LIST_SIZE

but for one, which goes to a peer whose header blocks have a memory (see `hpack.py`) as soon as such a block comes:

    HEADER_TABLE_SIZE       0

Nobody else has to hear of it, and whoever chooses a table without a look at SETTINGS, as some do, is right until then.
"""
from __future__ import annotations

from struct import iter_unpack

from ..errors import ConfigError
from .faults import FLOW_CONTROL_ERROR, PROTOCOL_ERROR, ConnectionFault
from .frames import DEFAULT_MAX_FRAME_SIZE, DEFAULT_WINDOW, MAX_WINDOW, settings, window_update
from .hpack import DEFAULT_TABLE_SIZE
from .metadata import UNLIMITED

__all__ = [
    "ENABLE_PUSH", "HEADER_TABLE_SIZE", "INITIAL_WINDOW_SIZE", "MAX_CONCURRENT_STREAMS", "MAX_FRAME_SIZE",
    "MAX_HEADER_LIST_SIZE",
    "Limits", "PeerSettings",
]

HEADER_TABLE_SIZE = 0x1
ENABLE_PUSH = 0x2
MAX_CONCURRENT_STREAMS = 0x3
INITIAL_WINDOW_SIZE = 0x4
MAX_FRAME_SIZE = 0x5
MAX_HEADER_LIST_SIZE = 0x6

# Parameter -> lowest and highest value, and the error code for any other.
_RANGES = {
    ENABLE_PUSH: (0, 1, PROTOCOL_ERROR),
    INITIAL_WINDOW_SIZE: (0, MAX_WINDOW, FLOW_CONTROL_ERROR),
    MAX_FRAME_SIZE: (DEFAULT_MAX_FRAME_SIZE, 2**24 - 1, PROTOCOL_ERROR),
}


class Limits:
    """How much a peer may ask of us; a connection never changes its own.

    `max_message_size`: octets of one gRPC message; as in go-plugin there is no limit below 2 GiB.
    `max_header_list_size`: octets of the fields of one header block, each counted with 32 more.
    `max_concurrent_streams`: calls a server has at a time; further ones are refused, and may be tried again.
    `stream_window`: octets a peer may send on one stream beyond what the application has read.
    `connection_window`: octets a peer may send on all streams together beyond what the machine has read.
    Raises ConfigError for windows below 65,535 octets, which a peer has before it hears of ours, or above 2 GiB.
    """

    __slots__ = (
        "connection_window", "max_concurrent_streams", "max_header_list_size", "max_message_size", "stream_window",
    )

    def __init__(
        self,
        *,
        max_message_size: int = 2**31 - 1,
        max_header_list_size: int = 256 * 1024,
        max_concurrent_streams: int = 1000,
        stream_window: int = 4 * 1024 * 1024,
        connection_window: int = 16 * 1024 * 1024,
    ) -> None:
        for window in (stream_window, connection_window):
            if not DEFAULT_WINDOW <= window <= MAX_WINDOW:
                raise ConfigError(f"a window has {DEFAULT_WINDOW} to {MAX_WINDOW} octets, not {window}")
        self.max_message_size = max_message_size
        self.max_header_list_size = max_header_list_size
        self.max_concurrent_streams = max_concurrent_streams
        self.stream_window = stream_window
        self.connection_window = connection_window

    def announcement(self, own: tuple[int, int]) -> bytes:
        """The frames that say all this to the peer; `own` is the (parameter, value) that only this role has."""
        values = [
            (INITIAL_WINDOW_SIZE, self.stream_window),
            (MAX_HEADER_LIST_SIZE, self.max_header_list_size),
            own,
        ]
        credit = self.connection_window - DEFAULT_WINDOW        # no setting changes the connection's window
        return settings(values) + (window_update(0, credit) if credit else b"")


class PeerSettings:
    """What the peer has announced; the defaults of RFC 9113 6.5.2 until it does.

    One without a limit on streams or header lists has one that nobody reaches.
    """

    __slots__ = ("header_table_size", "initial_window", "max_frame_size", "max_header_list_size", "max_streams")

    def __init__(self) -> None:
        self.header_table_size = DEFAULT_TABLE_SIZE
        self.initial_window = DEFAULT_WINDOW
        self.max_frame_size = DEFAULT_MAX_FRAME_SIZE
        self.max_header_list_size = UNLIMITED
        self.max_streams = UNLIMITED

    def apply(self, payload: bytes, max_push: int) -> dict[int, int]:
        """Take a SETTINGS payload, whose length is a multiple of six, and return what is in it, by parameter.

        A parameter that comes twice has its last value, and what we do not know is passed on and otherwise ignored.
        `max_push` is the highest ENABLE_PUSH that this peer may send.
        Raises ConnectionFault on a value out of range.
        """
        values: dict[int, int] = dict(iter_unpack(">HI", payload))
        for parameter, (low, high, error_code) in _RANGES.items():
            if not low <= values.get(parameter, low) <= high:
                raise ConnectionFault(error_code, f"SETTINGS: {values[parameter]} for parameter {parameter}")
        if values.get(ENABLE_PUSH, 0) > max_push:
            raise ConnectionFault(PROTOCOL_ERROR, "SETTINGS: a server cannot enable push")
        self.header_table_size = values.get(HEADER_TABLE_SIZE, self.header_table_size)
        self.initial_window = values.get(INITIAL_WINDOW_SIZE, self.initial_window)
        self.max_frame_size = values.get(MAX_FRAME_SIZE, self.max_frame_size)
        self.max_header_list_size = values.get(MAX_HEADER_LIST_SIZE, self.max_header_list_size)
        self.max_streams = values.get(MAX_CONCURRENT_STREAMS, self.max_streams)
        return values
