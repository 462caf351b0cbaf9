"""grpcio, gRPC's own implementation for Python, in the conformance suite.

    python -m tests.interop.conformance.on_grpcio {serve SOCKET CERTIFICATE KEY | call}
"""
from __future__ import annotations

import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.wrappers_pb2 import BytesValue

from goplugin.details import decode_details, encode_details

from .program import PATIENCE, SERVICE, Call, Outcome, Script, obey, texts_of, wait_for_eof

_DETAILS = "grpc-status-details-bin"
_OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
_CODES = {code.value[0]: code for code in grpc.StatusCode}
_THREADS = 200
_DECODE, _ENCODE = BytesValue.FromString, BytesValue.SerializeToString

# --- the server --------------------------------------------------------------------------------------------------


class Probe:
    def __init__(self) -> None:
        self._over: dict[bytes, threading.Event] = defaultdict(threading.Event)

    def handlers(self) -> Any:
        unary = {"Unary": self.unary, "Wait": self.wait, "Ended": self.ended, "Remaining": self.remaining}
        return grpc.method_handlers_generic_handler(SERVICE, {
            **{
                name: grpc.unary_unary_rpc_method_handler(answering_with_one(method), _DECODE, _ENCODE)
                for name, method in unary.items()
            },
            "ClientStream": grpc.stream_unary_rpc_method_handler(
                answering_with_one(self.client_stream), _DECODE, _ENCODE
            ),
            "ServerStream": grpc.unary_stream_rpc_method_handler(
                answering_with_many(self.server_stream), _DECODE, _ENCODE
            ),
            "Hold": grpc.unary_stream_rpc_method_handler(answering_with_many(self.hold), _DECODE, _ENCODE),
            "BidiStream": grpc.stream_stream_rpc_method_handler(
                answering_with_many(self.bidi_stream), _DECODE, _ENCODE
            ),
        })  # fmt: skip

    def unary(self, request: Any, context: Any) -> bytes:
        return request.value

    def wait(self, request: Any, context: Any) -> bytes:
        wait_for_end(context)
        return b""

    def ended(self, request: Any, context: Any) -> bytes:
        if not self._over[request.value].wait(PATIENCE):
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, "it goes on")
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
            wait_for_end(context)
        finally:
            self._over[request.value].set()


def wait_for_end(context: Any) -> None:
    ended = threading.Event()
    if context.add_callback(ended.set):
        ended.wait()


def answering_with_one(method: Callable[..., bytes]) -> Callable[..., BytesValue]:
    def answer(request: Any, context: Any) -> BytesValue:
        script = begin(context)
        reply = method(request, context)
        end(script, context)
        return BytesValue(value=reply)

    return answer


def answering_with_many(method: Callable[..., Iterator[bytes]]) -> Callable[..., Iterator[BytesValue]]:
    def answer(request: Any, context: Any) -> Iterator[BytesValue]:
        script = begin(context)
        for reply in method(request, context):
            yield BytesValue(value=reply)
        end(script, context)

    return answer


def begin(context: Any) -> Script:
    script = Script.of(context.invocation_metadata())
    if script.initial:
        context.send_initial_metadata(script.initial)
    context.set_trailing_metadata(script.trailing)
    return script


def end(script: Script, context: Any) -> None:
    if script.code:
        if script.details:
            details = encode_details(script.code, script.message, script.details)
            context.set_trailing_metadata((*script.trailing, (_DETAILS, details)))
        context.abort(_CODES[script.code], script.message)


def serve(path: str, certificate: str, key: str) -> None:
    server = grpc.server(ThreadPoolExecutor(_THREADS), [Probe().handlers()], options=_OPTIONS)
    server.add_insecure_port(f"unix:{path}")
    pair = Path(key).read_bytes(), Path(certificate).read_bytes()
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))
    server.start()
    print(port, flush=True)
    wait_for_eof()
    server.stop(None).wait()


# --- the client --------------------------------------------------------------------------------------------------


def connect(target: str, certificate: str) -> Callable[[list[Call]], list[Outcome]]:
    if certificate:
        security = grpc.ssl_channel_credentials(Path(certificate).read_bytes())
        channel = grpc.secure_channel(target, security, [*_OPTIONS, ("grpc.ssl_target_name_override", "localhost")])
    else:
        channel = grpc.insecure_channel(target, _OPTIONS)

    def make_calls(calls: list[Call]) -> list[Outcome]:
        with ThreadPoolExecutor(len(calls)) as threads:
            return list(threads.map(lambda call: make_call(channel, call), calls))

    return make_calls


def make_call(channel: Any, call: Call) -> Outcome:
    kinds = {
        (False, False): channel.unary_unary, (False, True): channel.unary_stream,
        (True, False): channel.stream_unary, (True, True): channel.stream_stream,
    }  # fmt: skip
    streams_requests, streams_replies = call.streams
    method = kinds[call.streams](call.path, _ENCODE, _DECODE)
    turns = threading.Semaphore(1)      # of a bidirectional stream

    def requests() -> Iterator[BytesValue]:
        for message in call.messages:
            if streams_replies:
                turns.acquire()
            yield message

    argument = requests() if streams_requests else call.messages[0]
    begin = method if streams_replies else method.future
    under_way = begin(argument, timeout=call.timeout, metadata=call.metadata)
    replies: list[bytes] = []
    try:
        for reply in under_way if streams_replies else [under_way.result()]:
            replies.append(reply.value)
            turns.release()
            if len(replies) == call.cancel_after:
                under_way.cancel()
    except (grpc.RpcError, grpc.FutureCancelledError):
        turns.release(len(call.requests) + 1)
    initial, trailing = under_way.initial_metadata(), under_way.trailing_metadata()
    details = dict(trailing or ()).get(_DETAILS, b"")
    return Outcome(
        tuple(replies),
        tuple(map(tuple, initial or ())),
        tuple(map(tuple, trailing or ())),
        under_way.code().value[0],
        under_way.details() or "",
        texts_of(decode_details(details)),
    )


def main(role: str, *arguments: str) -> None:
    if role == "serve":
        serve(*arguments)
    else:
        obey(connect)


if __name__ == "__main__":
    main(*sys.argv[1:])
