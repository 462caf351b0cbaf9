"""How errors of a plugin's methods reach its host; what else they may do is in test_plain.py and ../test_grpc.py."""
from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError

from goplugin.aio.plugin_server import DetailsCodec, serve_on
from goplugin.core.environ import PluginEnvironment
from goplugin.core.errors import RemoteError
from goplugin.core.status import Code
from goplugin.grpc import Channel, channel_to, unary_unary
from goplugin.plugin import Method, Streams
from goplugin.transport import listen

from ..harness import asynchronous
from .support import UNARY, Note


class Failing:
    """One method, in either form, that raises this."""

    def __init__(self, error: Exception, is_plain: bool) -> None:
        self._error = error
        self._method = self.plain if is_plain else self.coroutine

    def __mapping__(self) -> dict[str, Method]:
        return {UNARY: Method(self._method, Streams(), Note, Note)}

    def plain(self, request: Note, context: object) -> Note:
        raise self._error

    async def coroutine(self, stream: Any) -> None:
        raise self._error


@contextlib.asynccontextmanager
async def serving(servicer: Failing) -> AsyncIterator[Channel]:
    with listen(PluginEnvironment()) as listener:
        server = await serve_on(listener.socket, [servicer])
        channel = channel_to(listener.network, listener.address)
        try:
            yield channel
        finally:
            channel.close()
            await server.end(1.0)


async def failure(error: Exception, is_plain: bool) -> RemoteError:
    """What a host sees of it."""
    async with serving(Failing(error, is_plain)) as channel:
        with pytest.raises(RemoteError) as raised:
            await unary_unary(channel, UNARY, Note(), Note)
    return raised.value


KINDS = pytest.mark.parametrize("is_plain", [True, False], ids=["plain", "async"])


@KINDS
@asynchronous
async def test_details_travel_with_an_error(is_plain: bool) -> None:
    details = (Note(text="one"), Note(data=b"\0"))

    raised = await failure(RemoteError(Code.FAILED_PRECONDITION, "not yet", details), is_plain)

    assert (raised.code, raised.message, raised.details) == (Code.FAILED_PRECONDITION, "not yet", details)


@KINDS
@asynchronous
async def test_details_that_are_no_messages_leave_the_error_as_it_is(is_plain: bool) -> None:
    raised = await failure(RemoteError(Code.ABORTED, "again", ("text",)), is_plain)

    assert (raised.code, raised.details) == (Code.ABORTED, ())
    assert raised.message.startswith("again (its details cannot be sent: ")


@KINDS
@asynchronous
async def test_an_error_of_grpclib_stays_what_it_is(is_plain: bool) -> None:
    raised = await failure(GRPCError(Status.ABORTED, "again", [Note(text="one")]), is_plain)

    assert (raised.code, raised.message, raised.details) == (Code.ABORTED, "again", (Note(text="one"),))


def test_details_that_are_not_understood_are_none() -> None:
    assert DetailsCodec().decode(Status.ABORTED, "again", b"\xff") == ()
