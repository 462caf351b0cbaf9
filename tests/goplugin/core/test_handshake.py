from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goplugin.core.errors import (
    ConfigError,
    CoreVersionError,
    HandshakeError,
    IncompatibleVersionError,
    LocalProtocolError,
    MagicCookieError,
    RemoteProtocolError,
    UnsupportedProtocolError,
)
from goplugin.core.handshake import (
    LINE_LIMIT,
    NEED_DATA,
    HandshakeConfig,
    HandshakeLine,
    HandshakeReader,
    UnrecognizedLineError,
    check_magic_cookie,
    format_handshake,
    parse_handshake,
)
from tests.support import requirement

CERT = b"\x30\x82\x01\x00" + bytes(256)
"""Not a certificate, but one ASN.1 SEQUENCE, which is what the core looks at."""


def unpadded(data: bytes) -> str:
    return base64.b64encode(data).decode().rstrip("=")


def accepted(line: str, **options: Any) -> HandshakeLine:
    return parse_handshake(line, **{"versions": [1, 5], "allowed_protocols": ["netrpc", "grpc"], **options})


def refused(line: str, **options: Any) -> HandshakeError:
    with pytest.raises(HandshakeError) as caught:
        accepted(line, **options)
    return caught.value


# --- the cookie --------------------------------------------------------------------------------------------------


def test_a_plugin_that_its_host_launched_may_run() -> None:
    check_magic_cookie(HandshakeConfig("BASIC_PLUGIN", "hello"), {"BASIC_PLUGIN": "hello"})


@pytest.mark.parametrize("environ", [{}, {"BASIC_PLUGIN": ""}, {"BASIC_PLUGIN": "Hello"}, {"basic_plugin": "hello"}])
def test_a_plugin_run_by_hand_says_what_it_is(environ: dict[str, str]) -> None:
    with pytest.raises(MagicCookieError) as caught:
        check_magic_cookie(HandshakeConfig("BASIC_PLUGIN", "hello"), environ)
    assert str(caught.value).split("\n") == [
        "This binary is a plugin. These are not meant to be executed directly.",
        "Please execute the program that consumes these plugins, which will",
        "load any plugins automatically",
    ]


@pytest.mark.parametrize(("key", "value"), [("", "hello"), ("BASIC_PLUGIN", ""), ("", "")])
def test_a_plugin_without_a_cookie_is_misconfigured(key: str, value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_magic_cookie(HandshakeConfig(key, value), {key: value})
    assert str(caught.value).split("\n") == [
        "Misconfigured ServeConfig given to serve this plugin: no magic cookie",
        "key or value was set. Please notify the plugin author and report",
        "this as a bug.",
    ]


# --- the line, written -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({}, "1|1|unix|/tmp/plugin1|grpc|"),
        ({"protocol": "netrpc"}, "1|1|unix|/tmp/plugin1|netrpc|"),
        ({"multiplex_supported": True}, "1|1|unix|/tmp/plugin1|grpc||true"),
        ({"multiplex_supported": False}, "1|1|unix|/tmp/plugin1|grpc||false"),
        ({"server_cert": b"\xff\xfe"}, "1|1|unix|/tmp/plugin1|grpc|//4"),
        ({"server_cert": b"\0", "multiplex_supported": True}, "1|1|unix|/tmp/plugin1|grpc|AA|true"),
    ],
)
def test_a_plugin_writes_six_fields_and_a_seventh_when_asked(options: dict[str, Any], line: str) -> None:
    assert format_handshake(1, "unix", "/tmp/plugin1", **options) == line


@pytest.mark.parametrize("address", ["/tmp/a|b", "/tmp/a\nb"])
def test_an_address_that_would_break_the_line_is_not_written(address: str) -> None:
    with pytest.raises(LocalProtocolError, match="no handshake line can hold the address"):
        format_handshake(1, "unix", address)


@pytest.mark.parametrize("multiplex", [True, False])
@pytest.mark.parametrize("cert", [None, CERT])
@pytest.mark.parametrize("protocol", ["grpc", "netrpc"])
def test_a_host_reads_what_a_plugin_writes(protocol: str, cert: bytes | None, multiplex: bool) -> None:
    line = format_handshake(
        5, "tcp", "127.0.0.1:10000", protocol=protocol, server_cert=cert, multiplex_supported=multiplex or None
    )

    assert accepted(line, multiplex=multiplex) == HandshakeLine(
        1, 5, "tcp", "127.0.0.1:10000", protocol, cert, multiplex and protocol == "grpc"
    )


