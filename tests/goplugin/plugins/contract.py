"""What the plugin `probe` and the tests have in common; imports what a plugin may import, and no more."""
from __future__ import annotations

from typing import NamedTuple

from goplugin import HandshakeConfig

__all__ = ["ASYNC_PATH", "ECHO_PATH", "HANDSHAKE", "RUN_PATH", "STREAM_PATH", "Text"]

HANDSHAKE = HandshakeConfig(protocol_version=1, magic_cookie_key="PROBE_PLUGIN", magic_cookie_value="hello")

ECHO_PATH = "/probe.Probe/Echo"
RUN_PATH = "/probe.Probe/Run"
ASYNC_PATH = "/probe.Probe/Async"
STREAM_PATH = "/probe.Probe/Stream"


class Text(NamedTuple):
    """The one message; on the wire nothing but its UTF-8."""

    text: str

    def SerializeToString(self) -> bytes:
        return self.text.encode()

    @classmethod
    def FromString(cls, data: bytes) -> Text:
        return cls(data.decode())
