"""Heads and ends of gRPC responses, written and read. gRPC over HTTP/2, "Responses".

    a whole answer     HEADERS :status 200, content-type, [metadata]   DATA...   HEADERS grpc-status, ...  END_STREAM
    Trailers-Only      HEADERS :status 200, content-type, grpc-status, ...  END_STREAM

`grpc-message` is percent-encoded UTF-8, and may be left out. What is no gRPC answer gets the code that the gRPC
documents give to its HTTP status or HTTP/2 error code, so that a call always ends with a gRPC status; texts are
grpc-go's.
"""
from __future__ import annotations

import re

from ..status import Code
from .events import Status
from .faults import (
    CANCEL,
    COMPRESSION_ERROR,
    CONNECT_ERROR,
    ENHANCE_YOUR_CALM,
    ERROR_NAMES,
    FLOW_CONTROL_ERROR,
    FRAME_SIZE_ERROR,
    HTTP_1_1_REQUIRED,
    INADEQUATE_SECURITY,
    INTERNAL_ERROR,
    NO_ERROR,
    PROTOCOL_ERROR,
    REFUSED_STREAM,
    SETTINGS_TIMEOUT,
    STREAM_CLOSED,
    CallFault,
    StreamFault,
)
from .headers import Fields, split_fields
from .hpack import FIELD_OVERHEAD, encode_field
from .metadata import UNLIMITED, Metadata, MetadataLike, decode_binary, decode_metadata, encode_binary, encode_metadata
from .requests import CONTENT_TYPE, is_grpc

__all__ = [
    "NO_HEAD", "OK_TRAILERS", "RESPONSE_HEAD", "ResponseHead",
    "decode_message", "encode_message", "parse_head", "parse_trailers", "parse_trailers_only", "refusal_block",
    "reset_status", "response_block", "trailers_block",
]

RESPONSE_HEAD = encode_field(":status", "200") + encode_field("content-type", CONTENT_TYPE)
"""The header block that begins a response without metadata."""

OK_TRAILERS = encode_field("grpc-status", "0")
"""The header block that ends a successful response without metadata."""

_STATUS_ONLY = frozenset((":status",))
_HTTP_CODES = {
    "400": Code.INTERNAL,
    "401": Code.UNAUTHENTICATED,
    "403": Code.PERMISSION_DENIED,
    "404": Code.UNIMPLEMENTED,
    "429": Code.UNAVAILABLE,
    "502": Code.UNAVAILABLE,
    "503": Code.UNAVAILABLE,
    "504": Code.UNAVAILABLE,
}
_RESET_CODES = {
    NO_ERROR: Code.INTERNAL,
    PROTOCOL_ERROR: Code.INTERNAL,
    INTERNAL_ERROR: Code.INTERNAL,
    FLOW_CONTROL_ERROR: Code.INTERNAL,
    SETTINGS_TIMEOUT: Code.INTERNAL,
    STREAM_CLOSED: Code.INTERNAL,
    FRAME_SIZE_ERROR: Code.INTERNAL,
    REFUSED_STREAM: Code.UNAVAILABLE,
    CANCEL: Code.CANCELLED,
    COMPRESSION_ERROR: Code.INTERNAL,
    CONNECT_ERROR: Code.INTERNAL,
    ENHANCE_YOUR_CALM: Code.RESOURCE_EXHAUSTED,
    INADEQUATE_SECURITY: Code.PERMISSION_DENIED,
    HTTP_1_1_REQUIRED: Code.INTERNAL,
}


# --- writing -----------------------------------------------------------------------------------------------------


def response_block(metadata: MetadataLike, max_list_size: int) -> bytes:
    """The header block that begins a response. Raises LocalProtocolError as `encode_metadata` does."""
    return RESPONSE_HEAD + encode_metadata(metadata, max_list_size)


def trailers_block(code: int, message: str, details: bytes, metadata: MetadataLike, max_list_size: int) -> bytes:
    """The header block that ends a response. Raises LocalProtocolError as `encode_metadata` does."""
    fields = [("grpc-status", str(int(code)))]
    if message:
        fields.append(("grpc-message", encode_message(message)))
    if details:
        fields.append(("grpc-status-details-bin", encode_binary(details)))
    max_list_size -= sum(len(name) + len(value) + FIELD_OVERHEAD for name, value in fields)
    return b"".join(encode_field(name, value) for name, value in fields) + encode_metadata(metadata, max_list_size)


def refusal_block(fault: CallFault) -> bytes:
    """The header block of the Trailers-Only answer to a request that ends with `fault`."""
    head = RESPONSE_HEAD
    if fault.http_status != 200:
        head = encode_field(":status", str(fault.http_status)) + encode_field("content-type", CONTENT_TYPE)
    if fault.code is Code.UNIMPLEMENTED:
        head += encode_field("grpc-accept-encoding", "identity")
    return head + trailers_block(fault.code, fault.message, b"", (), UNLIMITED)


