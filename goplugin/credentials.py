"""What secures a plugin's connections, those of its broker included.

Rule 1: TLS of the author's own wins over the certificate that the host sent, and then no certificate is announced.
Rule 2: a host's certificate that cannot be read is no reason not to start: the plugin trusts nobody then, and says in
its log why nobody gets in.
Source: go-plugin server.go, Serve.
"""
from __future__ import annotations

import time
from functools import cached_property
from typing import TYPE_CHECKING

from .core.errors import ConfigError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from .core.environ import PluginEnvironment

    Provider = Callable[[], ssl.SSLContext]

__all__ = ["Credentials", "credentials"]


class Credentials:
    """`server` is the context for whoever connects, `client` that for what the broker dials; None: without TLS.

    `certificate`, DER, is for the handshake line; None: the line has none.
    """

    def __init__(
        self,
        server: ssl.SSLContext | None = None,
        make_client: Provider | None = None,
        certificate: bytes | None = None,
    ) -> None:
        self.server = server
        self.certificate = certificate
        self._make_client = make_client

    @cached_property
    def client(self) -> ssl.SSLContext | None:
        """Made when a broker asks for it: few plugins have one."""
        return None if self._make_client is None else self._make_client()


def credentials(environment: PluginEnvironment, tls: Provider | None, dial_tls: Provider | None) -> Credentials:
    """Those of the author's `tls` and `dial_tls`, or else those that go with the host's certificate, if it sent one."""
    if tls is not None:
        return Credentials(tls(), dial_tls)
    if environment.client_cert is None:
        return Credentials()
    # Imported here, because most plugins are launched without TLS, and it is slow.
    from .tls import client_context, make_certificate, server_context

    own = make_certificate(time.time())
    trusted: str | None = environment.client_cert
    try:
        server = server_context(own, trusted)
    except ConfigError:
        import logging

        logging.getLogger("goplugin.server").exception("client cert provided but failed to parse")
        trusted = None
        server = server_context(own, trusted)
    return Credentials(server, lambda: client_context(own, trusted), own.certificate)
