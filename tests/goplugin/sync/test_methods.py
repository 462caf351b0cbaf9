from __future__ import annotations

import functools
import logging
from typing import Any

import pytest
from grpclib.const import Cardinality, Handler

from goplugin.context import CallContext
from goplugin.core.errors import ConfigError, LocalProtocolError, PluginLostError, RemoteError
from goplugin.core.http2 import Status
from goplugin.core.status import Code
from goplugin.sync.methods import Method, Methods, as_status

from .echo_service import echo_service
from .support import BIDI_STREAM, CLIENT_STREAM, SERVER_STREAM, UNARY, Note, Probe

CONTEXT = CallContext()


def method(function: Any, cardinality: Cardinality = Cardinality.UNARY_UNARY) -> Method:
    return Method("/a.B/C", Handler(function, cardinality, Note, Note))


def test_a_method_is_called_with_request_and_context() -> None:
    seen = list[Any]()
    answer = method(lambda request, context: seen.append(context) or request).answer(b"\n\1a", CONTEXT)

    assert answer == b"\n\1a"
    assert seen == [CONTEXT]


def test_a_method_may_be_any_callable() -> None:
    def function(prefix: str, request: Any, context: Any) -> Any:
        return Note(text=prefix + request.text)

    assert method(functools.partial(function, "a")).answer(b"", CONTEXT) == b"\n\1a"


@pytest.mark.parametrize("cardinality", Cardinality)
def test_which_methods_have_streams(cardinality: Cardinality) -> None:
    made = method(lambda request, context: request, cardinality)

    assert (made.client_streams, made.server_streams) == cardinality.value
    assert made.inline == (cardinality is Cardinality.UNARY_UNARY)


def test_coroutine_functions_are_refused() -> None:
    async def coroutine(request: Any, context: Any) -> Any:
        return request

    async def generator(request: Any, context: Any) -> Any:
        yield request

    for function in (coroutine, generator):
        with pytest.raises(ConfigError, match="C is asynchronous: the blocking runtime serves plain methods only"):
            method(function)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ValueError("no good"), Status(Code.UNKNOWN, "no good")),
        (KeyboardInterrupt(), Status(Code.UNKNOWN, "")),
        (RemoteError(Code.NOT_FOUND, "no such key"), Status(Code.NOT_FOUND, "no such key")),
        (PluginLostError("gone"), Status(Code.UNAVAILABLE, "gone")),
        (LocalProtocolError("too soon"), Status(Code.UNKNOWN, "too soon")),
    ],
)
def test_what_a_method_raises_is_the_status(error: BaseException, status: Status) -> None:
    def fail(request: Any, context: Any) -> Any:
        raise error

    assert method(fail).answer(b"", CONTEXT) == status
    assert as_status("/a.B/C", error) == status


def test_a_failure_of_the_author_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "goplugin.server"):
        as_status("/a.B/C", ValueError("no good"))
        as_status("/a.B/C", RemoteError(Code.NOT_FOUND, "an answer like any other"))

    (record,) = caplog.records
    assert record.getMessage() == "/a.B/C failed"
    assert record.exc_info is not None


def test_a_request_that_is_no_message() -> None:
    made = method(lambda request, context: request)
    answer = made.answer(b"\xff", CONTEXT)

    assert isinstance(answer, Status)
    assert answer.code is Code.INTERNAL
    assert answer.message.startswith("grpc: error unmarshalling request: ")
    with pytest.raises(RemoteError) as caught:
        made.request(b"\xff")
    assert (caught.value.code, caught.value.message) == (answer.code, answer.message)


def test_the_methods_of_all_services_by_path() -> None:
    methods = Methods([echo_service()])

    assert set(methods) == {UNARY, SERVER_STREAM, CLIENT_STREAM, BIDI_STREAM}
    assert methods.unary_paths == {UNARY, SERVER_STREAM}


def test_of_two_methods_with_one_path_the_later_wins() -> None:
    methods = Methods([Probe(), Probe(lambda request, context: Note(text="later"))])

    assert methods[UNARY].answer(b"", CONTEXT) == Note(text="later").SerializeToString()


def test_an_unknown_path_is_refused_in_gos_words() -> None:
    methods = Methods([echo_service()])

    assert methods.unknown("/goplugin.tests.aio.Probe/Other").message == (
        "unknown method Other for service goplugin.tests.aio.Probe"
    )
    assert methods.unknown("/goplugin.tests.aio/Probe").message == "unknown service goplugin.tests.aio"
    assert methods.unknown("/").code is Code.UNIMPLEMENTED
