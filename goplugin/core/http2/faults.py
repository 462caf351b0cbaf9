"""How the parts of the machine tell it that the peer broke a rule.

HTTP/2 knows two sizes of error, and gRPC adds a third:

    ConnectionFault   nothing that follows on this connection can be trusted: GOAWAY, and the end (RFC 9113 5.4.1)
    StreamFault       one stream is over, by RST_STREAM; the others go on                        (RFC 9113 5.4.2)
    CallFault         HTTP/2 is content, gRPC is not: the call ends with a gRPC status

They never leave the package: the machine turns the first into RemoteProtocolError, the others into events.
"""
from __future__ import annotations

from ..status import Code

__all__ = [
    "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM", "ERROR_NAMES", "FLOW_CONTROL_ERROR",
    "FRAME_SIZE_ERROR", "HTTP_1_1_REQUIRED", "INADEQUATE_SECURITY", "INTERNAL_ERROR", "NO_ERROR", "PROTOCOL_ERROR",
    "REFUSED_STREAM", "SETTINGS_TIMEOUT", "STREAM_CLOSED",
    "CallFault", "ConnectionFault", "StreamFault",
]

# RFC 9113 section 7. Plain ints: they are compared and packed, never printed on the way.
NO_ERROR = 0x0
PROTOCOL_ERROR = 0x1
INTERNAL_ERROR = 0x2
FLOW_CONTROL_ERROR = 0x3
SETTINGS_TIMEOUT = 0x4
STREAM_CLOSED = 0x5
FRAME_SIZE_ERROR = 0x6
REFUSED_STREAM = 0x7
CANCEL = 0x8
COMPRESSION_ERROR = 0x9
CONNECT_ERROR = 0xA
ENHANCE_YOUR_CALM = 0xB
INADEQUATE_SECURITY = 0xC
HTTP_1_1_REQUIRED = 0xD

ERROR_NAMES = (
    "NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED",
    "FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED",
)
"""The names of the error codes, by number."""


class ConnectionFault(Exception):
    """The connection is over. `error_code` is for the GOAWAY, `reason` for its debug data and for people."""

    def __init__(self, error_code: int, reason: str) -> None:
        super().__init__(reason)
        self.error_code = error_code
        self.reason = reason


class StreamFault(Exception):
    """The stream whose frame is being read is over. `error_code` is for its RST_STREAM."""

    def __init__(self, error_code: int, reason: str) -> None:
        super().__init__(reason)
        self.error_code = error_code
        self.reason = reason


class CallFault(Exception):
    """The call whose frame is being read is over, with this gRPC status.

    A server says so with `http_status`, which is 200 unless the request was no gRPC request at all.
    """

    def __init__(self, code: Code, message: str, http_status: int = 200) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.http_status = http_status
