"""GET against a server of this process."""
from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

import pytest

from goplugin.core.protowire import BYTES, bytes_field, fields
from goplugin.wasm.services import http_get


class Answer(NamedTuple):
    response: bytes
    status: int
    headers: Mapping[str, str]
    error: str


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, Server)
        server.seen.append(dict(self.headers.items()))
        kind, _, rest = self.path[1:].partition("?")
        if kind == "to":
            self.answer(302, b"elsewhere", Location=rest)
        elif kind == "drip":
            self.send_response(200)
            self.end_headers()
            server.hold.wait(10)
            self.close_connection = True
        elif kind == "large":
            self.answer(200, bytes(int(rest)))
        else:
            self.answer(404 if kind == "missing" else 200, self.path.encode(), **{"X-Two": "1, 2"})

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class has it so
        pass


class Server(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[dict[str, str]] = []
        self.hold = threading.Event()
        self.port = self.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.hold.set()
        server.shutdown()
        thread.join()


def get(url: str, *allow: str, headers: Mapping[str, str] | None = None, **limits: float) -> Answer:
    pairs = [bytes_field(1, name.encode()) + bytes_field(2, value.encode()) for name, value in (headers or {}).items()]
    request = bytes_field(1, url.encode()) + b"".join(bytes_field(2, pair) for pair in pairs)
    found = list(fields(http_get(allow, **limits).functions["http_get"](request)))  # type: ignore[arg-type]
    texts = {number: value for number, kind, value in found if kind == BYTES and isinstance(value, bytes)}
    entries = [{n: v for n, _, v in fields(value)} for number, _, value in found if number == 3]  # type: ignore[arg-type]
    status = next((int(value) for number, _, value in found if number == 2), 0)
    names = {entry[1].decode(): entry.get(2, b"").decode() for entry in entries}  # type: ignore[union-attr]
    return Answer(texts.get(1, b""), status, names, texts.get(4, b"").decode())


def test_a_host_that_is_allowed_answers(server: Server) -> None:
    answer = get(f"{server.url}/path?q=1#part", f"127.0.0.1:{server.port}", headers={"Accept": "text/plain"})

    assert (answer.response, answer.status, answer.error) == (b"/path?q=1", 200, "")
    assert answer.headers["x-two"] == "1, 2"
    assert server.seen[0]["Accept"] == "text/plain"


def test_an_answer_is_one_whatever_its_status(server: Server) -> None:
    assert get(f"{server.url}/missing", f"127.0.0.1:{server.port}").status == 404


@pytest.mark.parametrize("allow", [(), ("127.0.0.1",), ("localhost",), ("127.0.0.1:1",), ("0.0.1",)])
def test_a_host_that_is_not_allowed_is_not_asked(server: Server, allow: tuple[str, ...]) -> None:
    answer = get(f"{server.url}/", *allow)

    assert (answer.status, answer.error) == (0, f"host 127.0.0.1:{server.port} is not allowed")
    assert server.seen == []


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("file:///etc/passwd", "'file:///etc/passwd' is no URL of http or https"),
        ("example.com", "'example.com' is no URL of http or https"),
        ("http://", "'http://' is no URL of http or https"),
        ("http://[::1", "'http://[::1' is no URL: Invalid IPv6 URL"),
        ("http://example.com:x/", "is no URL: Port could not be cast"),
        ("http://example.com@evil.example/", "a URL with a user or a password is not allowed"),
        ("http://example.com.evil.example/", "host example.com.evil.example:80 is not allowed"),
        ("http://example.com:8080/", "host example.com:8080 is not allowed"),
        ("http://[::1]/", "host [::1]:80 is not allowed"),
    ],
)
def test_what_only_looks_like_an_allowed_host_is_none(url: str, error: str) -> None:
    assert error in get(url, "example.com").error


def test_a_redirect_is_followed_where_it_is_allowed(server: Server) -> None:
    answer = get(f"{server.url}/to?/there", f"127.0.0.1:{server.port}")

    assert answer.response == b"/there"


def test_a_redirect_is_held_against_the_list_too(server: Server) -> None:
    targets = f"http://localhost:{server.port}/", "http://169.254.169.254/", "file:///etc/passwd", "//evil.example/"
    for target in targets:
        assert get(f"{server.url}/to?{target}", f"127.0.0.1:{server.port}").error

    assert len(server.seen) == len(targets)


def test_a_secret_stays_with_the_host_that_it_is_for(server: Server) -> None:
    allow = f"127.0.0.1:{server.port}", f"localhost:{server.port}"
    headers = {"Authorization": "secret", "cookie": "secret", "Accept": "text/plain"}

    get(f"{server.url}/to?/there", *allow, headers=headers)
    get(f"{server.url}/to?http://localhost:{server.port}/", *allow, headers=headers)

    assert [seen.get("Authorization") for seen in server.seen] == ["secret", "secret", "secret", None]
    assert [seen.get("cookie") for seen in server.seen] == ["secret", "secret", "secret", None]
    assert {seen["Accept"] for seen in server.seen} == {"text/plain"}


def test_a_plugin_does_not_say_whom_it_is_speaking_to(server: Server) -> None:
    get(f"{server.url}/", f"127.0.0.1:{server.port}", headers={"HOST": "evil.example", "Connection": "close"})

    assert server.seen[0]["Host"] == f"127.0.0.1:{server.port}"
    assert "Connection" not in server.seen[0]


@pytest.mark.parametrize("headers", [{"A": "x\r\nB: y"}, {"A\n": "x"}])
def test_a_header_is_one_line(server: Server, headers: Mapping[str, str]) -> None:
    assert "ValueError" in get(f"{server.url}/", f"127.0.0.1:{server.port}", headers=headers).error


def test_redirects_end(server: Server) -> None:
    assert get(f"{server.url}/to?/to?/x", f"127.0.0.1:{server.port}").response == b"/x"
    loop = "/to?" * 7
    assert get(f"{server.url}{loop}", f"127.0.0.1:{server.port}").error == "more than 5 redirects"


def test_an_answer_has_a_size_that_it_may_have(server: Server) -> None:
    allow = f"127.0.0.1:{server.port}"

    assert len(get(f"{server.url}/large?200000", allow, limit=200_000).response) == 200_000
    assert get(f"{server.url}/large?200001", allow, limit=200_000).error == "the answer has more than 200000 bytes"


def test_an_answer_has_its_time(server: Server) -> None:
    assert "timed out" in get(f"{server.url}/drip", f"127.0.0.1:{server.port}", timeout=0.1).error
    assert get(f"{server.url}/", f"127.0.0.1:{server.port}", timeout=0).error == "the answer took too long"


def test_a_host_that_is_not_there_is_an_answer_too() -> None:
    assert "ConnectionRefusedError" in get("http://127.0.0.1:1/", "127.0.0.1:1").error


def test_https_is_spoken_where_the_url_says_so(server: Server) -> None:
    assert "SSLError" in get(f"https://127.0.0.1:{server.port}/", f"127.0.0.1:{server.port}").error
