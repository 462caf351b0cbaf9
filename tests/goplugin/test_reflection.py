"""What reflection says, read back with grpclib's messages and protobuf's own runtime."""
from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from google.protobuf import struct_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpclib.reflection.v1.reflection_pb2 import ServerReflectionRequest, ServerReflectionResponse
from hypothesis import given
from hypothesis import strategies as st

from goplugin.core.errors import RemoteError, RemoteProtocolError
from goplugin.core.status import Code
from goplugin.plugin import Method, Streams
from goplugin.reflection import Reflection
from goplugin.services import Raw, ReflectionService


class Generated:
    """A service whose messages protoc generated."""

    def __mapping__(self) -> dict[str, Method]:
        return {"/example.Lists/Reverse": Method(self.reverse, Streams(), struct_pb2.ListValue, struct_pb2.ListValue)}

    def reverse(self, request: struct_pb2.ListValue, context: object) -> struct_pb2.ListValue:
        return struct_pb2.ListValue(values=reversed(request.values))


class Undescribed:
    """A service with messages of its own."""

    def __mapping__(self) -> dict[str, Method]:
        return {"/example.Raw/Echo": Method(self.echo, Streams(), Raw, Raw)}

    def echo(self, request: Raw, context: object) -> Raw:
        return request


def ask(servicers: Iterable[Any], **question: Any) -> ServerReflectionResponse:
    request = ServerReflectionRequest(host="localhost", **question)
    response = ServerReflectionResponse.FromString(Reflection(servicers).answer(request.SerializeToString()))
    assert response.valid_host == "localhost"
    assert response.original_request == request
    return response


def file_names(response: ServerReflectionResponse) -> list[str]:
    files = response.file_descriptor_response.file_descriptor_proto
    return [FileDescriptorProto.FromString(data).name for data in files]


def test_every_service_is_listed_in_order() -> None:
    response = ask([Undescribed(), ReflectionService([]), Generated()], list_services="*")

    assert [service.name for service in response.list_services_response.service] == [
        "example.Lists",
        "example.Raw",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
    ]


@pytest.mark.parametrize(
    "symbol", ["google.protobuf.ListValue", "google.protobuf.Struct.fields", "google.protobuf.NullValue"]
)
def test_the_file_of_a_generated_message_is_found_by_any_symbol_in_it(symbol: str) -> None:
    assert file_names(ask([Generated()], file_containing_symbol=symbol)) == ["google/protobuf/struct.proto"]


@pytest.mark.parametrize(
    "symbol", ["plugin.GRPCStdio", "plugin.GRPCStdio.StreamStdio", "plugin.StdioData", "plugin.StdioData.Channel"]
)
def test_our_own_services_are_described_with_what_they_import(symbol: str) -> None:
    response = ask([ReflectionService([])], file_containing_symbol=symbol)

    assert file_names(response) == ["grpc_stdio.proto", "google/protobuf/empty.proto"]


def test_a_file_is_found_by_its_name() -> None:
    response = ask([ReflectionService([])], file_by_filename="grpc/health/v1/health.proto")

    assert file_names(response) == ["grpc/health/v1/health.proto"]


def test_a_message_without_extensions_has_none() -> None:
    response = ask([Generated()], all_extension_numbers_of_type="google.protobuf.Struct")

    assert response.all_extension_numbers_response.base_type_name == "google.protobuf.Struct"
    assert list(response.all_extension_numbers_response.extension_number) == []


@pytest.mark.parametrize(
    "question",
    [
        {"file_by_filename": "none.proto"},
        {"file_containing_symbol": "example.Raw"},
        {"all_extension_numbers_of_type": "none.Message"},
        {"file_containing_extension": {"containing_type": "google.protobuf.Struct", "extension_number": 1}},
        {"file_containing_extension": {"containing_type": "none.Message", "extension_number": 1}},
    ],
)
def test_what_is_not_there_is_not_found(question: dict[str, Any]) -> None:
    response = ask([Undescribed(), Generated()], **question)

    assert response.error_response.error_code == Code.NOT_FOUND
    assert "not found: " in response.error_response.error_message


def test_a_request_that_asks_nothing_is_refused() -> None:
    assert ask([]).error_response.error_code == Code.INVALID_ARGUMENT


def test_the_service_answers_question_by_question() -> None:
    service = ReflectionService([Generated()])
    requests = [Raw(ServerReflectionRequest(list_services=name).SerializeToString()) for name in ("1", "2")]

    answers = [ServerReflectionResponse.FromString(answer) for answer in service.server_reflection_info(requests, None)]

    assert [answer.original_request.list_services for answer in answers] == ["1", "2"]


def test_bytes_that_are_no_request_end_the_call() -> None:
    with pytest.raises(RemoteError) as caught:
        list(ReflectionService([]).server_reflection_info([Raw(b"\xff")], None))

    assert caught.value.code is Code.INVALID_ARGUMENT


@given(st.binary())
def test_any_bytes_get_an_answer_or_a_protocol_error(data: bytes) -> None:
    try:
        answer = Reflection([Generated()]).answer(data)
    except RemoteProtocolError:
        return
    assert ServerReflectionResponse.FromString(answer).WhichOneof("message_response") is not None
