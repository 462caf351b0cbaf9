"""Certificates and contexts, without a socket."""
from __future__ import annotations

import datetime
import os
import ssl
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from goplugin.core.errors import ConfigError, HandshakeError
from goplugin.core.handshake import format_handshake, parse_handshake
from goplugin.tls import KeyPair, client_context, explain, make_certificate, server_context

from .tls_support import EXPIRED, HOST, PLUGIN, STRANGER, host_dials, shake, without_certificate

UNKNOWN = "tls: failed to verify certificate: x509: certificate signed by unknown authority"
NOT_VALID = "tls: failed to verify certificate: x509: certificate has expired or is not yet valid"


def explained(error: ssl.SSLError | None) -> str:
    assert error is not None
    return explain(error)


# --- our certificate ---------------------------------------------------------------------------------------------


def test_a_certificate_is_signed_with_its_own_key() -> None:
    read = x509.load_der_x509_certificate(HOST.certificate)

    read.verify_directly_issued_by(read)
    assert isinstance(read.signature_hash_algorithm, hashes.SHA512)


def test_every_certificate_has_a_key_and_a_number_of_its_own() -> None:
    first, second = (x509.load_der_x509_certificate(pair.certificate) for pair in (HOST, PLUGIN))

    assert first.public_key() != second.public_key()
    assert first.serial_number != second.serial_number
    assert 0 < first.serial_number < 2**128


def test_a_certificate_is_valid_from_half_a_minute_ago() -> None:
    read = x509.load_der_x509_certificate(make_certificate(1_800_000_000.0).certificate)

    assert read.not_valid_before_utc.timestamp() == 1_800_000_000 - 30


def test_the_key_is_the_certificates() -> None:
    key = serialization.load_der_private_key(HOST.private_key, None)

    assert key.public_key() == x509.load_der_x509_certificate(HOST.certificate).public_key()


def test_the_certificate_fits_into_the_handshake_line() -> None:
    line = format_handshake(1, "unix", "/tmp/plugin", server_cert=PLUGIN.certificate)

    assert parse_handshake(line, versions=[1], allowed_protocols=["grpc"]).server_cert == PLUGIN.certificate
    assert 790 <= len(line.rpartition("|")[2]) <= 800


def test_making_one_imports_neither_ssl_nor_a_general_library() -> None:
    script = (
        "import sys; from goplugin.tls import make_certificate; assert 'cryptography' not in sys.modules;"
        "make_certificate(1.8e9); print(*sorted(sys.modules))"
    )
    loaded = subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.PIPE, text=True).stdout

    assert {
        "ssl", "datetime", "dataclasses", "random", "tempfile",
        "cryptography.x509", "cryptography.hazmat.backends.openssl", "cryptography.hazmat.primitives.serialization",
    } & set(loaded.split()) == set()


# --- who is trusted ----------------------------------------------------------------------------------------------


def test_host_and_plugin_shake_hands() -> None:
    outcome = host_dials()

    assert (outcome.client_error, outcome.server_error) == (None, None)
    assert outcome.client.version() == "TLSv1.3"
    assert outcome.client.selected_alpn_protocol() == outcome.server.selected_alpn_protocol() == "h2"
    assert outcome.server.getpeercert(binary_form=True) == HOST.certificate


def test_a_plugin_may_dial_its_host() -> None:
    outcome = shake(client_context(PLUGIN, HOST.pem), server_context(HOST, PLUGIN.certificate))

    assert (outcome.client_error, outcome.server_error) == (None, None)


def test_netrpc_negotiates_nothing() -> None:
    outcome = shake(
        client_context(HOST, PLUGIN.certificate, protocols=()), server_context(PLUGIN, HOST.pem, protocols=())
    )

    assert (outcome.client_error, outcome.server_error) == (None, None)
    assert outcome.client.selected_alpn_protocol() is None


def test_tls_1_2_is_the_least() -> None:
    client, server = client_context(HOST, PLUGIN.certificate), server_context(PLUGIN, HOST.pem)
    assert client.minimum_version == server.minimum_version == ssl.TLSVersion.TLSv1_2

    client.maximum_version = ssl.TLSVersion.TLSv1_2
    assert shake(client, server).client.version() == "TLSv1.2"


def test_a_host_refuses_a_strangers_certificate() -> None:
    outcome = host_dials(plugin=STRANGER)

    assert explained(outcome.client_error) == UNKNOWN
    assert explained(outcome.server_error) == "remote error: tls: unknown certificate authority"


def test_a_plugin_refuses_a_strangers_certificate() -> None:
    outcome = host_dials(STRANGER)

    assert explained(outcome.server_error) == UNKNOWN
    assert explained(outcome.client_error) == "remote error: tls: unknown certificate authority"


def test_a_plugin_refuses_who_has_no_certificate() -> None:
    outcome = shake(without_certificate(PLUGIN), server_context(PLUGIN, HOST.pem))

    assert explained(outcome.server_error) == "tls: client didn't provide a certificate"
    assert explained(outcome.client_error) == "remote error: tls: certificate required"


