"""HTTP GET for plugins, from hosts that are named, and from no other.

Rule 1: every URL is held against the list, the one that a redirect leads to like the first.
Rule 2: whatever goes wrong out there is an answer with `error`; the plugin's call goes on.
Rule 3: size, time and number of redirects have limits. The environment (proxies, .netrc) has no say.
"""
from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import SplitResult, urljoin, urlsplit

from ..host import HostModule
from .messages import MODULE, HttpGetRequest, HttpGetResponse

if TYPE_CHECKING:
    import socket

__all__ = ["http_get"]

_PORTS = {"http": 80, "https": 443}
_REDIRECTS = (301, 302, 303, 307, 308)
_MOST_REDIRECTS = 5
_CHUNK = 64 * 1024
# `Host` decides whom a server takes itself for; the others are for one connection, which is ours.
_OUR_HEADERS = frozenset({"host", "connection", "content-length", "transfer-encoding", "upgrade", "te", "expect"})
_SECRET_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization"})


class _Refused(Exception):
    """The text of an answer's `error`."""


class _Target(NamedTuple):
    url: str
    secure: bool
    host: str
    port: int
    path: str

    @property
    def origin(self) -> tuple[bool, str, int]:
        return self.secure, self.host, self.port


def http_get(
    allow: Collection[str], *, timeout: float = 10.0, limit: int = 16 << 20, module: str = MODULE
) -> HostModule:
    """GET for the hosts of `allow`: names as in a URL, with the port where it is not that of http or https.

    `timeout` seconds are for everything that one request of the plugin brings about, `limit` bytes for the answer.
    """
    hosts = frozenset(name.lower() for name in ([allow] if isinstance(allow, str) else allow))

    def get(request: bytes) -> bytes:
        wanted = HttpGetRequest.FromString(request)
        try:
            response = _follow(wanted.url, wanted.headers, hosts, time.monotonic() + timeout, limit)
        except _Refused as error:
            response = HttpGetResponse(error=str(error))
        except (OSError, http.client.HTTPException, ValueError) as error:   # ValueError: a header that cannot be one
            response = HttpGetResponse(error=f"{type(error).__name__}: {error}")
        return response.SerializeToString()

    return HostModule(module, {"http_get": get})


def _follow(
    url: str, headers: Mapping[str, str], hosts: frozenset[str], deadline: float, limit: int
) -> HttpGetResponse:
    headers = {name: value for name, value in headers.items() if name.lower() not in _OUR_HEADERS}
    target = _target(url, hosts)
    for _ in range(_MOST_REDIRECTS + 1):
        status, fields, body = _fetch(target, headers, deadline, limit)
        location = fields.get("location")
        if status not in _REDIRECTS or location is None:
            return HttpGetResponse(body, status, fields)
        following = _target(urljoin(target.url, location), hosts)
        if following.origin != target.origin:
            headers = {name: value for name, value in headers.items() if name.lower() not in _SECRET_HEADERS}
        target = following
    raise _Refused(f"more than {_MOST_REDIRECTS} redirects")


def _target(url: str, hosts: frozenset[str]) -> _Target:
    """What `url` means. Raises _Refused if it is not one that is allowed."""
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError as error:
        raise _Refused(f"{url!r} is no URL: {error}") from error
    if parts.scheme not in _PORTS or not host:
        raise _Refused(f"{url!r} is no URL of http or https")
    if parts.username is not None or parts.password is not None:
        raise _Refused("a URL with a user or a password is not allowed")
    name = f"[{host}]" if ":" in host else host
    allowed = f"{name}:{port}" in hosts or (port == _PORTS[parts.scheme] and name in hosts)
    if not allowed:
        raise _Refused(f"host {name}:{port} is not allowed")
    return _Target(url, parts.scheme == "https", host, port, _path(parts))


def _path(parts: SplitResult) -> str:
    path = parts.path or "/"
    return f"{path}?{parts.query}" if parts.query else path


def _fetch(
    target: _Target, headers: Mapping[str, str], deadline: float, limit: int
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of one answer."""
    connect: Callable[..., http.client.HTTPConnection] = http.client.HTTPConnection
    if target.secure:
        connect = http.client.HTTPSConnection
    connection = connect(target.host, target.port, timeout=_remaining(deadline))
    try:
        connection.request("GET", target.path, headers=dict(headers))
        sock: socket.socket = connection.sock   # an answer that ends with the connection takes it from there
        response = connection.getresponse()
        body = bytearray()
        while piece := response.read1(_CHUNK):
            body += piece
            if len(body) > limit:
                raise _Refused(f"the answer has more than {limit} bytes")
            sock.settimeout(_remaining(deadline))
    finally:
        connection.close()
    fields: dict[str, str] = {}
    for name, value in response.getheaders():
        name = name.lower()
        fields[name] = f"{fields[name]}, {value}" if name in fields else value
    return response.status, fields, bytes(body)


def _remaining(deadline: float) -> float:
    remaining = deadline - time.monotonic()
    if remaining <= 0:
        raise _Refused("the answer took too long")
    return remaining
