"""Buffer; see jsbridge/shim/parts/buffer.js. The values are those of Node."""
from __future__ import annotations

import base64

import pytest

from tests.jsbridge.scripts import Session


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("Buffer.from('h\u00e9').toString('hex')", "68c3a9"),
        ("Buffer.from('aGk', 'base64').toString()", "hi"),
        ("Buffer.from('-_8', 'base64url').toString('base64')", "+/8="),
        ("Buffer.from('+/8=', 'base64').toString('base64url')", "-_8"),
        ("Buffer.from('\u00e9', 'latin1').toString('base64')", "6Q=="),
        ("Buffer.from('\u00ff', 'binary').toString('ascii')", "\x7f"),
        ("Buffer.from('616z62', 'hex').toString('UTF-8')", "a"),
        ("Buffer.from([1, 300, -1]).toString('hex')", "012cff"),
        ("Buffer.from(new Uint8Array([97])).toString()", "a"),
        ("Buffer.from(new Uint8Array([97, 98, 99]).buffer, 1, 1).toString()", "b"),
        ("Buffer.from(new Uint8Array([97, 98]).buffer).toString()", "ab"),
        ("Buffer.from('hello').toString('utf8', 1, 3)", "el"),
        ("String(Buffer.from('a')) + Buffer.from('b')", "ab"),
        ("JSON.stringify(Buffer.from('a'))", '{"type":"Buffer","data":[97]}'),
        ("Buffer.from('abc').subarray(-2).toString()", "bc"),
        ("var b = Buffer.from('abc'); b.slice(1, 2)[0] = 120; b.toString()", "axc"),
        ("Buffer.alloc(2).toString('hex')", "0000"),
        ("Buffer.alloc(5, 'ab').toString()", "ababa"),
        ("Buffer.alloc(2, 97).toString()", "aa"),
        ("Buffer.concat([Buffer.from('ab'), new Uint8Array([99])]).toString()", "abc"),
        ("Buffer.concat([Buffer.from('ab'), Buffer.from('cd')], 3).toString()", "abc"),
        ("Buffer.compare(Buffer.from('a'), Buffer.from('b'))", -1),
        ("Buffer.compare(Buffer.from('ab'), Buffer.from('a'))", 1),
        ("Buffer.from('a').equals(new Uint8Array([97]))", True),
        ("Buffer.byteLength('\u20ac') + Buffer.byteLength(new Uint8Array(2))", 5),
        ("[Buffer.isBuffer(Buffer.alloc(0)), Buffer.isBuffer(new Uint8Array(1))]", [True, False]),
        ("[Buffer.isEncoding('HEX'), Buffer.isEncoding('utf16le'), Buffer.isEncoding(5)]", [True, False, False]),
        ("Buffer.from('a') instanceof Uint8Array && Buffer.from('a').constructor === Buffer", True),
        ("Object.keys(Buffer.from('ab'))", ["0", "1"]),
    ],
)
def test_texts_and_bytes_become_one_another(session: Session, expression: str, value: object) -> None:
    assert session.engine.eval(expression) == value


def test_a_buffer_crosses_as_bytes_do(session: Session) -> None:
    assert session.sent("Buffer.from('hello')") == base64.b64encode(b"hello").decode()


def test_a_buffer_is_shown_in_hexadecimal(session: Session) -> None:
    session.engine.eval("console.log(Buffer.from('hi'), Buffer.alloc(0)); console.log(Buffer.alloc(51, 1))")

    assert session.stdout == ["<Buffer 68 69> <Buffer >\n", "<Buffer" + " 01" * 50 + " ... 1 more byte>\n"]


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("new Buffer(5)", "Buffer is no constructor here: use Buffer.from, Buffer.alloc or Buffer.concat"),
        ("Buffer.from(5)", "Buffer.from takes a string, an array, bytes or an ArrayBuffer, not 5"),
        ("Buffer.from('a', 'utf16le')", "Unknown encoding: utf16le"),
        ("Buffer.concat(['a'])", 'expected a Buffer or Uint8Array, not "a"'),
    ],
)
def test_what_is_left_out_says_so(session: Session, code: str, error: str) -> None:
    assert session.error(code).message == error


def test_an_encoding_that_is_left_out_has_nodes_code(session: Session) -> None:
    assert session.error("Buffer.alloc(1).toString('ucs2')").code == "ERR_UNKNOWN_ENCODING"
