"""The certificate of automatic mutual TLS, as DER.

Both sides of a connection make one for each process, and trust that of the other side alone. It says the same in each:
an elliptic-curve key on P-521, signed by itself, `O=HashiCorp, CN=localhost`, valid for thirty years.

Rule 1: keys and signatures come from outside; this module knows nothing but their bytes.
Rule 2: a certificate is a fixed form with five blanks, so this writes the form and no other. A builder for all
certificates there are would take longer to import than a plugin takes to start.
Source: go-plugin mtls.go, generateCert, with what Go's crypto/x509 adds; RFC 5280, RFC 5758 and RFC 5915.
"""
from __future__ import annotations

import binascii
import time

__all__ = ["KEY_ID_SIZE", "NAME", "certificate", "pem", "private_key", "unsigned_certificate"]

NAME = "localhost"
"""The name in every certificate, whatever the address; whoever dials checks for it."""

KEY_ID_SIZE = 20
"""Bytes of the subject key identifier."""

_SKEW_SECONDS = 30
_VALID_SECONDS = 262980 * 3600
_KEY_SIZE = 66          # bytes of a number on P-521

# --- the writer --------------------------------------------------------------------------------------------------

_BOOLEAN, _INTEGER, _BIT_STRING, _OCTET_STRING, _OID = 0x01, 0x02, 0x03, 0x04, 0x06
_PRINTABLE_STRING, _UTC_TIME, _GENERALIZED_TIME = 0x13, 0x17, 0x18
_SEQUENCE, _SET = 0x30, 0x31
_DNS_NAME = 0x82         # a choice of GeneralName
_EXPLICIT = 0xA0        # plus the number of the field


def _value(tag: int, *content: bytes) -> bytes:
    body = b"".join(content)
    size = len(body)
    if size < 0x80:
        return bytes((tag, size)) + body
    width = (size.bit_length() + 7) // 8
    return bytes((tag, 0x80 | width)) + size.to_bytes(width) + body


def _sequence(*content: bytes) -> bytes:
    return _value(_SEQUENCE, *content)


def _integer(number: int) -> bytes:
    return _value(_INTEGER, number.to_bytes(number.bit_length() // 8 + 1))      # with a sign bit


def _bit_string(content: bytes, unused_bits: int = 0) -> bytes:
    return _value(_BIT_STRING, bytes((unused_bits,)), content)


def _oid(dotted: str) -> bytes:
    first, second, *rest = map(int, dotted.split("."))
    body = bytearray()
    for number in (first * 40 + second, *rest):
        digits = [number & 0x7F]
        while number := number >> 7:
            digits.append(0x80 | number & 0x7F)
        body += bytes(reversed(digits))
    return _value(_OID, bytes(body))


def _moment(seconds: float) -> bytes:
    """Two digits for the year as long as they say which century, that is before 2050."""
    text = time.strftime("%Y%m%d%H%M%SZ", time.gmtime(seconds))
    if text < "2050":
        return _value(_UTC_TIME, text[2:].encode())
    return _value(_GENERALIZED_TIME, text.encode())


# --- the certificate ---------------------------------------------------------------------------------------------

_P521 = _oid("1.3.132.0.35")
_EC_PUBLIC_KEY = _oid("1.2.840.10045.2.1")
_ECDSA_WITH_SHA512 = _sequence(_oid("1.2.840.10045.4.3.4"))
_ORGANIZATION = _sequence(_oid("2.5.4.10"), _value(_PRINTABLE_STRING, b"HashiCorp"))
_COMMON_NAME = _sequence(_oid("2.5.4.3"), _value(_PRINTABLE_STRING, NAME.encode()))
_SUBJECT = _sequence(_value(_SET, _ORGANIZATION), _value(_SET, _COMMON_NAME))
_VERSION_3 = _value(_EXPLICIT + 0, _integer(2))

_TRUE = _value(_BOOLEAN, b"\xff")
_CLIENT_AUTH = _oid("1.3.6.1.5.5.7.3.2")
_SERVER_AUTH = _oid("1.3.6.1.5.5.7.3.1")
# The bits of digitalSignature, keyEncipherment, keyAgreement and keyCertSign.
_KEY_USAGES = _bit_string(bytes((0b1010_1100,)), unused_bits=2)


def _extension(dotted: str, content: bytes, *, critical: bool = False) -> bytes:
    return _sequence(_oid(dotted), _TRUE if critical else b"", _value(_OCTET_STRING, content))


def _extensions(key_id: bytes) -> bytes:
    return _sequence(
        _extension("2.5.29.15", _KEY_USAGES, critical=True),
        _extension("2.5.29.37", _sequence(_CLIENT_AUTH, _SERVER_AUTH)),
        _extension("2.5.29.19", _sequence(_TRUE), critical=True),               # a CA, with any number below it
        _extension("2.5.29.14", _value(_OCTET_STRING, key_id)),
        _extension("2.5.29.17", _sequence(_value(_DNS_NAME, NAME.encode()))),
    )


def unsigned_certificate(*, serial: int, public_key: bytes, key_id: bytes, now: float) -> bytes:
    """What is to be signed with ECDSA and SHA-512.

    `serial` is below 2**128, `public_key` an uncompressed point, `key_id` has KEY_ID_SIZE bytes; `now` is Unix time.
    """
    return _sequence(
        _VERSION_3,
        _integer(serial),
        _ECDSA_WITH_SHA512,
        _SUBJECT,                                                               # who issued it
        _sequence(_moment(now - _SKEW_SECONDS), _moment(now + _VALID_SECONDS)),
        _SUBJECT,
        _sequence(_sequence(_EC_PUBLIC_KEY, _P521), _bit_string(public_key)),
        _value(_EXPLICIT + 3, _extensions(key_id)),
    )


def certificate(unsigned: bytes, signature: bytes) -> bytes:
    """The whole; `signature` is DER too."""
    return _sequence(unsigned, _ECDSA_WITH_SHA512, _bit_string(signature))


def private_key(secret: int, public_key: bytes) -> bytes:
    """The key, in the form that is called `EC PRIVATE KEY`."""
    return _sequence(
        _integer(1),
        _value(_OCTET_STRING, secret.to_bytes(_KEY_SIZE)),
        _value(_EXPLICIT + 0, _P521),
        _value(_EXPLICIT + 1, _bit_string(public_key)),
    )


def pem(label: str, der: bytes) -> str:
    """`der` as text that ends with a newline; `label` is `CERTIFICATE` or `EC PRIVATE KEY`."""
    digits = binascii.b2a_base64(der, newline=False).decode()
    lines = [digits[start : start + 64] for start in range(0, len(digits), 64)]
    return "\n".join((f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""))
