"""The head of a gRPC request, written and read. gRPC over HTTP/2, "Requests".

    :method POST   :scheme   :path /package.Service/Method   :authority   te trailers   [grpc-timeout]
    content-type application/grpc   user-agent   [metadata]

A client writes the same head again and again, so it is made once per path. What a server cannot take for a gRPC request
it answers with an HTTP status that says why, and a gRPC status for gRPC clients that get that far; codes and texts are
those of grpc-go's http2_server.go.
"""
from __future__ import annotations

from collections.abc import Container

from ..errors import LocalProtocolError
from ..status import Code
from .events import RequestHead
from .faults import PROTOCOL_ERROR, CallFault, StreamFault
from .headers import Fields, split_fields
from .hpack import encode_field
from .metadata import MetadataLike, decode_metadata, decode_timeout, encode_metadata, encode_timeout

__all__ = ["CONTENT_TYPE", "RequestParser", "RequestWriter", "is_grpc", "parse_trailers"]

CONTENT_TYPE = "application/grpc"

_PSEUDO_NAMES = frozenset((":method", ":scheme", ":path", ":authority"))
_WRITER_PATHS = 1024
_WRITER_TIMEOUTS = 64
_QUOTED = 80        # characters of a client's value that an error text repeats


def is_grpc(content_type: str) -> bool:
    """Whether this is gRPC, with whatever suffix or parameter."""
    return content_type == CONTENT_TYPE or content_type.startswith((CONTENT_TYPE + "+", CONTENT_TYPE + ";"))


class RequestWriter:
    """Writes the heads of one client's requests; all have `scheme`, `authority` and `user_agent` in common."""

    def __init__(self, scheme: str, authority: str, user_agent: str) -> None:
        self._before = encode_field(":method", "POST") + encode_field(":scheme", scheme)
        self._behind = b"".join(
            encode_field(name, value)
            for name, value in (
                (":authority", authority),
                ("te", "trailers"),
                ("content-type", CONTENT_TYPE),
                ("user-agent", user_agent),
            )
        )
        self.blocks: dict[str, bytes] = {}
        self._timeouts: dict[float, bytes] = {}

    def block(self, path: str) -> bytes:
        """The header block for a path, without timeout and metadata, kept in `blocks`.

        Raises LocalProtocolError if it cannot be a path.
        """
        if not (path.startswith("/") and path.isascii() and path.isprintable() and " " not in path):
            raise LocalProtocolError(f"{path!r} is no path of a gRPC method, which looks like /package.Service/Method")
        if len(self.blocks) >= _WRITER_PATHS:
            self.blocks.clear()
        block = self.blocks[path] = self._before + encode_field(":path", path) + self._behind
        return block

    def call_fields(self, metadata: MetadataLike, timeout: float | None, max_list_size: int) -> bytes:
        """What follows the block of the path in this one call. Raises LocalProtocolError as `encode_metadata` does."""
        head = b"" if timeout is None else self._timeouts.get(timeout) or self._timeout(timeout)
        return head + encode_metadata(metadata, max_list_size) if metadata else head

    def _timeout(self, timeout: float) -> bytes:
        """Most callers have one timeout for all their calls."""
        if len(self._timeouts) >= _WRITER_TIMEOUTS:
            self._timeouts.clear()
        field = self._timeouts[timeout] = encode_field("grpc-timeout", encode_timeout(timeout))
        return field


class RequestParser:
    """Reads the heads of the requests to one server, which takes those to `unary_paths` whole."""

    def __init__(self, unary_paths: Container[str]) -> None:
        self._unary_paths = unary_paths

    def vary(self, head: RequestHead, timeout: str) -> RequestHead:
        """The same head with another `grpc-timeout`. Raises CallFault if that is malformed."""
        return RequestHead(
            head.path,
            head.metadata,
            decode_timeout(timeout),
            head.authority,
            head.user_agent,
            head.content_type,
            head.encoding,
            head.unary,
        )

    def parse(self, fields: Fields) -> RequestHead:
        """Raises StreamFault if it is malformed, and CallFault if it is not a gRPC request."""
        pseudo, regular = split_fields(fields, _PSEUDO_NAMES)
        if not (pseudo.get(":method") and pseudo.get(":scheme") and pseudo.get(":path")):
            raise StreamFault(PROTOCOL_ERROR, "a request needs :method, :scheme and :path")
        values = dict(regular)
        content_type = values.get("content-type", "")
        if not is_grpc(content_type):
            text = f'invalid gRPC request content-type "{content_type[:_QUOTED]}"'
            raise CallFault(Code.INVALID_ARGUMENT, text, 415)
        if pseudo[":method"] != "POST":
            text = f'Received a HEADERS frame with :method "{pseudo[":method"][:_QUOTED]}" which should be POST'
            raise CallFault(Code.INTERNAL, text, 405)
        timeout = values.get("grpc-timeout")
        path = pseudo[":path"]
        return RequestHead(
            path=path,
            metadata=decode_metadata(regular),
            timeout=None if timeout is None else decode_timeout(timeout),
            authority=pseudo.get(":authority", values.get("host", "")),
            user_agent=values.get("user-agent", ""),
            content_type=content_type,
            encoding=values.get("grpc-encoding", ""),
            unary=path in self._unary_paths,
        )


def parse_trailers(fields: Fields) -> bool:
    """Trailers of a request: gRPC has none and drops them. Raises StreamFault if they are malformed."""
    split_fields(fields, frozenset())
    return True
