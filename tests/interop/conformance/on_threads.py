"""Our blocking runtime in the conformance suite.

    python -m tests.interop.conformance.on_threads {serve SOCKET CERTIFICATE KEY | call}
"""
from __future__ import annotations

import socket
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from google.protobuf.wrappers_pb2 import BytesValue

from goplugin.core.errors import RemoteError
from goplugin.core.status import Code
from goplugin.plugin import Method, Streams
from goplugin.sync.channel import Channel, channel_to
from goplugin.sync.server import serve_on

from .program import (
    PATIENCE,
    SERVICE,
    STREAMS,
    Call,
    Outcome,
    Script,
    client_context,
    obey,
    server_context,
    texts_of,
    wait_for_eof,
)

# --- the server --------------------------------------------------------------------------------------------------


class Probe:
    def __init__(self) -> None:
        self._over: dict[bytes, threading.Event] = defaultdict(threading.Event)

    def __mapping__(self) -> dict[str, Method]:
        unary = {"Unary": self.unary, "Wait": self.wait, "Ended": self.ended, "Remaining": self.remaining}
        streams = {"ServerStream": self.server_stream, "BidiStream": self.bidi_stream, "Hold": self.hold}
        functions: dict[str, Any] = {name: answering_with_one(method) for name, method in unary.items()}
        functions["ClientStream"] = answering_with_one(self.client_stream)
        functions.update((name, answering_with_many(method)) for name, method in streams.items())
        return {
            f"/{SERVICE}/{name}": Method(function, Streams(*STREAMS.get(name, ())), BytesValue, BytesValue)
            for name, function in functions.items()
        }

    def unary(self, request: Any, context: Any) -> bytes:
        return request.value

    def wait(self, request: Any, context: Any) -> bytes:
        context.wait_cancelled()
        return b""

    def ended(self, request: Any, context: Any) -> bytes:
        if not self._over[request.value].wait(PATIENCE):
            raise RemoteError(Code.FAILED_PRECONDITION, "it goes on")
        return request.value

    def remaining(self, request: Any, context: Any) -> bytes:
        return b"%d" % (context.time_remaining() * 1000)

    def client_stream(self, requests: Iterator[Any], context: Any) -> bytes:
        return b"".join(request.value for request in requests)

    def server_stream(self, request: Any, context: Any) -> Iterator[bytes]:
        yield from request.value.split(b"\n")

    def bidi_stream(self, requests: Iterator[Any], context: Any) -> Iterator[bytes]:
        for request in requests:
            yield request.value

    def hold(self, request: Any, context: Any) -> Iterator[bytes]:
        try:
            yield request.value
            context.wait_cancelled()
        finally:
            self._over[request.value].set()


def answering_with_one(method: Callable[..., bytes]) -> Callable[..., BytesValue]:
    def answer(request: Any, context: Any) -> BytesValue:
        script = begin(context)
        reply = method(request, context)
        end(script)
        return BytesValue(value=reply)

    return answer


def answering_with_many(method: Callable[..., Iterator[bytes]]) -> Callable[..., Iterator[BytesValue]]:
    def answer(request: Any, context: Any) -> Iterator[BytesValue]:
        script = begin(context)
        for reply in method(request, context):
            yield BytesValue(value=reply)
        end(script)

    return answer


def begin(context: Any) -> Script:
    script = Script.of(context.invocation_metadata)
    if script.initial:
        context.send_initial_metadata(script.initial)
    context.set_trailing_metadata(script.trailing)
    return script


def end(script: Script) -> None:
    if script.code:
        raise RemoteError(Code(script.code), script.message, tuple(script.details))


def serve(path: str, certificate: str, key: str) -> None:
    probe = Probe()
    with socket.socket(socket.AF_UNIX) as plain, socket.create_server(("127.0.0.1", 0)) as secure:
        plain.bind(path)
        plain.listen()
        servers = serve_on(plain, [probe]), serve_on(secure, [probe], tls=server_context(certificate, key))
        print(secure.getsockname()[1], flush=True)
        wait_for_eof()
        for server in servers:
            server.stop(1.0)


# --- the client --------------------------------------------------------------------------------------------------


def connect(target: str, certificate: str) -> Callable[[list[Call]], list[Outcome]]:
    if certificate:
        channel = channel_to("tcp", target, tls=client_context(certificate))
    else:
        channel = channel_to("unix", target.removeprefix("unix:"))

    def make_calls(calls: list[Call]) -> list[Outcome]:
        with ThreadPoolExecutor(len(calls)) as threads:
            return list(threads.map(lambda call: make_call(channel, call), calls))

    return make_calls


def make_call(channel: Channel, call: Call) -> Outcome:
    requests = [message.SerializeToString() for message in call.messages]
    if call.streams == (False, False):
        try:
            answer = channel.unary(call.path, requests[0], metadata=call.metadata, timeout=call.timeout)
        except RemoteError as error:
            return Outcome(code=error.code, message=error.message, details=texts_of(error.details))
        return Outcome((BytesValue.FromString(answer.message).value,), answer.metadata, answer.status.metadata)
    replies: list[bytes] = []
    failure: RemoteError | None = None
    with channel.open(call.path, metadata=call.metadata, timeout=call.timeout) as stream:
        try:
            for reply in converse(stream, call, requests):
                replies.append(BytesValue.FromString(reply).value)
                if len(replies) == call.cancel_after:
                    stream.cancel()
        except RemoteError as error:
            failure = error
        if stream.status is None:       # the call ended at this end only
            return Outcome(tuple(replies), code=failure.code if failure else 0)
        result = Outcome(tuple(replies), stream.initial_metadata(), stream.status.metadata)
    if failure is not None:
        result = result._replace(code=failure.code, message=failure.message, details=texts_of(failure.details))
    return result


def converse(stream: Any, call: Call, requests: list[bytes]) -> Iterator[bytes]:
    for request in requests:
        if not stream.send(request):
            break
        if call.streams == (True, True):
            reply = stream.receive()
            if reply is None:
                return
            yield reply
    stream.end()
    yield from stream


def main(role: str, *arguments: str) -> None:
    if role == "serve":
        serve(*arguments)
    else:
        obey(connect)


if __name__ == "__main__":
    main(*sys.argv[1:])
