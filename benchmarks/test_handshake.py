"""Reading a handshake line: once per launch."""
from __future__ import annotations

from goplugin.core.handshake import HandshakeReader, format_handshake, parse_handshake

from .fixture import Benchmark

CERTIFICATE = b"\x30\x82\x02\x4f" + bytes(0x24F)


def test_parse_a_plain_line(benchmark: Benchmark) -> None:
    line = format_handshake(1, "unix", "/tmp/plugin2531227878")

    parsed = benchmark(parse_handshake, line, versions=(1,), allowed_protocols=("grpc",))

    assert parsed.address == "/tmp/plugin2531227878"


def test_parse_a_line_with_a_certificate(benchmark: Benchmark) -> None:
    line = format_handshake(1, "unix", "/tmp/plugin2531227878", server_cert=CERTIFICATE)

    parsed = benchmark(parse_handshake, line, versions=(1,), allowed_protocols=("grpc",))

    assert parsed.server_cert == CERTIFICATE


def test_find_the_line_in_the_stream(benchmark: Benchmark) -> None:
    data = format_handshake(1, "unix", "/tmp/plugin2531227878").encode() + b"\n"

    def read() -> object:
        reader = HandshakeReader()
        reader.receive_data(data)
        return reader.next_event()

    assert benchmark(read) == data.decode().strip()
