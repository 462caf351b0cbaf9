"""The services that every plugin carries beside the application's own: their methods, and what is to be said.

How to wait is each runtime's own business, which is why `sync/services.py` and `aio/services.py` have a class for each
service: a stream of output, or of a state that does not change, lasts as long as the connection. A thread may wait for
that where calls have threads; under asyncio it would be a thread for a stream on which nothing happens, and a
coroutine waits for nothing. Services that answer at once have their class here, with plain methods.
Source: go-plugin grpc_server.go, grpc_broker.go, grpc_controller.go and grpc_stdio.go; grpc.health.v1;
grpc.reflection.v1, and v1alpha, which is the same under an older name. PluginInfo is this project's own.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

from .core.errors import RemoteError, RemoteProtocolError
from .core.messages import (
    HEALTH_CHECK_PATH,
    HEALTH_SERVICE_NAME,
    HEALTH_WATCH_PATH,
    PLUGIN_INFO_PATH,
    SHUTDOWN_PATH,
    START_STREAM_PATH,
    STREAM_STDIO_PATH,
    ConnInfo,
    Empty,
    HealthCheckRequest,
    HealthCheckResponse,
    PluginInfo,
    StdioData,
)
from .core.status import Code
from .plugin import Method, Streams

if TYPE_CHECKING:
    from .plugin import Servicer
    from .reflection import Reflection

__all__ = [
    "PluginInfoService", "Raw", "ReflectionService",
    "broker_methods", "checked", "controller_methods", "health_methods", "stdio_methods", "watched",
]

_UNARY = Streams()
_SERVER_STREAMS = Streams(server_streaming=True)
_BOTH_STREAM = Streams(client_streaming=True, server_streaming=True)
_REFLECTION_PATHS = tuple(
    f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo" for version in ("v1", "v1alpha")
)
_SERVED = ("", HEALTH_SERVICE_NAME)


def health_methods(check: Callable[..., Any], watch: Callable[..., Any]) -> dict[str, Method]:
    """grpc.health.v1.Health: `checked` answers `check`, and `watched` is the only thing that `watch` has to tell."""
    return {
        HEALTH_CHECK_PATH: Method(check, _UNARY, HealthCheckRequest, HealthCheckResponse),
        HEALTH_WATCH_PATH: Method(watch, _SERVER_STREAMS, HealthCheckRequest, HealthCheckResponse),
    }


def checked(request: HealthCheckRequest) -> HealthCheckResponse:
    """`plugin`, and the server as a whole (the empty name), are serving for as long as they answer.

    Raises RemoteError for any other service.
    """
    if request.service not in _SERVED:
        raise RemoteError(Code.NOT_FOUND, "unknown service")
    return HealthCheckResponse(HealthCheckResponse.SERVING)


def watched(request: HealthCheckRequest) -> HealthCheckResponse:
    """The state now. It does not change until the connection ends: a plugin serves until it exits."""
    known = request.service in _SERVED
    return HealthCheckResponse(HealthCheckResponse.SERVING if known else HealthCheckResponse.SERVICE_UNKNOWN)


def broker_methods(start_stream: Callable[..., Any]) -> dict[str, Method]:
    """plugin.GRPCBroker. Its headers go out at once, as those of `stdio_methods`. Every host opens this stream; for a
    plugin that has taken no broker it is there, and nothing comes of it."""
    return {START_STREAM_PATH: Method(start_stream, _BOTH_STREAM, ConnInfo, ConnInfo)}


def controller_methods(shutdown: Callable[..., Any]) -> dict[str, Method]:
    """plugin.GRPCController. `shutdown` sees to it that what was printed reaches the host, replies, and then ends the
    plugin. A Go plugin stops its server inside the call, so that its host sees UNAVAILABLE; hosts accept either."""
    return {SHUTDOWN_PATH: Method(shutdown, _UNARY, Empty, Empty)}


def stdio_methods(stream_stdio: Callable[..., Any]) -> dict[str, Method]:
    """plugin.GRPCStdio. `stream_stdio` gives what the plugin prints, once; of two callers each gets a part, as from a
    Go plugin. Its headers go out at once: a host may wait for them before it makes its first call."""
    return {STREAM_STDIO_PATH: Method(stream_stdio, _SERVER_STREAMS, Empty, StdioData)}


class PluginInfoService:
    """goplugin.v1.PluginInfo: what a host that constrains the plugin's version asks for."""

    def __init__(self, version: str) -> None:
        """`version` is a semantic one, as text."""
        self._info = PluginInfo(version)

    def __mapping__(self) -> dict[str, Method]:
        return {PLUGIN_INFO_PATH: Method(self.get, _UNARY, Empty, PluginInfo)}

    def get(self, request: Empty, context: object) -> PluginInfo:
        return self._info


class Raw(bytes):
    """A message as it travels."""

    def SerializeToString(self) -> bytes:
        return self

    @classmethod
    def FromString(cls, data: bytes) -> Raw:
        return cls(data)


class ReflectionService:
    """grpc.reflection.ServerReflection, in both versions: tells tools about `servicers`, and about itself."""

    def __init__(self, servicers: Iterable[Servicer]) -> None:
        self._servicers = [*servicers, self]

    def __mapping__(self) -> dict[str, Method]:
        return dict.fromkeys(_REFLECTION_PATHS, Method(self.server_reflection_info, _BOTH_STREAM, Raw, Raw))

    def __files__(self) -> Iterable[bytes]:
        """Those of all services of this package."""
        from ._descriptors import FILES

        return FILES.values()

    def server_reflection_info(self, requests: Iterable[Raw], context: object) -> Iterator[Raw]:
        """Answer question by question."""
        for request in requests:
            try:
                yield Raw(self._reflection.answer(request))
            except RemoteProtocolError as error:
                raise RemoteError(Code.INVALID_ARGUMENT, str(error)) from error

    @cached_property
    def _reflection(self) -> Reflection:
        from .reflection import Reflection  # when somebody asks; few ever do

        return Reflection(self._servicers)
