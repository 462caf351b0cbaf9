"""Server reflection: what a plugin serves, told to tools such as grpcurl.

A service's description is a file descriptor. Code that protoc generated carries it; a servicer with hand-written
messages offers it as `__files__`. Nothing is collected, and protobuf not imported, before somebody asks. The service
itself is in `services.py`.
Source: grpc.reflection.v1 of the gRPC project, and v1alpha, which is the same under an older name.
"""
from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from .core.errors import RemoteProtocolError
from .core.protowire import BYTES, VARINT, bytes_field, fields, uint_field
from .core.status import Code

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor, FileDescriptor
    from google.protobuf.descriptor_pool import DescriptorPool

    from .plugin import Servicer

__all__ = ["Reflection"]

# The request's fields, which are those of one `oneof`,
_FILE_BY_FILENAME, _FILE_CONTAINING_SYMBOL, _FILE_CONTAINING_EXTENSION, _ALL_EXTENSION_NUMBERS, _LIST_SERVICES = (
    3, 4, 5, 6, 7
)
# and the response's.
_VALID_HOST, _ORIGINAL_REQUEST, _FILES, _EXTENSION_NUMBERS, _SERVICES, _ERROR = 1, 2, 4, 5, 6, 7


class Reflection:
    """Answers questions about `servicers`."""

    def __init__(self, servicers: Iterable[Servicer]) -> None:
        self._servicers = servicers

    def answer(self, request: bytes) -> bytes:
        """The ServerReflectionResponse to a ServerReflectionRequest, both on the wire.

        Raises RemoteProtocolError for bytes that are no request.
        """
        host, number, argument = b"", 0, b""
        for field, wire_type, value in fields(request):
            if (field, wire_type) == (1, BYTES):
                host = cast("bytes", value)
            elif wire_type == BYTES and _FILE_BY_FILENAME <= field <= _LIST_SERVICES:
                number, argument = field, cast("bytes", value)
        try:
            answer = self._answer(number, argument)
        except KeyError:
            answer = _error(Code.NOT_FOUND, f"not found: {argument.decode('utf-8', 'replace')}")
        return bytes_field(_VALID_HOST, host) + bytes_field(_ORIGINAL_REQUEST, request) + answer

    def _answer(self, number: int, argument: bytes) -> bytes:
        if number == _LIST_SERVICES:
            return bytes_field(_SERVICES, b"".join(map(_service, self._services)))
        if number == _FILE_CONTAINING_EXTENSION:
            return _files(_file_with_extension(self._pool, argument))
        name = _text(argument)
        if number == _FILE_BY_FILENAME:
            return _files(self._pool.FindFileByName(name))
        if number == _FILE_CONTAINING_SYMBOL:
            return _files(_file_with_symbol(self._pool, name))
        if number == _ALL_EXTENSION_NUMBERS:
            extensions = self._pool.FindAllExtensions(self._pool.FindMessageTypeByName(name))
            numbers = b"".join(uint_field(2, extension.number) for extension in extensions)
            return bytes_field(_EXTENSION_NUMBERS, bytes_field(1, argument) + numbers)
        return _error(Code.INVALID_ARGUMENT, "invalid MessageRequest: it asks for nothing")

    @cached_property
    def _services(self) -> list[str]:
        paths = (path for servicer in self._servicers for path in servicer.__mapping__())
        return sorted({_service_of(path) for path in paths})

    @cached_property
    def _pool(self) -> DescriptorPool:
        """All files, in a pool of their own: the process's may hold others under the same names."""
        from google.protobuf.descriptor_pb2 import FileDescriptorProto
        from google.protobuf.descriptor_pool import DescriptorPool

        pool = DescriptorPool()
        known: set[str] = set()
        for servicer in self._servicers:
            for data in _files_of(servicer):
                name = FileDescriptorProto.FromString(data).name
                if name not in known:
                    known.add(name)
                    pool.AddSerializedFile(data)
        return pool


def _files_of(servicer: Servicer) -> Iterator[bytes]:
    """The files that describe a servicer, those that others import first; some come more than once."""
    files: Callable[[], Iterable[bytes]] | None = getattr(servicer, "__files__", None)
    if files is not None:
        yield from files()
        return
    for path, method in servicer.__mapping__().items():
        descriptor: Descriptor | None = getattr(cast("Any", method).request_type, "DESCRIPTOR", None)
        if descriptor is None:
            continue        # a message of somebody's own, without a description
        file = descriptor.file
        yield from _with_imports(file)
        with contextlib.suppress(KeyError):     # a service and its messages may be defined in different files
            yield from _with_imports(file.pool.FindServiceByName(_service_of(path)).file)


def _with_imports(file: FileDescriptor) -> Iterator[bytes]:
    for imported in file.dependencies:
        yield from _with_imports(imported)
    yield file.serialized_pb


def _service_of(path: str) -> str:
    return path.lstrip("/").rpartition("/")[0]


def _files(file: FileDescriptor) -> bytes:
    """The answer that holds a file and all that it imports, the file itself first."""
    files = dict.fromkeys(reversed(list(_with_imports(file))))
    return bytes_field(_FILES, b"".join(bytes_field(1, data) for data in files))


def _file_with_symbol(pool: DescriptorPool, name: str) -> FileDescriptor:
    """The file that defines a name. Raises KeyError if there is none."""
    try:
        return pool.FindFileContainingSymbol(name)
    except KeyError:        # protobuf's look-up leaves out methods
        return pool.FindMethodByName(name).containing_service.file


def _file_with_extension(pool: DescriptorPool, argument: bytes) -> FileDescriptor:
    """The file with an extension. Raises KeyError if there is none."""
    containing_type, number = "", 0
    for field, wire_type, value in fields(argument):
        if (field, wire_type) == (1, BYTES):
            containing_type = _text(cast("bytes", value))
        elif (field, wire_type) == (2, VARINT):
            number = cast("int", value)
    extension = pool.FindExtensionByNumber(pool.FindMessageTypeByName(containing_type), number)
    return cast("FileDescriptor", cast("Any", extension).file)


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise RemoteProtocolError("protobuf: string field is not UTF-8") from None


def _service(name: str) -> bytes:
    return bytes_field(1, bytes_field(1, name.encode()))


def _error(code: Code, message: str) -> bytes:
    return bytes_field(_ERROR, uint_field(1, code) + bytes_field(2, message.encode()))
