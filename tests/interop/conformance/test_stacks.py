"""What both ends of a call agree on, whichever of the stacks they are.

Each of ours, and grpclib's own, meets every other one in both roles, plain on a unix socket and with TLS over TCP.
"""
from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import pytest

from goplugin.core.status import Code
from tests.support import requirement

from .driver import GRPCLIB, OURS, STACKS, Caller, Certificate, Server, Stack
from .program import SERVICE, Call, Outcome, Pairs

MEBIBYTE = 1 << 20
LARGE = bytes(range(256)) * (5 * MEBIBYTE // 256)
AWKWARD = "no such thing: ünïcode 100%,\ta tab\nand a line \U0001f600"
ASCII: Pairs = (("initial", "one"), ("trailing", "two words, and = signs"), ("initial", "again"))
BINARY: Pairs = (("initial-bin", b"\0\xff,="), ("trailing-bin", bytes(range(256))), ("trailing-bin", b""))


# --- who meets whom ----------------------------------------------------------------------------------------------


class Pairing(NamedTuple):
    client: Stack
    server: Stack
    security: str

    def __str__(self) -> str:
        return f"{self.client}-to-{self.server}-{self.security}"


class Ends(NamedTuple):
    """Both ends of a connection."""

    caller: Caller
    target: str
    certificate: str

    def call(self, method: str, *requests: bytes, **fields: object) -> Outcome:
        [outcome] = self.call_together([Call(f"/{SERVICE}/{method}", requests, **fields)])  # type: ignore[arg-type]
        return outcome

    def call_together(self, calls: Sequence[Call]) -> list[Outcome]:
        return self.caller.call(self.target, self.certificate, calls)


def meet(client: Stack, server: Stack) -> bool:
    """Whether the pairing has something of ours, or grpclib, in it."""
    return not {*OURS, GRPCLIB}.isdisjoint((client, server))


PAIRINGS = [
    Pairing(client, server, security)
    for security in ("plain", "tls")
    for client, server in itertools.product(STACKS, repeat=2)
    if meet(client, server)
]


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(pairing, marks=[pytest.mark.go] * any(stack.module is None for stack in pairing[:2]))
        for pairing in PAIRINGS
    ],
    ids=[str(pairing) for pairing in PAIRINGS],
)
def pairing(request: pytest.FixtureRequest) -> Pairing:
    return request.param


@pytest.fixture(scope="module")
def ends(
    pairing: Pairing,
    stack_server: Callable[[Stack], Server],
    stack_client: Callable[[Stack], Caller],
    certificate: Certificate,
) -> Ends:
    server = stack_server(pairing.server)
    caller = stack_client(pairing.client)
    if pairing.security == "tls":
        return Ends(caller, server.secure, certificate.certificate)
    return Ends(caller, server.plain, "")


# --- what they agree on ------------------------------------------------------------------------------------------


