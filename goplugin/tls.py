"""Automatic mutual TLS: our certificate, and contexts that trust the peer's and no other.

The host sends its certificate in the plugin's environment, the plugin sends its own in the handshake line. Each trusts
the other's alone, whether it serves or dials (the broker lets both do both), and checks for the same name whatever the
address.

What this needs to do its work, cryptography and ssl, is imported when it does it: a plugin without TLS pays for
neither, and one with TLS pays for no more than it needs.
Source: go-plugin mtls.go; client.go, Start; server.go, Serve. Go's crypto/tls and crypto/x509 for their error texts.
"""
from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from .core.certificate import KEY_ID_SIZE, NAME, certificate, pem, private_key, unsigned_certificate
from .core.errors import ConfigError, HandshakeError

if TYPE_CHECKING:
    import ssl

    from cryptography.hazmat.primitives.asymmetric import ec

__all__ = [
    "HANDSHAKE_SECONDS", "HTTP2", "NAME", "KeyPair", "client_context", "explain", "handshake_seconds",
    "make_certificate", "server_context",
]

HANDSHAKE_SECONDS = 20.0
"""What a peer has for the handshake: as long as grpc-go gives a server to connect."""

HTTP2 = ("h2",)
"""What gRPC negotiates. Go hangs up on a peer that does not; net/rpc negotiates nothing."""


def handshake_seconds(limit: float | None) -> float:
    """What a peer has for the handshake, where somebody may have set a `limit` of their own."""
    return HANDSHAKE_SECONDS if limit is None else min(limit, HANDSHAKE_SECONDS)


class KeyPair(NamedTuple):
    """A certificate and its private key, both DER."""

    certificate: bytes
    private_key: bytes

    @property
    def pem(self) -> str:
        """The certificate as the host's environment has it for the plugin."""
        return pem("CERTIFICATE", self.certificate)


# --- our certificate ---------------------------------------------------------------------------------------------


def make_certificate(now: float) -> KeyPair:
    """A new key and a certificate for it, valid from `now`, which is Unix time. Takes 8 ms the first time."""
    # Not cryptography.x509, whose import takes 50 ms.
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP521R1())
    numbers = key.private_numbers()
    point = numbers.public_numbers
    width = (key.key_size + 7) // 8
    public_key = b"\4" + point.x.to_bytes(width) + point.y.to_bytes(width)
    digest = hashes.Hash(hashes.SHA256())
    digest.update(public_key)
    unsigned = unsigned_certificate(
        serial=int.from_bytes(os.urandom(16)), public_key=public_key, key_id=digest.finalize()[:KEY_ID_SIZE], now=now
    )
    signature = key.sign(unsigned, _ecdsa_with_sha512())
    return KeyPair(certificate(unsigned, signature), private_key(numbers.private_value, public_key))


def _ecdsa_with_sha512() -> ec.ECDSA:
    """The algorithm, without its constructor: that loads every cipher there is, for 6 ms, to look at an option."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    class ECDSAWithSHA512(ec.ECDSA):
        def __init__(self) -> None:
            pass

        @property
        def algorithm(self) -> hashes.HashAlgorithm:
            return hashes.SHA512()

        @property
        def deterministic_signing(self) -> bool:
            return False

    return ECDSAWithSHA512()


# --- contexts ----------------------------------------------------------------------------------------------------


def server_context(own: KeyPair, peer: bytes | str | None, *, protocols: Sequence[str] = HTTP2) -> ssl.SSLContext:
    """For serving with `own` certificate whoever shows the certificate `peer`.

    `peer` is as it came: DER from the handshake line, or PEM from the environment. If it is None nobody is trusted:
    that is what Go makes of a line without one, and of an environment that it cannot read.
    Raises HandshakeError or ConfigError for a certificate that cannot be read.
    """
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_REQUIRED
    context.num_tickets = 0     # nobody resumes a session
    _set_up(context, own, peer, protocols)
    return context


def client_context(own: KeyPair, peer: bytes | str | None, *, protocols: Sequence[str] = HTTP2) -> ssl.SSLContext:
    """For dialling, with `own` certificate, a server that has the certificate `peer`. As `server_context`.

    Whoever uses it gives `server_hostname=NAME`, whatever the address.
    """
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)       # requires a certificate, and the name in it
    _set_up(context, own, peer, protocols)
    return context


def _set_up(context: ssl.SSLContext, own: KeyPair, peer: bytes | str | None, protocols: Sequence[str]) -> None:
    import ssl

    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # What is trusted is the certificate itself, as in Go, and not who has signed it.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if protocols:
        context.set_alpn_protocols(list(protocols))
    with _file(own.pem + pem("EC PRIVATE KEY", own.private_key)) as path:
        context.load_cert_chain(path)
    if peer is None:
        return
    try:
        context.load_verify_locations(cadata=peer)
    except (ssl.SSLError, TypeError, ValueError) as error:
        if isinstance(peer, str):
            raise ConfigError("client cert provided but failed to parse") from error
        raise HandshakeError("error parsing server cert: x509: malformed certificate") from error


@contextlib.contextmanager
def _file(content: str) -> Generator[str]:
    """The path of a file that only we can read, and that goes afterwards: OpenSSL takes a key in no other way."""
    if hasattr(os, "memfd_create"):
        # It has no name, so that nothing is left of it, however this process ends.
        descriptor = os.memfd_create("goplugin")
        try:
            os.write(descriptor, content.encode())
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)
    else:
        import tempfile

        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "key.pem")
            with open(path, "x") as file:
                file.write(content)
            yield path


# --- errors ------------------------------------------------------------------------------------------------------

_NOT_TLS = {"HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "UNKNOWN_PROTOCOL", "WRONG_VERSION_NUMBER"}
# Go's names of the peer's alerts, where they are not simply OpenSSL's.
_ALERTS = {
    "certificate expired": "expired certificate",
    "certificate unknown": "unknown certificate",
    "protocol version": "protocol version not supported",
    "unknown ca": "unknown certificate authority",
}
# OpenSSL's X509_V_ERR_...: a bad signature, self-signed, self-signed in the chain, no issuer, no issuer of the first.
_UNKNOWN_AUTHORITY = {7, 18, 19, 20, 21}
_NOT_VALID_NOW = {9, 10}


def explain(error: ssl.SSLError) -> str:
    """What was wrong with the peer, or with us in its eyes, in Go's words."""
    import ssl

    reason = error.reason or ""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"tls: failed to verify certificate: x509: {_explain_certificate(error)}"
    if isinstance(error, ssl.SSLEOFError):
        return "EOF"
    if reason in _NOT_TLS:
        return "tls: first record does not look like a TLS handshake"
    if reason == "PEER_DID_NOT_RETURN_A_CERTIFICATE":
        return "tls: client didn't provide a certificate"
    words = re.sub(r".*_ALERT_", "", reason).replace("_", " ").lower()
    if "_ALERT_" in reason:
        return f"remote error: tls: {_ALERTS.get(words, words)}"
    return f"tls: {words or error}"


def _explain_certificate(error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code in _UNKNOWN_AUTHORITY:
        return "certificate signed by unknown authority"
    if error.verify_code in _NOT_VALID_NOW:
        return "certificate has expired or is not yet valid"
    return error.verify_message
