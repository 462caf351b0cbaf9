"""The certificate's bytes, against those that a general library writes."""
from __future__ import annotations

import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given
from hypothesis import strategies as st

from goplugin.core.certificate import KEY_ID_SIZE, certificate, pem, private_key, unsigned_certificate

KEY = ec.generate_private_key(ec.SECP521R1())
POINT = KEY.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
KEY_ID = bytes(range(KEY_ID_SIZE))
HOSTNAME = x509.Name([
    x509.NameAttribute(NameOID.ORGANIZATION_NAME, "HashiCorp", x509.name._ASN1Type.PrintableString),
    x509.NameAttribute(NameOID.COMMON_NAME, "localhost", x509.name._ASN1Type.PrintableString),
])
USAGES = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=True,
    data_encipherment=False,
    key_agreement=True,
    key_cert_sign=True,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)
YEAR_2000, YEAR_2100 = 946_684_800, 4_102_444_800
YEAR_2051 = 2_556_144_000


def built(serial: int, now: int) -> x509.Certificate:
    """The same by the library's builder, in the order in which Go writes the extensions."""
    moment = datetime.datetime.fromtimestamp(now, datetime.UTC)
    builder = x509.CertificateBuilder(
        issuer_name=HOSTNAME,
        subject_name=HOSTNAME,
        public_key=KEY.public_key(),
        serial_number=serial,
        not_valid_before=moment - datetime.timedelta(seconds=30),
        not_valid_after=moment + datetime.timedelta(hours=262980),
    )
    uses = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
    builder = builder.add_extension(USAGES, critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage(uses), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier(KEY_ID), critical=False)
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    return builder.sign(KEY, hashes.SHA512())


@given(serial=st.integers(1, 2**128 - 1), now=st.integers(YEAR_2000, YEAR_2100))
def test_it_is_what_a_general_library_writes(serial: int, now: int) -> None:
    unsigned = unsigned_certificate(serial=serial, public_key=POINT, key_id=KEY_ID, now=now)

    assert unsigned == built(serial, now).tbs_certificate_bytes


@pytest.mark.parametrize("now", [YEAR_2000, YEAR_2051])
def test_a_signed_one_can_be_read(now: int) -> None:
    unsigned = unsigned_certificate(serial=2**127, public_key=POINT, key_id=KEY_ID, now=now + 0.9)
    signature = KEY.sign(unsigned, ec.ECDSA(hashes.SHA512()))

    read = x509.load_der_x509_certificate(certificate(unsigned, signature))

    read.verify_directly_issued_by(read)
    assert read.serial_number == 2**127
    assert read.not_valid_before_utc.timestamp() == now - 30


def test_the_key_is_what_a_general_library_writes() -> None:
    expected = KEY.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )

    assert private_key(KEY.private_numbers().private_value, POINT) == expected


def test_a_small_key_takes_as_many_bytes_as_a_large_one() -> None:
    key = ec.derive_private_key(1, ec.SECP521R1())
    point = key.public_key().public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )

    read = serialization.load_der_private_key(private_key(1, point), None)

    assert isinstance(read, ec.EllipticCurvePrivateKey)
    assert read.private_numbers().private_value == 1


@given(st.binary(max_size=200))
def test_pem_is_base64_in_lines_between_two_labels(der: bytes) -> None:
    text = pem("CERTIFICATE", der)

    first, *lines, last, end = text.split("\n")
    assert (first, last, end) == ("-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----", "")
    assert all(len(line) == 64 for line in lines[:-1])


def test_pem_is_what_a_general_library_writes() -> None:
    read = built(1, YEAR_2000)

    assert pem("CERTIFICATE", read.public_bytes(serialization.Encoding.DER)).encode() == read.public_bytes(
        serialization.Encoding.PEM
    )
