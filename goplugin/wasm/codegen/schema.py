"""What the generator reads of a .proto file: its annotated services, checked.

Source: knqyf263/go-plugin gen/main.go; what it does not check but cannot work either is refused here as well.
"""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from google.protobuf.descriptor_pb2 import FileDescriptorProto, MethodDescriptorProto, ServiceDescriptorProto

from ..abi import export_name, host_import_name, version_export
from .annotations import HOST, PLUGIN, Annotation, documentation, read_annotation
from .errors import CodegenError

__all__ = ["Comments", "Method", "Service", "comments_of", "read_services"]

Comments = Mapping[tuple[int, ...], str]
"""The comment in front of an element, by the element's path in the file (SourceCodeInfo.Location.path)."""

_SERVICE, _METHOD = (FileDescriptorProto.SERVICE_FIELD_NUMBER, ServiceDescriptorProto.METHOD_FIELD_NUMBER)


class Method(NamedTuple):
    """`request` and `response` are full names of messages; `function` is what the plugin exports or imports."""

    name: str
    request: str
    response: str
    function: str
    doc: str


class Service(NamedTuple):
    name: str
    annotation: Annotation
    methods: tuple[Method, ...]
    doc: str


def comments_of(file: FileDescriptorProto) -> Comments:
    """The comments of a file from protoc, which leaves them out unless it is asked for code."""
    return {tuple(each.path): each.leading_comments for each in file.source_code_info.location}


def read_services(file: FileDescriptorProto) -> list[Service]:
    """The annotated services of a file. Raises CodegenError for what cannot be generated."""
    if file.extension:
        raise CodegenError("extensions not supported")
    comments = comments_of(file)
    services: list[Service] = []
    for index, service in enumerate(file.service):
        with_comments = {path[2:]: text for path, text in comments.items() if path[:2] == (_SERVICE, index)}
        found = _read_service(service, with_comments)
        if found is not None:
            services.append(found)
    _check_names(services)
    return services


def _read_service(service: ServiceDescriptorProto, comments: Comments) -> Service | None:
    comment = comments.get((), "")
    try:
        annotation = read_annotation(comment)
    except CodegenError as error:
        raise CodegenError(f"{service.name}: {error}") from error
    if annotation is None:
        return None
    methods = tuple(
        _read_method(service.name, annotation.kind, method, comments.get((_METHOD, index), ""))
        for index, method in enumerate(service.method)
    )
    return Service(service.name, annotation, methods, documentation(comment))


def _read_method(service: str, kind: str, method: MethodDescriptorProto, comment: str) -> Method:
    if method.client_streaming or method.server_streaming:
        raise CodegenError(f"{service}.{method.name}: a stream cannot cross into WebAssembly; one message each way can")
    function = export_name(service, method.name) if kind == PLUGIN else host_import_name(method.name)
    return Method(
        method.name,
        method.input_type.removeprefix("."),
        method.output_type.removeprefix("."),
        function,
        documentation(comment),
    )


def _check_names(services: Iterable[Service]) -> None:
    """Raise CodegenError if two functions would have one name in a module, or more than one service is the host's."""
    seen: dict[str, str] = {}
    host = ""
    for service in services:
        names = {f"{service.name}.{method.name}": method.function for method in service.methods}
        if service.annotation.kind == HOST:
            if host:
                raise CodegenError(f"type=host can be defined only once, and {host} has it as well as {service.name}")
            host = service.name
            where, users = "import", dict[str, str]()
        else:
            where, users = "export", seen
            names[f"the version of {service.name}"] = version_export(service.name)
        for user, name in names.items():
            if name in users:
                raise CodegenError(f"{users[name]} and {user} have one name in a module: both {where} {name}")
            users[name] = user