# --- the line, read ----------------------------------------------------------------------------------------------


@requirement("gp.handshake.read")
@pytest.mark.parametrize(
    ("line", "protocol"),
    [
        ("1|1|unix|/tmp/p", "netrpc"),
        ("1|1|unix|/tmp/p|grpc", "grpc"),
        ("1|1|unix|/tmp/p|grpc|", "grpc"),
        ("1|1|unix|/tmp/p|netrpc|", "netrpc"),
        ("1|1|unix|/tmp/p|grpc||true", "grpc"),
        ("1|1|unix|/tmp/p|grpc||maybe|what|ever|", "grpc"),
        ("+1|001|unix|/tmp/p|grpc|", "grpc"),
        ("  1|1|unix|/tmp/p|grpc \r", "grpc"),
        ("\t\v\f\xa0\u3000\x851|1|unix|/tmp/p|grpc", "grpc"),
    ],
)
def test_four_fields_are_enough_and_unknown_ones_are_ignored(line: str, protocol: str) -> None:
    assert accepted(line) == HandshakeLine(1, 1, "unix", "/tmp/p", protocol, None, False)


def test_spaces_within_the_line_belong_to_the_fields() -> None:
    assert accepted("1|1|unix| /tmp/my plugin |grpc").address == " /tmp/my plugin "


ADVICE = (
    "\n\nTo fix this, the plugin usually only needs to be recompiled.\nPlease report this to the plugin author"
)
NO_MULTIPLEXING = "client requested gRPC broker multiplexing but plugin does not support the feature"
ATOI = "strconv.Atoi: parsing"

REFUSALS: list[tuple[str, dict[str, Any], type[HandshakeError], str]] = [
    # fewer than four fields
    ("", {}, UnrecognizedLineError, "Unrecognized remote plugin message: "),
    (" hello\r", {}, UnrecognizedLineError, "Unrecognized remote plugin message: hello"),
    ("1|1|unix", {}, UnrecognizedLineError, "Unrecognized remote plugin message: 1|1|unix"),
    ("\udcff", {}, UnrecognizedLineError, "Unrecognized remote plugin message: \ufffd"),
    # core protocol version
    ("x|1|unix|/p", {}, HandshakeError, f'error parsing core protocol version: {ATOI} "x": invalid syntax'),
    ("1_0|1|unix|/p", {}, HandshakeError, f'error parsing core protocol version: {ATOI} "1_0": invalid syntax'),
    ("1 |1|unix|/p", {}, HandshakeError, f'error parsing core protocol version: {ATOI} "1 ": invalid syntax'),
    ("|1|unix|/p", {}, HandshakeError, f'error parsing core protocol version: {ATOI} "": invalid syntax'),
    (
        "\x1c1|1|unix|/p", {}, HandshakeError,
        rf'error parsing core protocol version: {ATOI} "\x1c1": invalid syntax',
    ),
    (
        "9" * 19 + "|1|unix|/p", {}, HandshakeError,
        f'error parsing core protocol version: {ATOI} "{"9" * 19}": value out of range',
    ),
    (
        "02|1|unix|/p", {}, CoreVersionError,
        f"incompatible core API version with plugin. Plugin version: 02, Core version: 1{ADVICE}",
    ),
    # application protocol version
    (
        '1|"1"|unix|/p', {}, HandshakeError,
        rf'Error parsing protocol version "\"1\"": {ATOI} "\"1\"": invalid syntax',
    ),
    (
        "1|7|unix|/p", {"versions": {3: "c", 1: "a", 2: "b"}}, IncompatibleVersionError,
        "incompatible API version with plugin. Plugin version: 7, Client versions: [1 2 3]",
    ),
    (
        "1|-07|unix|/p", {"versions": []}, IncompatibleVersionError,
        "incompatible API version with plugin. Plugin version: -7, Client versions: []",
    ),
    # address
    ("1|1|udp|localhost:1", {}, HandshakeError, "unknown address type: localhost:1"),
    ("1|1||/p\udc80", {}, HandshakeError, "unknown address type: /p\ufffd"),
    ("1|1|tcp|nohost", {}, HandshakeError, "address nohost: missing port in address"),
    # protocol
    (
        "1|1|unix|/p|zzz", {}, UnsupportedProtocolError,
        'unsupported plugin protocol "zzz". Supported: [netrpc grpc]',
    ),
    (
        "1|1|unix|/p", {"allowed_protocols": ("grpc",)}, UnsupportedProtocolError,
        'unsupported plugin protocol "netrpc". Supported: [grpc]',
    ),
    (
        "1|1|unix|/p|\udcffgrpc\x00|", {"allowed_protocols": ()}, UnsupportedProtocolError,
        r'unsupported plugin protocol "\xffgrpc\x00". Supported: []',
    ),
    ("1|1|unix|/p||", {}, UnsupportedProtocolError, 'unsupported plugin protocol "". Supported: [netrpc grpc]'),
    # certificate
    (
        "1|1|unix|/p|grpc|" + "A" * 51, {}, HandshakeError,
        "error parsing server cert: x509: malformed certificate",
    ),
    # multiplexing
    (
        "1|1|unix|/p|grpc|", {"multiplex": True}, HandshakeError,
        f"{NO_MULTIPLEXING}; for Go plugins, you will need to update the github.com/hashicorp/go-plugin dependency "
        "and recompile",
    ),
    (
        "1|1|unix|/p|grpc||maybe", {"multiplex": True}, HandshakeError,
        'error parsing "maybe" as a boolean for gRPC broker multiplexing support',
    ),
    (
        "1|1|unix|/p|grpc||", {"multiplex": True}, HandshakeError,
        'error parsing "" as a boolean for gRPC broker multiplexing support',
    ),
    ("1|1|unix|/p|grpc||False", {"multiplex": True}, HandshakeError, NO_MULTIPLEXING),
]  # fmt: skip


