"""What the host and the plugin of this example agree on, beside streamer.proto. The values are go-plugin's own."""
from __future__ import annotations

from goplugin import HandshakeConfig

__all__ = ["HANDSHAKE", "NAME"]

HANDSHAKE = HandshakeConfig(protocol_version=1, magic_cookie_key="BASIC_PLUGIN", magic_cookie_value="hello")
NAME = "streamer"
