"""What the hosts and the plugin of this example agree on, beside kv.proto. Both values are go-plugin's own."""
from __future__ import annotations

from goplugin import HandshakeConfig

__all__ = ["HANDSHAKE", "NAMES"]

HANDSHAKE = HandshakeConfig(protocol_version=1, magic_cookie_key="BASIC_PLUGIN", magic_cookie_value="hello")

NAMES = {1: "kv_grpc", 3: "kv"}
"""What the plugin is called in each protocol version: go-plugin's gRPC example has 1, its negotiated example 3."""
