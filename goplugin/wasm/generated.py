"""What generated code is built on: loading a plugin, and the way of a message to and from it."""
from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, ClassVar, Protocol, Self

from .abi import ServiceSpec
from .config import WasmConfig
from .host import HostFunction, HostModule
from .instance import Caller
from .module import Module, Source

if TYPE_CHECKING:
    from google.protobuf.message import Message

__all__ = ["HostService", "LoadedPlugin", "host_function"]


class HostService(Protocol):
    """An implementation of a service that plugins call: generated base classes, and those of goplugin.wasm.services."""

    def host_module(self) -> HostModule: ...


class LoadedPlugin:
    """A plugin that implements one service, `SERVICE`; generated classes add the service's methods.

    A context manager: at its end the plugin is closed.
    """

    SERVICE: ClassVar[ServiceSpec]

    def __init__(self, caller: Caller) -> None:
        """The plugin behind `caller`, which belongs to this object from now on.

        For an instance of a module with several services, or a Pool of instances; `load` is for all else.
        """
        self._caller = caller

    @classmethod
    def load(cls, source: Source | Module, *hosts: HostService, config: WasmConfig | None = None) -> Self:
        """Start the plugin in `source`: a path, bytes, a binary file, or a Module that has been compiled before.

        `hosts` implement the services that it may call. Raises as `Module.load` and `Module.instantiate`.
        """
        module = source if isinstance(source, Module) else Module.load(source, config)
        return cls(module.instantiate(cls.SERVICE, hosts=[host.host_module() for host in hosts], config=config))

    def close(self) -> None:
        """Let go of the plugin and its memory. Idempotent; calls raise InstanceLostError afterwards."""
        self._caller.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def host_function(
    method: Callable[..., Message | None], request_type: type[Message] | None, response_type: type[Message] | None
) -> HostFunction:
    """`method`, which takes and returns messages, as plugins call it; the types are None where there is no message.

    The function raises TypeError if the method returns something else.
    """

    def function(request: bytes) -> bytes:
        response = method() if request_type is None else method(request_type.FromString(request))
        if response_type is None:
            return b""
        if not isinstance(response, response_type):
            raise TypeError(f"{method.__qualname__} returned {response!r}, not a {response_type.__name__}")
        return response.SerializeToString()

    return function
