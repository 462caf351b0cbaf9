"""Bytes, for which `google.protobuf.Value` has no kind.

    JavaScript -> plugin   Uint8Array and ArrayBuffer are base64 text, as Go's host writes them
    plugin -> JavaScript   a function that returns bytes answers with base64 text, and says so in its manifest

Rule 1: base64 is the standard alphabet with padding, and nothing else is taken for it.
Rule 2: a function that returns bytes is announced by a capability of its module: `goplugin.bytes/1:` and the export's
name, or `goplugin.bytes/1:EXPORT.METHOD`; a `%` or `.` inside a name is written `%25` or `%2E`. A host that knows the
capability gives JavaScript a Uint8Array. Any other one shows it among the capabilities, and gives the text.
"""
from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from goplugin.core.errors import RemoteProtocolError

if TYPE_CHECKING:
    from .registry import Invoke

__all__ = ["bytes_capability", "decode_base64", "encode_base64", "read_result", "reading_bytes", "returns_bytes"]

_CAPABILITY = "goplugin.bytes/1:"


def encode_base64(data: bytes) -> str:
    from binascii import b2a_base64  # a plugin that has no bytes need not load it

    return b2a_base64(data, newline=False).decode()


def decode_base64(text: str) -> bytes:
    """Raises ValueError, which says what is wrong, for anything but base64."""
    from binascii import a2b_base64

    return a2b_base64(text, strict_mode=True)


def bytes_capability(export: str, method: str) -> str:
    """How a manifest says that this function returns bytes; `method` is empty for an export that is a function."""
    names = [name.replace("%", "%25").replace(".", "%2E") for name in (export, method) if name]
    return _CAPABILITY + ".".join(names)


def returns_bytes(capabilities: Collection[str], export: str, method: str) -> bool:
    """Whether a module with these capabilities says so of this function."""
    return bytes_capability(export, method) in capabilities


def reading_bytes(invoke: Invoke, capabilities: Collection[str]) -> Invoke:
    """`invoke` of a module with these capabilities, with bytes for what its functions announce as bytes."""
    if not any(capability.startswith(_CAPABILITY) for capability in capabilities):
        return invoke

    def invoke_and_read(export: str, method: str, *args: Any, **kwargs: Any) -> Any:
        result = invoke(export, method, *args, **kwargs)
        return read_result(result) if returns_bytes(capabilities, export, method) else result

    return invoke_and_read


def read_result(result: Any) -> bytes | None:
    """The bytes that a function which returns bytes has sent; None if that was null.

    Raises RemoteProtocolError for what is no base64: the plugin said that it would be.
    """
    if result is None:
        return None
    try:
        return decode_base64(result)
    except (TypeError, ValueError) as error:
        raise RemoteProtocolError(f"result is declared to be bytes, and is no base64: {error}") from error
