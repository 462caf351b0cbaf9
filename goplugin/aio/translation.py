"""From the machine's words to grpclib's, and back: metadata, statuses, and the ends that are errors.

grpclib hides what gRPC keeps for itself from the application, so keys that begin with `grpc-` are no metadata here. It
raises ValueError or TypeError for metadata that cannot be sent; `refused` gives its own error, in its own words.
"""
from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from grpclib.const import Status as StatusCode
from grpclib.exceptions import StreamTerminatedError
from grpclib.metadata import encode_metadata
from multidict import MultiDict

from ..core.errors import ConfigError
from ..core.http2 import Limits

if TYPE_CHECKING:
    from grpclib.config import Configuration
    from grpclib.encoding.base import CodecBase, StatusDetailsCodecBase

    from ..core.errors import LocalProtocolError
    from ..core.http2 import Metadata, Status, StreamReset

__all__ = ["MetadataLike", "check_codec", "limits_of", "multidict_of", "pairs_of", "refused", "status_of", "terminated"]

MetadataLike = Mapping[str, str | bytes] | Collection[tuple[str, str | bytes]]
"""Metadata as an application of grpclib gives it."""

_CODES = {code.value: code for code in StatusCode}


def check_codec(codec: CodecBase) -> None:
    """Raises ConfigError unless `codec` is for what the machine announces, application/grpc."""
    if codec.__content_subtype__ != "proto":
        raise ConfigError(f"application/grpc+{codec.__content_subtype__} takes grpclib's own transport")


def limits_of(config: Configuration | None) -> Limits:
    """The windows of a configuration; without one, those of the machine."""
    if config is None:
        return Limits()
    return Limits(
        stream_window=config.http2_stream_window_size, connection_window=config.http2_connection_window_size
    )


def multidict_of(metadata: Metadata) -> Any:
    """Metadata as an application of grpclib sees it."""
    pairs = [pair for pair in metadata if not pair[0].startswith("grpc-")] if metadata else ()
    values: MultiDict[str | bytes] = MultiDict(pairs)
    return values


def pairs_of(metadata: MetadataLike | None) -> Metadata:
    """Metadata as the machine sends it. Raises ValueError for keys that are gRPC's own."""
    if not metadata:
        return ()
    pairs = tuple(MultiDict(metadata).items())
    for key, _ in pairs:
        if key.startswith("grpc-"):
            raise ValueError(f"Invalid metadata key: {key!r}")
    return pairs


def refused(metadata: Metadata, error: LocalProtocolError) -> Exception:
    """What grpclib raises for metadata that the machine refuses to send."""
    try:
        encode_metadata(metadata)
    except (ValueError, TypeError) as own:
        return own
    return ValueError(str(error))


def status_of(status: Status, codec: StatusDetailsCodecBase | None) -> tuple[StatusCode, str | None, Any]:
    """Code, message and details of a call's end. Of a successful one grpclib has only the code."""
    if not status.code:
        return StatusCode.OK, None, None
    code = _CODES[status.code]
    message = status.message or None
    details = codec.decode(code, message, status.details) if codec is not None and status.details else None
    return code, message, details


def terminated(event: StreamReset) -> StreamTerminatedError:
    """What a call that ended without an answer raises."""
    return StreamTerminatedError(event.status.message)
