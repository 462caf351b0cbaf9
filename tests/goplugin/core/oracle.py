"""protobuf's own runtime, to hold the hand-written messages against.

A schema is a small table: message name (`Outer.Inner` for a nested one) to its fields as a .proto file writes them.
Every schema gets a pool of its own, so that no test can meet another's descriptors.
"""
from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import Message

Schema = Mapping[str, Sequence[str]]

FIELD = re.compile(r"(repeated )?([\w.]+) (\w+) = (\d+)")
SCALARS = {
    "bool": descriptor_pb2.FieldDescriptorProto.TYPE_BOOL,
    "bytes": descriptor_pb2.FieldDescriptorProto.TYPE_BYTES,
    "double": descriptor_pb2.FieldDescriptorProto.TYPE_DOUBLE,
    "fixed32": descriptor_pb2.FieldDescriptorProto.TYPE_FIXED32,
    "fixed64": descriptor_pb2.FieldDescriptorProto.TYPE_FIXED64,
    "string": descriptor_pb2.FieldDescriptorProto.TYPE_STRING,
    "uint32": descriptor_pb2.FieldDescriptorProto.TYPE_UINT32,
    "uint64": descriptor_pb2.FieldDescriptorProto.TYPE_UINT64,
}

PLUGIN: Schema = {
    "ConnInfo": ["uint32 service_id = 1", "string network = 2", "string address = 3", "Knock knock = 4"],
    "ConnInfo.Knock": ["bool knock = 1", "bool ack = 2", "string error = 3"],
    "Empty": [],
    "StdioData": ["Channel channel = 1", "bytes data = 2"],
}
PLUGIN_ENUMS = {"StdioData.Channel": {"INVALID": 0, "STDOUT": 1, "STDERR": 2}}

INFO: Schema = {"GetRequest": [], "GetResponse": ["string version = 1"]}

HEALTH: Schema = {
    "HealthCheckRequest": ["string service = 1"],
    "HealthCheckResponse": ["ServingStatus status = 1"],
}
HEALTH_ENUMS = {
    "HealthCheckResponse.ServingStatus": {"UNKNOWN": 0, "SERVING": 1, "NOT_SERVING": 2, "SERVICE_UNKNOWN": 3}
}


def message_types(
    package: str,
    schema: Schema,
    *,
    enums: Mapping[str, Mapping[str, int]] | None = None,
    imports: Sequence[ModuleType] = (),
) -> dict[str, type[Message]]:
    """protobuf's classes for the messages of `schema`, by the schema's names.

    A field's type is a scalar's name or, by protobuf's own scope rules, that of a message or enum in the schema, in
    `enums` or in `imports`: generated modules such as `google.protobuf.struct_pb2`.
    """
    pool = descriptor_pool.DescriptorPool()
    file = descriptor_pb2.FileDescriptorProto(name=f"{package}.proto", package=package, syntax="proto3")
    for module in imports:
        pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
        file.dependency.append(module.DESCRIPTOR.name)
    messages: dict[str, Any] = {}
    for name, fields in schema.items():
        outer, _, inner = name.rpartition(".")
        messages[name] = messages[outer].nested_type.add(name=inner) if outer else file.message_type.add(name=inner)
        for field in fields:
            add_field(messages[name], field)
    for name, values in (enums or {}).items():
        outer, _, inner = name.rpartition(".")
        enum = messages[outer].enum_type.add(name=inner) if outer else file.enum_type.add(name=inner)
        for label, number in values.items():
            enum.value.add(name=label, number=number)
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}")) for name in schema
    }


def add_field(message: Any, text: str) -> None:
    match = FIELD.fullmatch(text)
    assert match is not None, text
    repeated, kind, name, number = match.groups()
    field = message.field.add(name=name, number=int(number))
    field.label = field.LABEL_REPEATED if repeated else field.LABEL_OPTIONAL
    if kind in SCALARS:
        field.type = SCALARS[kind]
    else:
        field.type_name = kind


def canonical(kind: type[Message], data: bytes) -> bytes:
    """`data` as protobuf reads it and writes it again, without the fields that `kind` does not know.

    Raises google.protobuf.message.DecodeError.
    """
    message = kind.FromString(data)
    message.DiscardUnknownFields()
    return message.SerializeToString(deterministic=True)
