"""What a host tells its plugin through the environment, and how the plugin reads it.

Rule 1: a name that repeats has one value, the last of: the caller's own, the inherited one, the protocol's.
Rule 2: the protocol's names are never inherited: a plugin that is itself a host must not pass its certificate on.
Rule 3: Go reads these texts and so do we; `go_int`, `GO_BOOLEANS` and `go_quote` are its strconv, errors included.
Source: go-plugin client.go, Start; server.go, protocolVersion and serverListener; Go's strconv.
"""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from .errors import RemoteProtocolError

if TYPE_CHECKING:
    from .handshake import HandshakeConfig

__all__ = [
    "MIN_PORT", "MAX_PORT", "PROTOCOL_VERSIONS", "MULTIPLEX_GRPC", "CLIENT_CERT", "UNIX_SOCKET_DIR",
    "UNIX_SOCKET_GROUP", "PROTOCOL_NAMES",
    "PluginEnvironment", "host_environment",
    "GO_BOOLEANS", "go_int", "go_quote",
]

MIN_PORT = "PLUGIN_MIN_PORT"
MAX_PORT = "PLUGIN_MAX_PORT"
PROTOCOL_VERSIONS = "PLUGIN_PROTOCOL_VERSIONS"
MULTIPLEX_GRPC = "PLUGIN_MULTIPLEX_GRPC"
CLIENT_CERT = "PLUGIN_CLIENT_CERT"
UNIX_SOCKET_DIR = "PLUGIN_UNIX_SOCKET_DIR"
UNIX_SOCKET_GROUP = "PLUGIN_UNIX_SOCKET_GROUP"

PROTOCOL_NAMES = frozenset(
    (MIN_PORT, MAX_PORT, PROTOCOL_VERSIONS, MULTIPLEX_GRPC, CLIENT_CERT, UNIX_SOCKET_DIR, UNIX_SOCKET_GROUP)
)
"""Every name the protocol owns; other names that begin with PLUGIN_ belong to the application."""

_DEFAULT_PORTS = (10000, 25000)


def host_environment(
    handshake: HandshakeConfig,
    *,
    versions: Iterable[int],
    inherited: Mapping[str, str],
    env: Mapping[str, str],
    min_port: int = 0,
    max_port: int = 0,
    multiplex: bool = False,
    client_cert: str | None = None,
    socket_dir: str | None = None,
    socket_group: str | None = None,
) -> dict[str, str]:
    """The whole environment of a plugin process.

    `env` is what the caller wants for this plugin; `inherited`, the host's own environment, wins over it, as upstream
    (pass an empty mapping to skip it). `client_cert` is PEM. Both ports 0 means 10000 to 25000.
    """
    if min_port == max_port == 0:
        min_port, max_port = _DEFAULT_PORTS
    optional = {
        MULTIPLEX_GRPC: "true" if multiplex else None,
        CLIENT_CERT: client_cert,
        UNIX_SOCKET_DIR: socket_dir,
        UNIX_SOCKET_GROUP: socket_group,
    }
    return {
        **env,
        **{name: value for name, value in inherited.items() if name not in PROTOCOL_NAMES},
        handshake.magic_cookie_key: handshake.magic_cookie_value,
        MIN_PORT: str(min_port),
        MAX_PORT: str(max_port),
        PROTOCOL_VERSIONS: ",".join(map(str, sorted(versions))),
        **{name: value for name, value in optional.items() if value},
    }