@requirement("gp.handshake.read", "gp.version.core", "gp.version.human", "gp.allowed-protocols")
@pytest.mark.parametrize(("line", "options", "kind", "text"), REFUSALS)
def test_a_line_is_refused_in_upstreams_words(
    line: str, options: dict[str, Any], kind: type[HandshakeError], text: str
) -> None:
    error = refused(line, **options)

    assert str(error) == text
    assert type(error) is kind


@requirement("gp.handshake.read")
def test_the_checks_have_upstreams_order() -> None:
    """Every field is wrong at first; each error names the first wrong one, which is then put right."""
    fields = ["x", "y", "udp", "nohost", "zzz", "!" * 51, "maybe"]
    repairs = [(0, "2"), (0, "1"), (1, "7"), (1, "1"), (2, "tcp"), (3, ":1"), (4, "grpc"), (5, ""), (6, "f"), (6, "t")]
    texts: list[str] = []
    for index, value in repairs:
        texts.append(str(refused("|".join(fields), multiplex=True)))
        fields[index] = value

    assert [text.split(":")[0].split(".")[0] for text in texts] == [
        "error parsing core protocol version",
        "incompatible core API version with plugin",
        'Error parsing protocol version "y"',
        "incompatible API version with plugin",
        "unknown address type",
        "address nohost",
        'unsupported plugin protocol "zzz"',
        "error parsing server cert",
        'error parsing "maybe" as a boolean for gRPC broker multiplexing support',
        "client requested gRPC broker multiplexing but plugin does not support the feature",
    ]
    assert accepted("|".join(fields), multiplex=True).multiplex


def test_an_unrecognized_line_is_a_fault_of_the_peer() -> None:
    assert isinstance(refused("hello"), RemoteProtocolError)


@pytest.mark.parametrize(
    ("line", "asked", "multiplexed"),
    [
        ("1|1|unix|/p|grpc||true", True, True),
        ("1|1|unix|/p|grpc||1", True, True),
        ("1|1|unix|/p|grpc||true", False, False),
        ("1|1|unix|/p|netrpc|", True, False),
        ("1|1|unix|/p|netrpc||true", True, False),
    ],
)
def test_multiplexing_takes_two_and_grpc(line: str, asked: bool, multiplexed: bool) -> None:
    assert accepted(line, multiplex=asked).multiplex is multiplexed


def test_a_runner_may_translate_the_address() -> None:
    def translate(network: str, address: str) -> tuple[str, str]:
        assert (network, address) == ("unix", "/inside")
        return "tcp", "host:080"

    line = accepted("1|1|unix|/inside|grpc", translate=translate)

    assert (line.network, line.address) == ("tcp", "host:80")


def test_what_a_runner_cannot_translate_is_its_own_error_and_comes_after_the_versions() -> None:
    def translate(network: str, address: str) -> tuple[str, str]:
        raise LookupError(f"no mount holds {address}")

    assert isinstance(refused("1|7|unix|/inside", translate=translate), IncompatibleVersionError)
    with pytest.raises(LookupError, match="no mount holds /inside"):
        accepted("1|1|udp|/inside|zzz", translate=translate)


