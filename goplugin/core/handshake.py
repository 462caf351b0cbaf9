"""The first line of a plugin's stdout, and the cookie that lets the plugin get that far.

    CORE|APP|NETWORK|ADDRESS|PROTOCOL|SERVERCERT[|MULTIPLEX]

Rule 1: only the first line counts. A blank or stray one is refused, whatever comes later is dropped.
Rule 2: a host takes four fields and more; it ignores those it does not know.
Rule 3: the seventh field is written only if the host asked for it: hosts before go-plugin 1.6 split into six.
Rule 4: the checks have a fixed order, that of `parse_handshake`, and upstream's texts.
Source: go-plugin client.go, Start; server.go, Serve; Go's net, encoding/base64 and crypto/x509 for their error texts.
"""
from __future__ import annotations

import binascii
import enum
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from .environ import GO_BOOLEANS, go_int, go_quote
from .errors import (
    ConfigError,
    CoreVersionError,
    HandshakeError,
    IncompatibleVersionError,
    LocalProtocolError,
    MagicCookieError,
    RemoteProtocolError,
    UnsupportedProtocolError,
)

__all__ = [
    "CORE_PROTOCOL_VERSION", "LINE_LIMIT", "NEED_DATA",
    "HandshakeConfig", "HandshakeLine", "HandshakeReader", "NeedData", "UnrecognizedLineError",
    "check_magic_cookie", "format_handshake", "parse_handshake",
]

CORE_PROTOCOL_VERSION = 1
"""The version of the line itself; there has never been another."""

LINE_LIMIT = 64 * 1024
"""Bytes a line and its newline may take together."""

# Older servers wrote junk into the certificate's field; a certificate is never as short as this.
_LONGEST_JUNK = 50
# What Go trims off both ends of the line. Python's str.strip() takes four control characters more.
_WHITE_SPACE = "\t\n\v\f\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
_NO_MULTIPLEXING = "client requested gRPC broker multiplexing but plugin does not support the feature"


class NeedData(enum.Enum):
    """The type of NEED_DATA, which a machine's `next_event` returns until more bytes have come."""

    NEED_DATA = "need data"


NEED_DATA: Final = NeedData.NEED_DATA


class UnrecognizedLineError(HandshakeError, RemoteProtocolError):
    """What came is no handshake line at all.

    Upstream lets its text be followed by a diagnosis of the executable. That takes I/O, so the caller who can look at
    the file raises the error anew with the diagnosis appended.
    """


# --- the cookie --------------------------------------------------------------------------------------------------


class HandshakeConfig(NamedTuple):
    """What host and plugin must have in common.

    The cookie keeps people from running a plugin by hand; it protects nothing. `protocol_version` is that of the
    `plugins` which are given without a version.
    """

    magic_cookie_key: str
    magic_cookie_value: str
    protocol_version: int = 0


def check_magic_cookie(config: HandshakeConfig, environ: Mapping[str, str]) -> None:
    """Make sure that this process was launched by a host of its plugin.

    Raises ConfigError if `config` has no cookie, MagicCookieError if `environ` has not this one. Their texts are
    for stderr, where upstream prints the same lines.
    """
    if not config.magic_cookie_key or not config.magic_cookie_value:
        raise ConfigError(
            "Misconfigured ServeConfig given to serve this plugin: no magic cookie\n"
            "key or value was set. Please notify the plugin author and report\n"
            "this as a bug."
        )
    if environ.get(config.magic_cookie_key) != config.magic_cookie_value:
        raise MagicCookieError(
            "This binary is a plugin. These are not meant to be executed directly.\n"
            "Please execute the program that consumes these plugins, which will\n"
            "load any plugins automatically"
        )


# --- the line ----------------------------------------------------------------------------------------------------


class HandshakeLine(NamedTuple):
    """An accepted handshake.

    `network` is `unix` or `tcp`, `address` a path or HOST:PORT with a decimal port; `protocol` is `grpc` or `netrpc`,
    `server_cert` DER. `multiplex` is true if the host asked for it and the plugin agreed.
    """

    core_version: int
    app_version: int
    network: str
    address: str
    protocol: str
    server_cert: bytes | None = None
    multiplex: bool = False


