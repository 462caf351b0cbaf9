"""What a plugin prints, and what a host puts into its environment: text, in the best case."""
from __future__ import annotations

from goplugin.core.environ import MAX_PORT, MIN_PORT, MULTIPLEX_GRPC, PROTOCOL_VERSIONS, PluginEnvironment, go_quote
from goplugin.core.errors import HandshakeError, RemoteProtocolError
from goplugin.core.handshake import LINE_LIMIT as HANDSHAKE_LIMIT
from goplugin.core.handshake import (
    NEED_DATA,
    HandshakeReader,
    format_handshake,
    parse_handshake,
)
from goplugin.core.hclog import LINE_LIMIT, StderrParser, format_entry, parse_line

from .script import Script

PROTOCOLS = ("grpc", "netrpc")
ALMOST_A_LINE = b" " * (LINE_LIMIT - 2)


def handshake(data: bytes) -> None:
    """A plugin's stdout in pieces; a line that is accepted means the same when we write it."""
    script = Script(data)
    multiplex = bool(script.number() % 2)
    reader = HandshakeReader()
    while script:
        reader.receive_data(script.piece())
        assert len(reader._line) <= HANDSHAKE_LIMIT
    reader.receive_eof()
    try:
        line = reader.next_event()
        assert line is not NEED_DATA
        parsed = parse_handshake(line, versions=(1, 2), allowed_protocols=PROTOCOLS, multiplex=multiplex)
    except HandshakeError as error:
        str(error).encode()
        return
    assert reader.next_event() is NEED_DATA
    written = format_handshake(
        parsed.app_version,
        parsed.network,
        parsed.address,
        protocol=parsed.protocol,
        server_cert=parsed.server_cert,
        multiplex_supported=parsed.multiplex or None,
    )
    assert parse_handshake(written, versions=(1, 2), allowed_protocols=PROTOCOLS, multiplex=parsed.multiplex) == parsed


def hclog(data: bytes) -> None:
    """A plugin's stderr in pieces; an entry means the same when we write it."""
    script = Script(data)
    parser = StderrParser()
    while script:
        parser.receive_data(script.piece())
        if script.number() == 255:
            parser.receive_data(ALMOST_A_LINE)
        assert len(parser._line) < LINE_LIMIT
        _check_entries(parser)
    parser.receive_eof()
    _check_entries(parser)


def _check_entries(parser: StderrParser) -> None:
    while (entry := parser.next_event()) is not NEED_DATA:
        entry.message.encode()
        written = parse_line(format_entry(entry._replace(timestamp=None)))      # it may be before the year 1000
        assert (written.level, written.message) == (entry.level, entry.message)


def environment(data: bytes) -> None:
    """The variables that a plugin reads, with whatever in them."""
    names = (PROTOCOL_VERSIONS, MULTIPLEX_GRPC, MIN_PORT, MAX_PORT)
    values = data.decode("utf-8", "surrogateescape").split("\0")
    read = PluginEnvironment.from_environ(dict(zip(names, values, strict=False)))
    for entry in read.invalid_versions:
        go_quote(entry).encode()
    for port in ("min_port", "max_port"):
        try:
            assert -(1 << 31) <= getattr(read, port) < 1 << 31
        except RemoteProtocolError as error:
            str(error).encode()


def _pieces(*pieces: bytes) -> bytes:
    return b"".join(bytes((len(piece),)) + piece for piece in pieces)


def _lines(*lines: bytes) -> bytes:
    return b"".join(bytes((len(line) + 1,)) + line + b"\n\x01" for line in lines)


SEEDS = {
    "handshake": [
        b"\0" + _pieces(b"1|1|unix|/tmp/plugin", b"1234|grpc|\n", b"more"),
        b"\1" + _pieces(b"1|2|tcp|127.0.0.1:1234|grpc||true\n"),
        b"\0" + _pieces(b"1|1|tcp|[::1]:080\n"),
        b"\0" + _pieces(b"1|1|unix|/x|grpc|" + b"MGMC" + b"A" * 80 + b"\n"),
        b"\0" + _pieces(b"2|1|unix|/x|grpc\n"),
        b"\0" + _pieces(b"|x|||||||\xff"),
    ],
    "hclog": [
        _lines(b'{"@level":"info","@message":"saved","@module":"kv","@timestamp":"2026-01-02T03:04:05.678901Z","n":1}'),
        _lines(b"[WARN] text", b"panic: no", b"goroutine 1 [running]:", b"main.main()"),
        _lines(b"Traceback (most recent call last):", b'  File "x", line 1', b"ValueError: no"),
        _lines(b'{"@level":"trace","@message":"\\ud800 \\u0000","a":[[1e999]]}'),
        _lines(b'{"@level":"error","@timestamp":"0001-01-01T00:00:00,000000+23:59"}'),
        b"\x01x\xff\x02\r\n\x01\x01\n\x01",
    ],
    "environment": [
        b"\0".join([b"1,2,3", b"true", b"10000", b"25000"]),
        b"\0".join([b"+1,-2,abc,,9999999999999999999", b"T", b"-1", b"2147483648"]),
        b"\0".join([b"\xff", b"\xfe"]),
    ],
}
