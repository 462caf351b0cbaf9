"""What the programs in Python have in common: the lines of `call`, and what a call's metadata say."""
from __future__ import annotations

import base64
import json
import ssl
import sys
import zlib
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from google.protobuf.wrappers_pb2 import BytesValue, StringValue

__all__ = [
    "PATIENCE", "SERVICE", "STREAMS", "Call", "Outcome", "Pairs", "Script",
    "client_context", "obey", "server_context", "texts_of", "wait_for_eof",
]

SERVICE = "conformance.Probe"
STREAMS = {
    "ServerStream": (False, True), "ClientStream": (True, False), "BidiStream": (True, True), "Hold": (False, True),
}  # fmt: skip
"""Whether requests, and replies, are streams; what is not here is unary."""
PATIENCE = 10.0
"""Seconds for what must happen."""

Pairs = tuple[tuple[str, str | bytes], ...]


class Call(NamedTuple):
    """One call, and when its caller gives it up."""

    path: str
    requests: tuple[bytes, ...] = (b"",)
    metadata: Pairs = ()
    timeout: float | None = None
    cancel_after: int = 0

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def streams(self) -> tuple[bool, bool]:
        return STREAMS.get(self.name, (False, False))

    @property
    def messages(self) -> list[BytesValue]:
        return [BytesValue(value=request) for request in self.requests]

    def to_json(self) -> dict[str, Any]:
        return {
            "path": self.path,
            "requests": [encode(request) for request in self.requests],
            "metadata": pairs_to_json(self.metadata),
            "timeout": self.timeout or 0,
            "cancel_after": self.cancel_after,
        }

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Call:
        return cls(
            fields["path"],
            tuple(map(decode, fields["requests"])),
            pairs_from_json(fields["metadata"]),
            fields["timeout"] or None,
            fields["cancel_after"],
        )


class Outcome(NamedTuple):
    """What the caller has got."""

    replies: tuple[bytes, ...] = ()
    initial: Pairs = ()
    trailing: Pairs = ()
    code: int = 0
    message: str = ""
    details: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "replies": [encode(reply) for reply in self.replies],
            "initial": pairs_to_json(self.initial),
            "trailing": pairs_to_json(self.trailing),
            "code": self.code,
            "message": self.message,
            "details": self.details,
        }

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Outcome:
        return cls(
            tuple(map(decode, fields["replies"] or ())),
            pairs_from_json(fields["initial"] or ()),
            pairs_from_json(fields["trailing"] or ()),
            fields["code"],
            fields["message"],
            tuple(fields["details"] or ()),
        )


class Script(NamedTuple):
    """How a method answers."""

    initial: Pairs
    trailing: Pairs
    code: int
    message: str
    details: list[StringValue]

    @classmethod
    def of(cls, metadata: Iterable[tuple[str, str | bytes]]) -> Script:
        pairs = tuple(metadata)
        first = dict(reversed(pairs))
        text = first.get("status-message-bin", b"")
        assert isinstance(text, bytes)
        return cls(
            tuple((key, value) for key, value in pairs if key in ("initial", "initial-bin")),
            tuple((key, value) for key, value in pairs if key in ("trailing", "trailing-bin")),
            int(first.get("status", 0)),
            text.decode(),
            [StringValue(value=str(first["status-detail"]))] if "status-detail" in first else [],
        )


def obey(connect: Callable[[str, str], Callable[[list[Call]], list[Outcome]]]) -> None:
    """Do what stdin says. `connect` takes a target and a certificate, and gives what makes calls there."""
    callers: dict[str, Callable[[list[Call]], list[Outcome]]] = {}
    for line in sys.stdin:
        order = json.loads(line)
        target = order["target"]
        if target not in callers:
            callers[target] = connect(target, order["certificate"])
        outcomes = callers[target]([Call.from_json(fields) for fields in order["calls"]])
        print(json.dumps([outcome.to_json() for outcome in outcomes]), flush=True)


def server_context(certificate: str, key: str) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["h2"])
    return context


def client_context(certificate: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=certificate)
    context.set_alpn_protocols(["h2"])
    return context


def wait_for_eof() -> None:
    sys.stdin.buffer.read()


def texts_of(details: Iterable[Any]) -> tuple[str, ...]:
    return tuple(detail.value for detail in details)


def encode(data: bytes) -> str:
    return base64.b64encode(zlib.compress(data, 1)).decode()


def decode(text: str) -> bytes:
    return zlib.decompress(base64.b64decode(text))


def pairs_to_json(pairs: Iterable[tuple[str, str | bytes]]) -> list[list[str]]:
    return [[encode(key.encode()), encode(value.encode() if isinstance(value, str) else value)] for key, value in pairs]


def pairs_from_json(pairs: Iterable[tuple[str, str]]) -> Pairs:
    decoded = [(decode(key).decode(), decode(value)) for key, value in pairs]
    return tuple((key, value if key.endswith("-bin") else value.decode()) for key, value in decoded)
