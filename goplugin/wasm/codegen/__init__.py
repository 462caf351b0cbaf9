"""`protoc-gen-goplugin-python`: typed Python for plugins that are WebAssembly, from annotated .proto files.

    protoc --goplugin-python_out=. greet.proto

For each file it writes `greet_pb2.py` with the messages, in a descriptor pool that is not the process's, and their
types in `greet_pb2.pyi`; and for a file with annotated services `greet_plugin.py`. The option `disable_pb_gen=true`
leaves the messages to `--python_out`; `paths=source_relative` says what is the case anyhow.
Source: knqyf263/go-plugin cmd/protoc-gen-go-plugin, for annotations and options.
"""
from __future__ import annotations

import sys

from google.protobuf.compiler.plugin_pb2 import CodeGeneratorRequest, CodeGeneratorResponse

from .errors import CodegenError
from .messages import messages_module, messages_stub
from .names import Names, check_names, file_stem
from .schema import read_services
from .services import services_module

__all__ = ["CodegenError", "generate", "main"]


def main() -> int:
    """The program: protoc's request on stdin, the answer on stdout, warnings on stderr."""
    request = CodeGeneratorRequest.FromString(sys.stdin.buffer.read())
    response, warnings = generate(request)
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)
    sys.stdout.buffer.write(response.SerializeToString())
    return 0


def generate(request: CodeGeneratorRequest) -> tuple[CodeGeneratorResponse, list[str]]:
    """The generated files, or an error in their place, and what deserves a warning."""
    response = CodeGeneratorResponse(supported_features=CodeGeneratorResponse.FEATURE_PROTO3_OPTIONAL)
    warnings: list[str] = []
    names = Names(request.proto_file)
    files = {each.name: each for each in request.proto_file}
    try:
        with_messages = _read_options(request.parameter)
        for name in request.file_to_generate:
            try:
                check_names(files[name])
                services = read_services(files[name])
                contents = {"_pb2.py": messages_module(files[name]), "_pb2.pyi": messages_stub(files[name], names)}
                if not with_messages:
                    contents.clear()
                if services:
                    contents["_plugin.py"] = services_module(files[name], services, names)
            except CodegenError as error:
                raise CodegenError(f"{name}: {error}") from error
            for ending, content in contents.items():
                response.file.add(name=file_stem(name) + ending, content=content)
            for service in services:
                warnings += [f"{name}: {service.name}: ignored: {word}" for word in service.annotation.ignored]
    except CodegenError as error:
        return CodeGeneratorResponse(error=str(error)), warnings
    return response, warnings


def _read_options(parameter: str) -> bool:
    """Whether messages are wanted, by the options of `--goplugin-python_opt`."""
    with_messages = True
    for option in filter(None, parameter.split(",")):
        key, _, value = option.partition("=")
        if key == "disable_pb_gen" and value in ("true", "false", ""):
            with_messages = value == "false"
        elif option != "paths=source_relative":
            raise CodegenError(
                f"unknown option {option!r}: there are disable_pb_gen=true and paths=source_relative, which is the case"
            )
    return with_messages