@pytest.mark.parametrize(
    ("announced", "address"),
    [
        ("127.0.0.1:80", "127.0.0.1:80"),
        ("[::1]:80", "[::1]:80"),
        ("localhost:+080", "localhost:80"),
        ("127.0.0.1:", "127.0.0.1:0"),
        (":80", ":80"),
        ("[]:65535", "[]:65535"),
        ("", ":0"),
    ],
)
def test_a_tcp_address_is_host_and_port(announced: str, address: str) -> None:
    assert accepted(f"1|1|tcp|{announced}|grpc").address == address


@pytest.mark.parametrize(
    ("address", "text"),
    [
        ("nohost", "address nohost: missing port in address"),
        ("\udcff", "address \ufffd: missing port in address"),
        ("[::1]", "address [::1]: missing port in address"),
        ("[::1]x:80", "address [::1]x:80: missing port in address"),
        ("a:b:c", "address a:b:c: too many colons in address"),
        ("::1]:80", "address ::1]:80: too many colons in address"),
        ("[::1]:80:90", "address [::1]:80:90: too many colons in address"),
        ("[::1:80", "address [::1:80: missing ']' in address"),
        ("a[b:80", "address a[b:80: unexpected '[' in address"),
        ("[[a]:80", "address [[a]:80: unexpected '[' in address"),
        ("a]b:80", "address a]b:80: unexpected ']' in address"),
        ("[a]:]80", "address [a]:]80: unexpected ']' in address"),
        ("127.0.0.1:65536", "address 65536: invalid port"),
        ("127.0.0.1:-1", "address -1: invalid port"),
        ("127.0.0.1:" + "9" * 20, f"address {'9' * 20}: invalid port"),
        ("127.0.0.1:8x", "lookup tcp/8x: unknown port"),
    ],
)
def test_a_bad_tcp_address_is_refused_in_gos_words(address: str, text: str) -> None:
    assert str(refused(f"1|1|tcp|{address}|grpc")) == text


def test_fifty_characters_are_junk_and_no_certificate() -> None:
    assert accepted("1|1|unix|/p|grpc|" + "!" * 50).server_cert is None


@pytest.mark.parametrize("size", [256, 257, 258])
def test_a_certificate_comes_without_padding(size: int) -> None:
    der = b"\x30\x82" + size.to_bytes(2, "big") + bytes(size)

    assert accepted(f"1|1|unix|/p|grpc|{unpadded(der)}").server_cert == der


def test_a_short_sequence_and_carriage_returns_are_read_as_go_reads_them() -> None:
    der = b"\x30\x26" + bytes(0x26)

    assert accepted("1|1|unix|/p|grpc|" + "\r".join(unpadded(der)) + "|").server_cert == der


@pytest.mark.parametrize(
    ("field", "problem"),
    [
        ("A" * 52 + "=", "illegal base64 data at input byte 52"),
        ("A" * 53, "illegal base64 data at input byte 52"),
        ("A" * 20 + "-" + "A" * 40, "illegal base64 data at input byte 20"),
        ("A\r" * 29 + "\r", "illegal base64 data at input byte 58"),
        ("\r" * 60, "x509: malformed certificate"),
        (unpadded(b"\x31\x26" + bytes(0x26)), "x509: malformed certificate"),
        (unpadded(b"\x30\x27" + bytes(0x26)), "x509: malformed certificate"),
        (unpadded(b"\x30\x80" + bytes(0x80)), "x509: malformed certificate"),
        (unpadded(b"\x30\x81\x26" + bytes(0x26)), "x509: malformed certificate"),
        (unpadded(b"\x30\x83\x00\x01\x00" + bytes(0x100)), "x509: malformed certificate"),
        (unpadded(b"\x30\x85\x01" + bytes(0x100)), "x509: malformed certificate"),
        (unpadded(b"\x30\x82\x01\x01" + bytes(0x100)), "x509: malformed certificate"),
        (unpadded(CERT + b"\0"), "x509: trailing data"),
    ],
)
def test_what_is_no_certificate_is_refused_in_gos_words(field: str, problem: str) -> None:
    assert str(refused(f"1|1|unix|/p|grpc|{field}|")) == f"error parsing server cert: {problem}"


STDOUT_TEXT = st.binary(max_size=100).map(lambda data: data.decode("utf-8", "surrogateescape"))
FIELD = STDOUT_TEXT | st.sampled_from(["1", "5", "unix", "tcp", "/p", "a:1", "grpc", "true", unpadded(CERT)])


