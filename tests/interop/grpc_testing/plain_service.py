"""The service with plain methods."""
from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from goplugin.core.errors import RemoteError
from goplugin.core.status import Code

from . import INITIAL_KEY, TRAILING_KEY, testing_grpc
from .testing_pb2 import Empty, Payload, SimpleResponse, StreamingInputCallResponse, StreamingOutputCallResponse

__all__ = ["PlainService"]


class PlainService(testing_grpc.TestServiceBase):  # type: ignore[misc]
    def __mapping__(self) -> dict[str, Any]:
        handlers = super().__mapping__()
        del handlers["/grpc.testing.TestService/UnimplementedCall"]
        return handlers

    def EmptyCall(self, request: Any, context: Any) -> Any:
        return Empty()

    def UnaryCall(self, request: Any, context: Any) -> Any:
        echo_metadata(context)
        check(request)
        return SimpleResponse(payload=Payload(body=bytes(request.response_size)))

    def StreamingInputCall(self, requests: Iterator[Any], context: Any) -> Any:
        size = sum(len(request.payload.body) for request in requests)
        return StreamingInputCallResponse(aggregated_payload_size=size)

    def StreamingOutputCall(self, request: Any, context: Any) -> Iterator[Any]:
        for parameters in request.response_parameters:
            time.sleep(parameters.interval_us / 1e6)
            yield StreamingOutputCallResponse(payload=Payload(body=bytes(parameters.size)))

    def FullDuplexCall(self, requests: Iterator[Any], context: Any) -> Iterator[Any]:
        echo_metadata(context)
        for request in requests:
            check(request)
            yield from self.StreamingOutputCall(request, context)

    def UnimplementedCall(self, request: Any, context: Any) -> Any:
        raise AssertionError("it is not served")


def echo_metadata(context: Any) -> None:
    if INITIAL_KEY in context.metadata:
        context.send_initial_metadata([(INITIAL_KEY, context.metadata[INITIAL_KEY])])
    if TRAILING_KEY in context.metadata:
        context.set_trailing_metadata([(TRAILING_KEY, context.metadata[TRAILING_KEY])])


def check(request: Any) -> None:
    """Raise the status that a request asks for."""
    if request.response_status.code:
        raise RemoteError(Code(request.response_status.code), request.response_status.message)