def format_handshake(
    app_version: int,
    network: str,
    address: str,
    *,
    protocol: str = "grpc",
    server_cert: bytes | None = None,
    multiplex_supported: bool | None = None,
) -> str:
    """The line a plugin prints, without its newline.

    `server_cert` is DER. `multiplex_supported` is None, which leaves the seventh field out, unless the host asked for
    that field (`PluginEnvironment.multiplex_field`).
    Raises LocalProtocolError if the address cannot stand in a line.
    """
    if "|" in address or "\n" in address:
        raise LocalProtocolError(f"no handshake line can hold the address {go_quote(address)}")
    cert = binascii.b2a_base64(server_cert or b"", newline=False).decode().rstrip("=")
    line = f"{CORE_PROTOCOL_VERSION}|{app_version}|{network}|{address}|{protocol}|{cert}"
    return line if multiplex_supported is None else f"{line}|{str(multiplex_supported).lower()}"


def parse_handshake(
    line: str,
    *,
    versions: Collection[int],
    allowed_protocols: Sequence[str],
    multiplex: bool = False,
    translate: Callable[[str, str], tuple[str, str]] | None = None,
) -> HandshakeLine:
    """What `line` announces, if a host with these `versions` and `allowed_protocols` can accept it.

    `multiplex` demands multiplexing of a plugin that speaks grpc. `translate` maps the plugin's network and address to
    the host's, and may raise what it likes.
    Raises UnrecognizedLineError, CoreVersionError, IncompatibleVersionError, UnsupportedProtocolError, or
    HandshakeError itself for a field that cannot be read.
    """
    line = line.strip(_WHITE_SPACE)
    fields = line.split("|")
    if len(fields) < 4:
        raise UnrecognizedLineError(f"Unrecognized remote plugin message: {_readable(line)}")
    core_version = _core_version(fields[0])
    app_version = _app_version(fields[1], versions)
    network, address = fields[2:4] if translate is None else translate(fields[2], fields[3])
    address = _address(network, address)
    protocol = _protocol(fields[4] if len(fields) > 4 else "netrpc", allowed_protocols)
    server_cert = _server_cert(fields[5]) if len(fields) > 5 else None
    multiplexed = multiplex and protocol == "grpc"
    if multiplexed:
        _check_multiplexing(fields)
    return HandshakeLine(core_version, app_version, network, address, protocol, server_cert, multiplexed)


def _core_version(text: str) -> int:
    try:
        version = go_int(text)
    except ValueError as error:
        raise HandshakeError(f"error parsing core protocol version: {error}") from None
    if version != CORE_PROTOCOL_VERSION:
        raise CoreVersionError(
            f"incompatible core API version with plugin. Plugin version: {text}, Core version: {CORE_PROTOCOL_VERSION}"
            "\n\nTo fix this, the plugin usually only needs to be recompiled.\nPlease report this to the plugin author"
        )
    return version


def _app_version(text: str, versions: Collection[int]) -> int:
    try:
        version = go_int(text)
    except ValueError as error:
        raise HandshakeError(f"Error parsing protocol version {go_quote(text)}: {error}") from None
    if version not in versions:
        raise IncompatibleVersionError(
            f"incompatible API version with plugin. Plugin version: {version}, Client versions: "
            f"{_go_list(sorted(versions))}"
        )
    return version


def _address(network: str, address: str) -> str:
    if network == "tcp":
        return _tcp_address(address)
    if network != "unix":
        raise HandshakeError(f"unknown address type: {_readable(address)}")
    return address


def _tcp_address(address: str) -> str:
    """`address` with its port in decimal, if it is HOST:PORT or [HOST]:PORT; no port means 0.

    Upstream would look up a host or a port by name here. The host is left to whoever connects; port names, which
    nobody prints, are refused.
    """
    host, _, port = address.rpartition(":")
    if address and (problem := _host_port_problem(address)):
        raise HandshakeError(f"address {_readable(address)}: {problem}")
    if not re.fullmatch(r"[+-]?[0-9]*", port):
        raise HandshakeError(f"lookup tcp/{_readable(port)}: unknown port")
    try:
        number = go_int(port or "0")
    except ValueError:
        number = -1
    if not 0 <= number <= 65535:
        raise HandshakeError(f"address {port}: invalid port")
    return f"{host}:{number}"


def _host_port_problem(address: str) -> str:
    """What Go's SplitHostPort has against `address`; empty if nothing."""
    host, colon, port = address.rpartition(":")
    if not colon:
        return "missing port in address"
    if address.startswith("["):
        host, closing, behind = address[1:].partition("]")
        if not closing:
            return "missing ']' in address"
        if not behind.startswith(":"):
            return "missing port in address"
        if behind != f":{port}":
            return "too many colons in address"
    elif ":" in host:
        return "too many colons in address"
    if "[" in host + port:
        return "unexpected '[' in address"
    return "unexpected ']' in address" if "]" in host + port else ""