@requirement("gp.handshake.read")
@given(STDOUT_TEXT | st.lists(FIELD).map("|".join))
def test_any_line_is_accepted_or_refused_with_a_printable_text(line: str) -> None:
    try:
        handshake = accepted(line, multiplex=True)
    except HandshakeError as error:
        str(error).encode()  # a surrogate would not pass
    else:
        assert handshake.core_version == 1
        assert handshake.network in ("unix", "tcp")


# --- the reader --------------------------------------------------------------------------------------------------

NO_LINE = "Unrecognized remote plugin message: \nFailed to read any lines from plugin's stdout"


def reader_with(*chunks: bytes, eof: bool = False) -> HandshakeReader:
    reader = HandshakeReader()
    for chunk in chunks:
        reader.receive_data(chunk)
    if eof:
        reader.receive_eof()
    return reader


@requirement("gp.handshake.read")
def test_the_first_line_is_delivered_once_and_later_ones_are_not() -> None:
    reader = reader_with(b"1|1|un", b"ix|/p|grpc|\nsecond\n", b"third\n", eof=True)

    assert reader.next_event() == "1|1|unix|/p|grpc|"
    assert reader.next_event() is NEED_DATA


def test_half_a_line_needs_more_data() -> None:
    assert reader_with(b"1|1|unix").next_event() is NEED_DATA


def test_a_last_line_needs_no_newline() -> None:
    assert reader_with(b"1|1|unix|/p", eof=True).next_event() == "1|1|unix|/p"


def test_a_blank_first_line_is_fatal() -> None:
    line = reader_with(b"\n1|1|unix|/p|grpc|\n").next_event()

    assert line == ""
    assert str(refused(line)) == "Unrecognized remote plugin message: "


def test_a_path_that_is_no_utf8_keeps_its_bytes() -> None:
    line = reader_with(b"1|1|unix|/tmp/\xff|grpc\n").next_event()

    assert isinstance(line, str)
    assert accepted(line).address.encode("utf-8", "surrogateescape") == b"/tmp/\xff"


@requirement("gp.handshake.read")
def test_output_that_ends_without_a_line_is_no_handshake() -> None:
    reader = reader_with(eof=True)

    with pytest.raises(UnrecognizedLineError) as caught:
        reader.next_event()
    assert str(caught.value) == NO_LINE
    assert caught.value.__cause__ is None


@requirement("gp.handshake.read")
@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_line_of_64_kib_is_too_long(end: bytes) -> None:
    reader = reader_with(b"x" * LINE_LIMIT + end)

    with pytest.raises(UnrecognizedLineError) as caught:
        reader.next_event()
    assert str(caught.value) == NO_LINE
    assert str(caught.value.__cause__) == "error encountered while scanning stdout: bufio.Scanner: token too long"


def test_a_line_one_byte_shorter_is_not() -> None:
    assert reader_with(b"x" * (LINE_LIMIT - 1), b"\n").next_event() == "x" * (LINE_LIMIT - 1)


def test_the_end_changes_nothing_about_a_line_that_is_too_long() -> None:
    reader = reader_with(b"x" * 70_000, eof=True)

    with pytest.raises(UnrecognizedLineError):
        reader.next_event()


def test_an_endless_line_takes_no_more_memory_than_the_limit() -> None:
    reader = reader_with(*[b"x" * 10_000] * 100)

    assert sum(len(value) for value in vars(reader).values() if isinstance(value, bytearray)) == LINE_LIMIT


@pytest.mark.parametrize("finish", [lambda reader: reader.receive_data(b"more\n"), HandshakeReader.receive_eof])
def test_what_follows_the_end_is_ignored(finish: Callable[[HandshakeReader], None]) -> None:
    reader = reader_with(eof=True)
    finish(reader)

    with pytest.raises(UnrecognizedLineError):
        reader.next_event()


@requirement("gp.handshake.read")
@given(st.lists(st.binary() | st.sampled_from([b"\n", b"1|1|unix|/p|grpc|\n"])), st.booleans())
def test_the_line_does_not_depend_on_the_chunks(chunks: list[bytes], eof: bool) -> None:
    reader = reader_with(*chunks, eof=eof)
    assert len(reader._line) <= LINE_LIMIT
    stdout = b"".join(chunks)
    first, newline, _ = stdout.partition(b"\n")

    if newline or (eof and first):
        assert reader.next_event() == first.decode("utf-8", "surrogateescape")
    elif eof:
        with pytest.raises(RemoteProtocolError):
            reader.next_event()
    else:
        assert reader.next_event() is NEED_DATA
