"""Where a plugin listens and how it is spoken to, as either runtime needs it to connect.

Source: go-plugin client.go, Start and dialer; grpc_client.go, newGRPCClient.
"""
from __future__ import annotations

import time
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from .core.environ import PluginEnvironment
from .reach import Reach, Translation, same

if TYPE_CHECKING:
    import ssl

    from .client_config import ClientConfig
    from .core.handshake import HandshakeLine
    from .tls import KeyPair

__all__ = ["Endpoint", "HostCredentials"]


class HostCredentials:
    """What secures the connections of one plugin, from before its launch on."""

    def __init__(self, config: ClientConfig) -> None:
        self._config = config

    @cached_property
    def _own(self) -> KeyPair | None:
        if not self._config.auto_mtls:
            return None
        from .tls import make_certificate  # not at the start of a host without TLS

        return make_certificate(time.time())

    @property
    def client_cert(self) -> str | None:
        """What the plugin's environment has: our certificate as PEM, if we have one."""
        return None if self._own is None else self._own.pem

    def for_client(self, server_cert: bytes | None) -> ssl.SSLContext | None:
        """The context for connecting to the plugin, which announced `server_cert`; None: without TLS.

        Raises HandshakeError for a certificate that cannot be read.
        """
        if self._own is None:
            return self._config.tls
        from .tls import client_context

        return client_context(self._own, server_cert)

    def for_server(self, server_cert: bytes | None) -> ssl.SSLContext | None:
        """The context for what the broker serves to the plugin. Raises as `for_client`."""
        if self._own is not None:
            from .tls import server_context

            return server_context(self._own, server_cert)
        if self._config.tls is None or self._config.serve_tls is not None:
            return self._config.serve_tls
        import ssl

        return ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)  # without a certificate nobody gets in, which is better than all


class Endpoint(NamedTuple):
    """`environment` says where the host's own broker listens.

    `host_to_plugin` and `plugin_to_host` translate the addresses that it tells, and that it is told.
    """

    line: HandshakeLine
    credentials: HostCredentials
    client_tls: ssl.SSLContext | None
    environment: PluginEnvironment
    host_to_plugin: Translation = same
    plugin_to_host: Translation = same

    @property
    def server_tls(self) -> ssl.SSLContext | None:
        """For the broker; made anew each time."""
        return self.credentials.for_server(self.line.server_cert)

    @property
    def reach(self) -> Reach:
        """What a broker in plain mode needs; with a context made anew each time."""
        return Reach(self.environment, self.server_tls, self.client_tls, self.host_to_plugin, self.plugin_to_host)
