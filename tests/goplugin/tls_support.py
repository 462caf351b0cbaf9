"""Certificates of the tests, and handshakes without a socket."""
from __future__ import annotations

import ssl
import time
from pathlib import Path
from typing import NamedTuple

from goplugin.core.certificate import pem
from goplugin.tls import NAME, KeyPair, client_context, make_certificate, server_context

__all__ = [
    "EXPIRED", "HOST", "PLUGIN", "STRANGER",
    "Outcome", "host_dials", "plugin_files", "shake", "without_certificate",
]

_DAY = 86400.0
_NOW = time.time()

HOST = make_certificate(_NOW)
PLUGIN = make_certificate(_NOW)
STRANGER = make_certificate(_NOW)
EXPIRED = make_certificate(_NOW - 31 * 365 * _DAY)


class Outcome(NamedTuple):
    """Of a handshake: both ends, and what was wrong at each."""

    client: ssl.SSLObject
    server: ssl.SSLObject
    client_error: ssl.SSLError | None
    server_error: ssl.SSLError | None


def shake(client: ssl.SSLContext, server: ssl.SSLContext, name: str = NAME) -> Outcome:
    """Let the two talk until both have nothing more to say."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    near = client.wrap_bio(to_client, to_server, server_hostname=name)
    far = server.wrap_bio(to_server, to_client, server_side=True)
    errors: list[ssl.SSLError | None] = [None, None]
    while True:
        for index, end in enumerate((near, far)):
            try:
                if errors[index] is None:
                    end.do_handshake()
                    end.read(1)
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLError as error:
                errors[index] = error
        if all(error or not data.pending for error, data in zip(errors, (to_client, to_server), strict=True)):
            return Outcome(near, far, *errors)


def host_dials(own: KeyPair = HOST, plugin: KeyPair = PLUGIN, *, trusted: KeyPair = PLUGIN) -> Outcome:
    """A host with `own` certificate, which trusts `trusted`, dials `plugin`, which trusts HOST."""
    return shake(client_context(own, trusted.certificate), server_context(plugin, HOST.pem))


def without_certificate(peer: KeyPair) -> ssl.SSLContext:
    """A client that trusts `peer` and shows nothing itself."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(["h2"])
    context.load_verify_locations(cadata=peer.certificate)
    return context


def plugin_files(directory: Path) -> tuple[str, str]:
    """Paths for a plugin with TLS of its own: PLUGIN's certificate with its key, and HOST's certificate."""
    own, peer = directory / "own.pem", directory / "peer.pem"
    own.write_text(PLUGIN.pem + pem("EC PRIVATE KEY", PLUGIN.private_key))
    peer.write_text(HOST.pem)
    return str(own), str(peer)