def _protocol(protocol: str, allowed: Sequence[str]) -> str:
    if protocol not in allowed:
        supported = _go_list(allowed)
        raise UnsupportedProtocolError(f"unsupported plugin protocol {go_quote(protocol)}. Supported: {supported}")
    return protocol


def _server_cert(text: str) -> bytes | None:
    if len(text) <= _LONGEST_JUNK:
        return None
    try:
        der = _decode_base64(text)
        _check_der(der)
    except ValueError as error:
        raise HandshakeError(f"error parsing server cert: {error}") from None
    return der


def _decode_base64(text: str) -> bytes:
    """Go's RawStdEncoding: the standard alphabet without padding, carriage returns skipped. Raises ValueError."""
    stray = re.search(r"[^A-Za-z0-9+/\r]", text)
    digits = text.replace("\r", "")
    if stray or len(digits) % 4 == 1:
        raise ValueError(f"illegal base64 data at input byte {stray.start() if stray else len(text) - 1}")
    return binascii.a2b_base64(digits + "=" * (-len(digits) % 4))


def _check_der(der: bytes) -> None:
    """See that `der` is one ASN.1 SEQUENCE; what is in it is left to the TLS library. Raises ValueError."""
    tag, length, first = der[:3].ljust(3, b"\0")
    size = 2 + length
    if length >= 0x80:
        width = length & 0x7F
        size += width - length + int.from_bytes(der[2 : 2 + width])
        # DER wants the shortest form of a length, and Go reads none of more than four bytes.
        if not 1 <= width <= 4 or first == 0 or size < 2 + width + 0x80:
            tag = 0
    if tag != 0x30 or size > len(der):
        raise ValueError("x509: malformed certificate")
    if size < len(der):
        raise ValueError("x509: trailing data")


def _check_multiplexing(fields: list[str]) -> None:
    if len(fields) <= 6:
        raise HandshakeError(
            f"{_NO_MULTIPLEXING}; for Go plugins, you will need to update the github.com/hashicorp/go-plugin "
            "dependency and recompile"
        )
    supported = GO_BOOLEANS.get(fields[6])
    if supported is None:
        raise HandshakeError(f"error parsing {go_quote(fields[6])} as a boolean for gRPC broker multiplexing support")
    if not supported:
        raise HandshakeError(_NO_MULTIPLEXING)


def _go_list(values: Iterable[object]) -> str:
    return f"[{' '.join(map(str, values))}]"


def _readable(text: str) -> str:
    # Surrogates stand for bytes that are no UTF-8. An error that held them could not be printed.
    return re.sub("[\ud800-\udfff]", "\ufffd", text)


# --- the reader --------------------------------------------------------------------------------------------------


class HandshakeReader:
    """Finds the handshake line in a plugin's stdout.

    Its one event is the line as text, without its newline; bytes that are no UTF-8 are surrogate escapes, as in the
    paths of the os module. It holds at most LINE_LIMIT bytes.
    """

    def __init__(self) -> None:
        self._line = bytearray()
        self._complete = False
        self._missing = False
        self._delivered = False

    def receive_data(self, data: bytes) -> None:
        """Take the next bytes of stdout."""
        if not self._complete:
            head, newline, _ = data.partition(b"\n")
            self._line += head[: LINE_LIMIT - len(self._line)]
            self._complete = newline != b"" or len(self._line) == LINE_LIMIT

    def receive_eof(self) -> None:
        """Take note that stdout has ended. A last line needs no newline."""
        if not self._complete:
            self._complete = True
            self._missing = not self._line

    def next_event(self) -> str | NeedData:
        """The first line, once; NEED_DATA before and after it.

        Raises UnrecognizedLineError if stdout ended without a line, or its first line is too long.
        """
        if not self._complete or self._delivered:
            return NEED_DATA
        too_long = len(self._line) == LINE_LIMIT
        if self._missing or too_long:
            cause = RemoteProtocolError("error encountered while scanning stdout: bufio.Scanner: token too long")
            raise UnrecognizedLineError(
                "Unrecognized remote plugin message: \nFailed to read any lines from plugin's stdout"
            ) from (cause if too_long else None)
        self._delivered = True
        return self._line.decode("utf-8", "surrogateescape")