@requirement("ow.http2")
@pytest.mark.parametrize(
    ("method", "requests", "replies"),
    [
        ("Unary", [b"hello"], [b"hello"]),
        ("Unary", [b""], [b""]),
        ("Unary", [LARGE], [LARGE]),
        ("ServerStream", [b"a\nb\n\nc"], [b"a", b"b", b"", b"c"]),
        ("ServerStream", [b"\n" * 99], [b""] * 100),
        ("ClientStream", [b"a", b"", b"bc"], [b"abc"]),
        ("ClientStream", [], [b""]),
        ("ClientStream", [LARGE[:65536]] * 16, [LARGE[:MEBIBYTE]]),
        ("BidiStream", [b"a", b"", b"bc"], [b"a", b"", b"bc"]),
        ("BidiStream", [], []),
        ("BidiStream", [LARGE, b"small"], [LARGE, b"small"]),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{len(value)}x{sum(map(len, value))}",
)
def test_messages_of_any_size_travel_in_calls_of_every_kind(
    ends: Ends, method: str, requests: list[bytes], replies: list[bytes]
) -> None:
    outcome = ends.call(method, *requests)

    assert (outcome.code, outcome.message) == (Code.OK, "")
    assert outcome.replies == tuple(replies)


@pytest.mark.parametrize("method", ["Unary", "ServerStream", "ClientStream", "BidiStream"])
def test_metadata_travel_both_ways_with_bytes_and_repeated_keys(ends: Ends, method: str) -> None:
    pairs = ASCII + BINARY

    outcome = ends.call(method, b"x", metadata=pairs)

    assert outcome.code == Code.OK
    assert [pair for pair in outcome.initial if pair in pairs] == ordered(pairs, "initial", outcome.initial)
    assert [pair for pair in outcome.trailing if pair in pairs] == ordered(pairs, "trailing", outcome.trailing)


@pytest.mark.parametrize("method", ["Unary", "ServerStream", "ClientStream", "BidiStream"])
@pytest.mark.parametrize("message", ["", AWKWARD, "x" * 4000], ids=["empty", "awkward", "long"])
def test_the_status_of_a_call_has_code_and_text(ends: Ends, method: str, message: str) -> None:
    outcome = ends.call(method, b"x", metadata=failing(Code.FAILED_PRECONDITION, message))

    assert (outcome.code, outcome.message) == (Code.FAILED_PRECONDITION, message)
    assert outcome.replies == ((b"x",) if method in ("ServerStream", "BidiStream") else ())


def test_every_code_arrives(ends: Ends) -> None:
    codes = [code for code in Code if code]

    outcomes = ends.call_together([Call(f"/{SERVICE}/Unary", metadata=failing(code, code.name)) for code in codes])

    assert [(outcome.code, outcome.message) for outcome in outcomes] == [(code, code.name) for code in codes]


@pytest.mark.parametrize("method", ["Unary", "ServerStream"])
def test_a_status_has_details(ends: Ends, method: str) -> None:
    metadata = (*failing(Code.NOT_FOUND, AWKWARD), ("status-detail", "one of these"))

    outcome = ends.call(method, b"x", metadata=metadata)

    assert (outcome.code, outcome.message, outcome.details) == (Code.NOT_FOUND, AWKWARD, ("one of these",))


def test_an_error_brings_metadata(ends: Ends) -> None:
    outcome = ends.call("ServerStream", b"x", metadata=failing(Code.ABORTED, "so") + ASCII)

    assert (outcome.code, outcome.message, outcome.replies) == (Code.ABORTED, "so", (b"x",))
    assert ("initial", "one") in outcome.initial
    assert ("trailing", "two words, and = signs") in outcome.trailing


def test_calls_end_at_their_deadline(ends: Ends, pairing: Pairing) -> None:
    key = f"deadline {pairing}".encode()
    calls = [Call(f"/{SERVICE}/{method}", (key,), timeout=0.15) for method in ("Wait", "Hold")]

    wait, hold = ends.call_together(calls)

    assert (wait.code, wait.replies) == (Code.DEADLINE_EXCEEDED, ())
    assert (hold.code, hold.replies) == (Code.DEADLINE_EXCEEDED, (key,))
    assert ends.call("Ended", key).replies == (key,)


def test_a_method_knows_the_deadline(ends: Ends) -> None:
    [left] = ends.call("Remaining", b"", timeout=30.0).replies

    assert 20_000 < int(left) < 31_000      # grpcio adds a little


def test_a_method_hears_that_the_client_has_cancelled(ends: Ends, pairing: Pairing) -> None:
    key = f"cancel {pairing}".encode()

    outcome = ends.call("Hold", key, cancel_after=1)

    assert (outcome.code, outcome.replies) == (Code.CANCELLED, (key,))
    assert ends.call("Ended", key).replies == (key,)


@pytest.mark.parametrize("path", [f"/{SERVICE}/Missing", "/missing.Service/Method"])
def test_an_unknown_method_is_unimplemented(ends: Ends, pairing: Pairing, path: str) -> None:
    [outcome] = ends.call_together([Call(path)])

    if pairing.server == GRPCLIB:       # its answer has no content type, and some clients say only that of it
        assert outcome.code in (Code.UNIMPLEMENTED, Code.UNKNOWN)
    else:
        assert outcome.code == Code.UNIMPLEMENTED


def test_many_calls_go_on_at_the_same_time(ends: Ends) -> None:
    methods = ["Unary", "BidiStream"] * 30
    calls = [Call(f"/{SERVICE}/{method}", (b"%d" % number,)) for number, method in enumerate(methods)]

    outcomes = ends.call_together(calls)

    assert [(outcome.code, outcome.replies) for outcome in outcomes] == [(Code.OK, call.requests) for call in calls]


def failing(code: Code, message: str) -> Pairs:
    return (("status", str(int(code))), ("status-message-bin", message.encode()))


def ordered(pairs: Pairs, name: str, got: Pairs) -> list[tuple[str, str | bytes]]:
    """Those of `pairs` with this name; the order of different keys is that in which they were got."""
    keys = list(dict.fromkeys(key for key, _ in got if key.removesuffix("-bin") == name))
    return [pair for key in keys for pair in pairs if pair[0] == key]
