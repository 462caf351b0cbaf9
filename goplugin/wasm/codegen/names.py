"""The Python names of what .proto files define."""
from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Iterator

from google.protobuf.descriptor_pb2 import DescriptorProto, EnumDescriptorProto, FileDescriptorProto

from .errors import CodegenError

__all__ = ["Names", "check_names", "docstring", "file_stem", "module_name", "python_name"]


def file_stem(proto: str) -> str:
    """The path of generated files without their ending: `pkg/my-file.v1.proto` is ``pkg/my_file/v1``, as in protoc."""
    return proto.removesuffix(".proto").replace("-", "_").replace(".", "/")


def module_name(proto: str, ending: str = "_pb2") -> str:
    """The module that is generated from a file, seen from the directory that protoc writes to."""
    return file_stem(proto).replace("/", ".") + ending


def python_name(name: str, reserved: Iterable[str] = ()) -> str:
    """`name`, with an underscore behind it where Python or a base class has taken it."""
    return f"{name}_" if keyword.iskeyword(name) or name in reserved else name


def check_names(file: FileDescriptorProto) -> None:
    """Raise CodegenError for a file, an import, a message or an enum that generated code could not name."""
    for each in (file.name, *file.dependency):
        if not all(_is_name(part) for part in module_name(each).split(".")):
            raise CodegenError(f"no Python code could import {module_name(each)}: {each} needs another name")
    for name in _types(file):
        if not all(map(_is_name, name.split("."))):
            raise CodegenError(f"no Python class can be called {name}: it is a keyword")


def _is_name(text: str) -> bool:
    return text.isidentifier() and not keyword.iskeyword(text)


def docstring(text: str, indent: str) -> str:
    """A docstring with `text`, indented."""
    text = re.sub(r'"(?="|\Z)', r'\\"', text.replace("\\", "\\\\"))
    lines = text.splitlines()
    if len(lines) == 1:
        return f'{indent}"""{text}"""'
    return "\n".join([f'{indent}"""{lines[0]}', *(f"{indent}{line}".rstrip() for line in lines[1:]), f'{indent}"""'])


class Names:
    """Where messages and enums are, by their full names in protobuf."""

    def __init__(self, files: Iterable[FileDescriptorProto]) -> None:
        self._places: dict[str, tuple[str, str]] = {}
        for file in files:
            package = f"{file.package}." if file.package else ""
            for name in _types(file):
                self._places[package + name] = (file.name, name)

    def home(self, full_name: str) -> str:
        """The .proto file that defines a type. Raises CodegenError for one that protoc did not give us."""
        return self._place(full_name)[0]

    def reference(self, full_name: str, here: str = "") -> str:
        """An expression for a type, in code that imports the module it is in, or that is that of the file `here`."""
        file, name = self._place(full_name)
        return name if file == here else f"{module_name(file)}.{name}"

    def _place(self, full_name: str) -> tuple[str, str]:
        try:
            return self._places[full_name]
        except KeyError:
            raise CodegenError(f"{full_name} is in none of the files that protoc has read") from None


def _types(file: FileDescriptorProto) -> Iterator[str]:
    """The names of a file's messages and enums, nested ones with those they are in."""
    for enum in file.enum_type:
        yield enum.name
    for message in file.message_type:
        yield from _with_nested(message, message.name)


def _with_nested(message: DescriptorProto, name: str) -> Iterator[str]:
    yield name
    nested: list[EnumDescriptorProto] = list(message.enum_type)
    for enum in nested:
        yield f"{name}.{enum.name}"
    for each in message.nested_type:
        yield from _with_nested(each, f"{name}.{each.name}")