def encode_message(message: str) -> str:
    """`message` as `grpc-message` carries it: UTF-8, with % and all that is not printable ASCII written as %XX.

    So are spaces at the ends, which no value of HTTP/2 may have.
    """
    if message.isascii() and message.isprintable() and "%" not in message and message == message.strip(" "):
        return message
    return re.sub(rb"[^ -$&-~]|^ +| +$", _percent, message.encode("utf-8", "replace")).decode("ascii")


def _percent(match: re.Match[bytes]) -> bytes:
    return "".join(f"%{octet:02X}" for octet in match[0]).encode()


def decode_message(value: str) -> str:
    """The text of a `grpc-message`; what is no %XX stays as it is, and what is no UTF-8 becomes U+FFFD."""
    if "%" not in value:
        return value
    octets = re.sub(rb"%([0-9A-Fa-f]{2})", lambda match: bytes.fromhex(match[1].decode()), value.encode("latin-1"))
    return octets.decode("utf-8", "replace")


# --- reading -----------------------------------------------------------------------------------------------------


class ResponseHead:
    """What a response begins with: the application's `metadata`, and `encoding`, the server's grpc-encoding or ""."""

    __slots__ = ("encoding", "metadata")

    def __init__(self, metadata: Metadata, encoding: str) -> None:
        self.metadata = metadata
        self.encoding = encoding


NO_HEAD = ResponseHead((), "")
"""In the place of a head that has not come."""


def parse_head(fields: Fields) -> ResponseHead | None:
    """The head of a response, or None if it is informational (1xx) and the head is yet to come.

    Raises StreamFault if it is malformed, and CallFault if it is no gRPC response.
    """
    pseudo, regular = split_fields(fields, _STATUS_ONLY)
    http_status = _http_status(pseudo)
    if http_status.startswith("1"):
        return None
    values = dict(regular)
    _check_http(http_status, values.get("content-type", ""))
    return ResponseHead(decode_metadata(regular), values.get("grpc-encoding", ""))


def parse_trailers_only(fields: Fields) -> Status:
    """A response that begins and ends with one block. Raises as `parse_head` does.

    A `grpc-status` counts more than the HTTP status it comes with.
    """
    pseudo, regular = split_fields(fields, _STATUS_ONLY)
    http_status = _http_status(pseudo)
    values = dict(regular)
    if "grpc-status" not in values:
        _check_http(http_status, values.get("content-type", ""))
    return _status(values, regular)


def parse_trailers(fields: Fields) -> Status:
    """The block behind the last message. Raises StreamFault if it is malformed, CallFault if it makes no sense."""
    _, regular = split_fields(fields, frozenset())
    return _status(dict(regular), regular)


def _status(values: dict[str, str], fields: Fields) -> Status:
    number = values.get("grpc-status")
    if number is None:
        raise CallFault(Code.UNKNOWN, "the server ended the call without a grpc-status")
    if not (number.isascii() and number.isdigit()):
        raise CallFault(Code.INTERNAL, f"transport: malformed grpc-status: {number!r}")
    return Status(
        code=Code(int(number[:4])),
        message=decode_message(values.get("grpc-message", "")),
        details=decode_binary("grpc-status-details-bin", values.get("grpc-status-details-bin", "")),
        metadata=decode_metadata(fields),
    )


def _http_status(pseudo: dict[str, str]) -> str:
    http_status = pseudo.get(":status", "")
    if not (len(http_status) == 3 and http_status.isascii() and http_status.isdigit()):
        raise StreamFault(PROTOCOL_ERROR, f"a response cannot have the HTTP status {http_status!r}")
    return http_status


def _check_http(http_status: str, content_type: str) -> None:
    """Raise CallFault unless an answer with this status and type is a gRPC answer."""
    text = ""
    if http_status != "200":
        text = f"unexpected HTTP status code received from server: {http_status}"
    if not is_grpc(content_type):
        unexpected = f'received unexpected content-type "{content_type}"' if content_type else "missing content-type"
        text = f"{text}; transport: {unexpected}" if text else f"transport: {unexpected}"
    if text:
        raise CallFault(_HTTP_CODES.get(http_status, Code.UNKNOWN), text)


def reset_status(error_code: int) -> Status:
    """The status of a call that ended by RST_STREAM with this code."""
    name = ERROR_NAMES[error_code] if error_code < len(ERROR_NAMES) else f"0x{error_code:x}"
    return Status(
        _RESET_CODES.get(error_code, Code.UNKNOWN), f"stream terminated by RST_STREAM with error code: {name}"
    )
