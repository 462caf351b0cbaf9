"""The service that channels are tried on, with plain methods; `grpclib_server` has the same with coroutines."""
from __future__ import annotations

from typing import Any

from goplugin.core.errors import RemoteError
from goplugin.core.status import Code

from .support import Note, Probe

__all__ = ["echo_service"]


def echo_service() -> Probe:
    return Probe(unary, server_stream, client_stream, bidi_stream)


def unary(request: Any, context: Any) -> Any:
    """`fail CODE text`, `wait` for the end of the call, `metadata` back, or else an echo."""
    verb, _, rest = request.text.partition(" ")
    if verb == "fail":
        code, _, text = rest.partition(" ")
        raise RemoteError(Code[code], text)
    if verb == "wait":
        wait(context)
    if verb == "metadata":
        context.send_initial_metadata([("first", context.metadata["key"]), ("raw-bin", b"\0\xff")])
        context.set_trailing_metadata([("last", context.metadata["key"])])
    return request


def server_stream(request: Any, context: Any) -> Any:
    """`N`: as many messages; `N wait`: and then none; `N fail`: and then an error."""
    count, _, then = request.text.partition(" ")
    for number in range(int(count)):
        yield Note(text=str(number))
    if then == "wait":
        wait(context)
    if then == "fail":
        raise RemoteError(Code.DATA_LOSS, "no more")


def client_stream(requests: Any, context: Any) -> Any:
    """All texts together."""
    return Note(text="".join(note.text for note in requests))


def bidi_stream(requests: Any, context: Any) -> Any:
    """Each as it comes."""
    yield from requests


def wait(context: Any) -> None:
    context.wait_cancelled()
    if context.time_remaining() == 0:
        raise RemoteError(Code.DEADLINE_EXCEEDED, "context deadline exceeded")
    raise RemoteError(Code.CANCELLED, "context canceled")
