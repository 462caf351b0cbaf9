"""Writes the module with a file's services: protocols, loaders of plugins, base classes of what the host offers.

A method without fields to take or give, `google.protobuf.Empty`, takes and gives nothing in Python.
"""
from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from google.protobuf.descriptor_pb2 import FileDescriptorProto

from .annotations import PLUGIN
from .errors import CodegenError
from .messages import HEAD
from .names import Names, docstring, module_name, python_name
from .schema import Method, Service

__all__ = ["services_module"]

_EMPTY = "google.protobuf.Empty"
# What the base class of a loader has, and that of a host.
_RESERVED = ("SERVICE", "_caller", "close", "load", "host_module")
# What the module has besides the services.
_IMPORTED = ("ABC", "HostModule", "LoadedPlugin", "Protocol", "ServiceSpec", "abstractmethod", "host_function")


def services_module(file: FileDescriptorProto, services: Sequence[Service], names: Names) -> str:
    """The module `..._plugin.py` of a file with annotated services."""
    return "\n".join(_lines(file, services, names)) + "\n"


def _lines(file: FileDescriptorProto, services: Sequence[Service], names: Names) -> Iterator[str]:
    plugins = [each for each in services if each.annotation.kind == PLUGIN]
    hosts = [each for each in services if each.annotation.kind != PLUGIN]
    types = {name for each in services for method in each.methods for name in (method.request, method.response)}
    modules = sorted({module_name(names.home(name)) for name in types - {_EMPTY}})
    yield f'"""{_title(plugins, hosts)}"""'
    yield HEAD.format(file.name) + "# ruff: noqa"
    yield "from __future__ import annotations"
    yield ""
    if hosts:
        yield "from abc import ABC, abstractmethod"
    if plugins:
        yield "from typing import Protocol"
    yield ""
    yield from (f"import {each}" for each in modules)
    yield from _runtime_imports(plugins, hosts)
    exported = [name for each in plugins for name in (_class_name(each), _loader_name(each), _version_name(each))]
    exported += map(_class_name, hosts)
    twice = next((name for name in exported if exported.count(name) > 1), None)
    if twice is not None:
        raise CodegenError(f"{twice} would be the name of two classes: rename a service")
    yield ""
    yield f"__all__ = [{', '.join(f'{_quoted(each)}' for each in exported)}]"
    for service in plugins:
        yield f"\n{_version_name(service)} = {service.annotation.version}"
        yield from _protocol(service, names)
        yield from _loader(service, names)
    for service in hosts:
        yield from _host_base(service, names)


def _title(plugins: Sequence[Service], hosts: Sequence[Service]) -> str:
    parts: list[str] = []
    if plugins:
        parts.append(f"plugins that implement {_listed(plugins)}")
    if hosts:
        parts.append(f"what implements {_listed(hosts)} for plugins")
    text = ", and ".join(parts)
    return f"{text[0].upper()}{text[1:]}."


def _listed(services: Sequence[Service]) -> str:
    return " or ".join(each.name for each in services)


def _runtime_imports(plugins: Sequence[Service], hosts: Sequence[Service]) -> Iterator[str]:
    of_package = (["HostModule"] if hosts else []) + (["ServiceSpec"] if plugins else [])
    of_generated = (["LoadedPlugin"] if plugins else []) + (["host_function"] if _any_request(hosts) else [])
    yield f"from goplugin.wasm import {', '.join(of_package)}"
    if of_generated:
        yield f"from goplugin.wasm.generated import {', '.join(of_generated)}"


def _any_request(hosts: Sequence[Service]) -> bool:
    return any(method for each in hosts for method in each.methods)


def _class_name(service: Service) -> str:
    return python_name(service.name, _IMPORTED)


def _loader_name(service: Service) -> str:
    return python_name(f"{service.name}Plugin", _IMPORTED)


def _version_name(service: Service) -> str:
    return f"{service.name}PluginAPIVersion"


def _protocol(service: Service, names: Names) -> Iterator[str]:
    yield f"\n\nclass {_class_name(service)}(Protocol):"
    yield docstring(service.doc or f"The service {service.name}.", "    ")
    for method in service.methods:
        yield ""
        yield f"    {_signature(method, names)}"
        if method.doc:
            yield docstring(method.doc, "        ")
        yield "        ..."


def _loader(service: Service, names: Names) -> Iterator[str]:
    methods = ", ".join(_quoted(each.name) for each in service.methods)
    if len(service.methods) == 1:
        methods += ","
    yield f"\n\nclass {_loader_name(service)}(LoadedPlugin):"
    yield docstring(f"A plugin that implements {service.name}.\n\nIts methods take `timeout`, in seconds.", "    ")
    yield ""
    yield f"    SERVICE = ServiceSpec({_quoted(service.name)}, {_version_name(service)}, ({methods}))"
    for method in service.methods:
        yield ""
        yield f"    {_signature(method, names, timeout=True)}"
        if method.doc:
            yield docstring(method.doc, "        ")
        request = 'b""' if method.request == _EMPTY else "request.SerializeToString()"
        call = f"self._caller.call({_quoted(method.function)}, {request}, timeout=timeout)"
        if method.response == _EMPTY:
            yield f"        {call}"
        else:
            yield f"        response = {call}"
            yield f"        return {names.reference(method.response)}.FromString(response)"


def _host_base(service: Service, names: Names) -> Iterator[str]:
    yield f"\n\nclass {_class_name(service)}(ABC):"
    yield docstring(service.doc or f"The service {service.name}, which plugins call.", "    ")
    for method in service.methods:
        yield "\n    @abstractmethod"
        yield f"    {_signature(method, names)}"
        yield docstring(method.doc, "        ") if method.doc else "        ..."
    yield "\n    def host_module(self) -> HostModule:"
    yield '        """The functions that plugins import."""'
    yield f"        return HostModule({_quoted(service.annotation.module)}, {{"
    for method in service.methods:
        yield f"            {_quoted(method.function)}: {_host_function(method, names)},"
    yield "        })"


def _host_function(method: Method, names: Names) -> str:
    types = (
        "None" if name == _EMPTY else names.reference(name) for name in (method.request, method.response)
    )
    return f"host_function(self.{python_name(method.name, _RESERVED)}, {', '.join(types)})"


def _signature(method: Method, names: Names, *, timeout: bool = False) -> str:
    parameters = ["self"]
    if method.request != _EMPTY:
        parameters.append(f"request: {names.reference(method.request)}")
    if timeout:
        parameters += ["*", "timeout: float | None = None"]
    result = "None" if method.response == _EMPTY else names.reference(method.response)
    return f"def {python_name(method.name, _RESERVED)}({', '.join(parameters)}) -> {result}:"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