def test_a_host_refuses_an_expired_certificate() -> None:
    outcome = host_dials(plugin=EXPIRED, trusted=EXPIRED)

    assert explained(outcome.client_error) == NOT_VALID
    assert explained(outcome.server_error) == "remote error: tls: expired certificate"


def test_a_plugin_refuses_an_expired_certificate() -> None:
    outcome = shake(client_context(EXPIRED, PLUGIN.certificate), server_context(PLUGIN, EXPIRED.pem))

    assert explained(outcome.server_error) == NOT_VALID


def test_a_host_refuses_a_certificate_that_is_not_valid_yet() -> None:
    tomorrow = make_certificate(time.time() + 86400)

    assert explained(host_dials(plugin=tomorrow, trusted=tomorrow).client_error) == NOT_VALID


def test_a_host_refuses_another_name() -> None:
    outcome = shake(client_context(HOST, PLUGIN.certificate), server_context(PLUGIN, HOST.pem), "example.org")

    assert "certificate is not valid for 'example.org'" in explained(outcome.client_error)


def test_without_the_peers_certificate_nobody_is_trusted() -> None:
    outcome = shake(client_context(HOST, None), server_context(PLUGIN, None))

    assert explained(outcome.client_error) == UNKNOWN


def test_another_kind_of_certificate_is_trusted_as_it_is() -> None:
    foreign = signed_by_somebody(ec.generate_private_key(ec.SECP256R1()))

    outcome = host_dials(plugin=foreign, trusted=foreign)

    assert (outcome.client_error, outcome.server_error) == (None, None)


def signed_by_somebody(key: ec.EllipticCurvePrivateKey) -> KeyPair:
    """A certificate for `localhost`, without any usage, by an authority that nobody knows."""
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(
        issuer_name=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "somebody")]),
        subject_name=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "foreign")]),
        public_key=key.public_key(),
        serial_number=7,
        not_valid_before=now,
        not_valid_after=now + datetime.timedelta(days=1),
    )
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    certificate = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return KeyPair(
        certificate.public_bytes(serialization.Encoding.DER),
        key.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        ),
    )


# --- certificates that cannot be read ----------------------------------------------------------------------------


@pytest.mark.parametrize("pem", ["", "nothing", "\xe9", "\udcff", HOST.pem[:200], HOST.pem.replace("M", "!")])
def test_a_plugin_says_that_it_cannot_read_its_hosts_certificate(pem: str) -> None:
    with pytest.raises(ConfigError, match="client cert provided but failed to parse"):
        server_context(PLUGIN, pem)


@pytest.mark.parametrize("der", [b"", b"\x30\x03\x02\x01\x01", HOST.certificate[:-1], HOST.pem.encode()])
def test_a_host_says_that_it_cannot_read_its_plugins_certificate(der: bytes) -> None:
    with pytest.raises(HandshakeError, match="error parsing server cert: x509: malformed certificate"):
        client_context(HOST, der)


# --- the key's file ----------------------------------------------------------------------------------------------


def open_files() -> list[str]:
    return os.listdir("/proc/self/fd")


def test_no_file_stays_open() -> None:
    before = open_files()
    server_context(PLUGIN, HOST.pem)

    with pytest.raises(ssl.SSLError):
        server_context(KeyPair(PLUGIN.certificate, HOST.private_key), None)
    assert open_files() == before


def test_where_files_have_names_the_key_lies_in_a_private_directory_and_goes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    modes: list[int] = []
    load = ssl.SSLContext.load_cert_chain

    def load_cert_chain(context: ssl.SSLContext, path: str) -> None:
        modes.append(stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode))
        load(context, path)

    monkeypatch.delattr(os, "memfd_create")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", load_cert_chain)
    server_context(PLUGIN, HOST.pem)
    with pytest.raises(ssl.SSLError):
        server_context(KeyPair(PLUGIN.certificate, HOST.private_key), None)

    assert modes == [0o700, 0o700]
    assert list(tmp_path.iterdir()) == []


# --- words -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        ("SSLV3_ALERT_BAD_CERTIFICATE", "remote error: tls: bad certificate"),
        ("SSLV3_ALERT_CERTIFICATE_UNKNOWN", "remote error: tls: unknown certificate"),
        ("SSLV3_ALERT_HANDSHAKE_FAILURE", "remote error: tls: handshake failure"),
        ("TLSV1_ALERT_PROTOCOL_VERSION", "remote error: tls: protocol version not supported"),
        ("WRONG_VERSION_NUMBER", "tls: first record does not look like a TLS handshake"),
        ("NO_SHARED_CIPHER", "tls: no shared cipher"),
        (None, "tls: something happened"),
    ],
)
def test_an_error_has_gos_words(reason: str | None, text: str) -> None:
    error = ssl.SSLError(1, "something happened")
    error.reason = reason  # type: ignore[assignment]  # None where OpenSSL gives none

    assert explain(error) == text


def test_a_peer_that_hangs_up_is_an_eof() -> None:
    incoming = ssl.MemoryBIO()
    incoming.write_eof()
    with pytest.raises(ssl.SSLEOFError) as caught:
        server_context(PLUGIN, HOST.pem).wrap_bio(incoming, ssl.MemoryBIO(), server_side=True).do_handshake()

    assert explain(caught.value) == "EOF"
