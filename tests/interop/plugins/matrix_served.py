"""The matrix plugin as an author writes it.

The first argument is the runtime, `sync` or `aio`. The plugin has TLS of its own if two files follow, with its
certificate and key, and with the certificate of its host.
With LINGERS in its environment the process stays when it has been served.
"""
from __future__ import annotations

import os
import signal
import ssl
import sys

from goplugin import GRPCPlugin, GRPCServer, PluginSet, ServeConfig, serve

from .matrix import HANDSHAKE, AsyncMatrixService, MatrixService


class MatrixPlugin(GRPCPlugin):
    def __init__(self, version: int) -> None:
        self._version = version

    def grpc_server(self, server: GRPCServer) -> None:
        if sys.argv[1] == "sync":
            server.add_service(MatrixService(server.sync_broker, self._version))
        else:
            server.add_service(AsyncMatrixService(server.broker, self._version))


def context(purpose: int) -> ssl.SSLContext:
    context = ssl.SSLContext(purpose)
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_cert_chain(sys.argv[2])
    context.load_verify_locations(sys.argv[3])
    context.set_alpn_protocols(["h2"])
    return context


if __name__ == "__main__":
    secured = len(sys.argv) > 2
    sets: dict[int, PluginSet] = {version: {"matrix": MatrixPlugin(version)} for version in (1, 2)}
    serve(
        ServeConfig(
            handshake=HANDSHAKE,
            versioned_plugins=sets,
            tls=(lambda: context(ssl.PROTOCOL_TLS_SERVER)) if secured else None,
            dial_tls=(lambda: context(ssl.PROTOCOL_TLS_CLIENT)) if secured else None,
        )
    )
    if "LINGERS" in os.environ:
        signal.pause()