class PluginEnvironment(NamedTuple):
    """The protocol's variables, as a plugin finds them. An empty variable counts as a missing one.

    `protocol_versions` is the host's list in its order, `invalid_versions` what in it is no integer: upstream reports
    each of those on stderr (`server sent invalid plugin version "abc"`, quoted by `go_quote`) and goes on.
    `multiplex` says that the host wants a multiplexed connection; `multiplex_field` that it understands a seventh
    handshake field. A value like `false` asks for the field and not for the feature.
    """

    protocol_versions: tuple[int, ...] = ()
    invalid_versions: tuple[str, ...] = ()
    multiplex: bool = False
    multiplex_field: bool = False
    client_cert: str | None = None
    socket_dir: str | None = None
    socket_group: str | None = None
    min_port_text: str = ""
    max_port_text: str = ""

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> PluginEnvironment:
        """Read the variables out of `environ`; nothing in it makes this fail."""
        valid, invalid = _integers(environ.get(PROTOCOL_VERSIONS, ""))
        multiplex = environ.get(MULTIPLEX_GRPC, "")
        return cls(
            protocol_versions=valid,
            invalid_versions=invalid,
            multiplex=GO_BOOLEANS.get(multiplex, False),
            multiplex_field=multiplex != "",
            client_cert=environ.get(CLIENT_CERT) or None,
            socket_dir=environ.get(UNIX_SOCKET_DIR) or None,
            socket_group=environ.get(UNIX_SOCKET_GROUP) or None,
            min_port_text=environ.get(MIN_PORT, ""),
            max_port_text=environ.get(MAX_PORT, ""),
        )

    # Properties, because only a TCP listener looks at the ports: to any other plugin a bad one is no reason to fail.

    @property
    def min_port(self) -> int:
        """The first port a TCP listener may take; 0 if none is given. Raises RemoteProtocolError if it is no int32."""
        return _port(MIN_PORT, self.min_port_text)

    @property
    def max_port(self) -> int:
        """The last one, in the same way."""
        return _port(MAX_PORT, self.max_port_text)


def _integers(text: str) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """The elements of a comma list that are integers, and those that are not."""
    valid: list[int] = []
    invalid: list[str] = []
    for element in text.split(",") if text else ():
        try:
            valid.append(go_int(element))
        except ValueError:
            invalid.append(element)
    return tuple(valid), tuple(invalid)


def _port(name: str, text: str) -> int:
    try:
        return go_int(text, function="ParseInt", bits=32) if text else 0
    except ValueError as error:
        raise RemoteProtocolError(f"couldn't get value from {name}: {error}") from None


GO_BOOLEANS = {
    **dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True),
    **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False),
}
"""Every text that Go's ParseBool takes, with its value."""


def go_int(text: str, *, function: str = "Atoi", bits: int = 64) -> int:
    """`text` as Go's `strconv.<function>` reads it: an optional sign, then ASCII digits and nothing else.

    Raises ValueError with Go's own error text for what is no integer, or none of `bits` bits.
    """
    unsigned = text[1:] if text[:1] in ("+", "-") else text
    rest = unsigned.lstrip("0123456789")
    digits = unsigned[: len(unsigned) - len(rest)]
    # 21 digits are beyond any width; more of them would only cost time (and Python refuses more than 4300).
    magnitude = int(digits.lstrip("0")[:21] or "0")
    # Go gives up at the digit that overflows, before it can see what is wrong further on.
    if magnitude < 1 << bits and (rest or not digits):
        raise ValueError(f"strconv.{function}: parsing {go_quote(text)}: invalid syntax")
    value = -magnitude if text[0] == "-" else magnitude
    if not -(1 << bits - 1) <= value < 1 << bits - 1:
        raise ValueError(f"strconv.{function}: parsing {go_quote(text)}: value out of range")
    return value


_ESCAPES = {char: f"\\{letter}" for char, letter in zip("\a\b\f\n\r\t\v\"\\", "abfnrtv\"\\", strict=True)}


def go_quote(text: str) -> str:
    """`text` as Go's `%q` prints it. Bytes that are no UTF-8, decoded with `surrogateescape`, print as `\\xNN`."""
    return '"{}"'.format("".join(_ESCAPES.get(char) or _printed(char) for char in text))


def _printed(char: str) -> str:
    if char.isprintable():
        return char
    code = ord(char)
    if code < 0x80 or 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code & 0xFF:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
