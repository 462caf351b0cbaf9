"""The JavaScript module contract as a go-plugin plugin, in both roles.

Source: go-go-goja pkg/hashiplugin/shared.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

from goplugin import GRPCClient, GRPCPlugin, GRPCServer
from goplugin.plugin import Method, Streams

from .contract import (
    GET_MANIFEST_PATH,
    INVOKE_PATH,
    Empty,
    InvokeRequest,
    InvokeResponse,
    ModuleManifest,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from grpclib.client import Channel

    from goplugin.context import CallContext
    from goplugin.sync.channel import Channel as BlockingChannel

    from .cancellation import Cancellation
    from .sdk import Module

__all__ = ["BlockingModule", "JSModulePlugin", "RemoteModule"]


class JSModulePlugin(GRPCPlugin):
    """Serves `module` in a plugin process; dispenses the module in a host, which needs no `module` for that.

    What a blocking client dispenses is a `BlockingModule`, and what an asyncio one does a `RemoteModule`.
    """

    def __init__(self, module: Module | None = None) -> None:
        self._module = module

    def grpc_server(self, server: GRPCServer) -> None:
        if self._module is None:
            super().grpc_server(server)
        else:
            server.add_service(_ModuleService(self._module))

    def grpc_client(self, client: GRPCClient) -> BlockingModule | RemoteModule:
        from goplugin.sync.channel import Channel as BlockingChannel  # a plugin has no use for it

        if isinstance(client.channel, BlockingChannel):
            return BlockingModule(client.channel)
        return RemoteModule(client.channel)


class RemoteModule:
    """A module in another process; its methods raise RemoteError, or PluginLostError if the process is gone."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    async def get_manifest(self, *, timeout: float | None = None) -> ModuleManifest:
        """What the module says of itself, as sent: not validated."""
        from goplugin.grpc import unary_unary

        return await unary_unary(self._channel, GET_MANIFEST_PATH, Empty(), ModuleManifest, timeout=timeout)

    async def invoke(self, request: InvokeRequest, *, timeout: float | None = None) -> InvokeResponse:
        """Call one export; `timeout` in seconds travels to the plugin as the call's deadline."""
        from goplugin.grpc import unary_unary

        return await unary_unary(self._channel, INVOKE_PATH, request, InvokeResponse, timeout=timeout)


class BlockingModule:
    """A module in another process, for callers that block: a call is made on the calling thread.

    `get_manifest` and `invoke` are those of RemoteModule, errors included. A call that is cancelled is so for the
    plugin too, and raises RemoteError CANCELLED.
    """

    def __init__(self, channel: BlockingChannel) -> None:
        self._channel = channel

    def get_manifest(self, *, timeout: float | None = None) -> ModuleManifest:
        return ModuleManifest.FromString(self._call(GET_MANIFEST_PATH, b"", timeout))

    def invoke(
        self, request: InvokeRequest, *, timeout: float | None = None, cancel: Cancellation | None = None
    ) -> InvokeResponse:
        message = request.SerializeToString()
        if cancel is None:
            return InvokeResponse.FromString(self._call(INVOKE_PATH, message, timeout))
        return InvokeResponse.FromString(self._cancellable_call(INVOKE_PATH, message, timeout, cancel))

    def _call(self, path: str, message: bytes, timeout: float | None) -> bytes:
        return self._channel.unary(path, message, timeout=timeout).message or b""

    def _cancellable_call(self, path: str, message: bytes, timeout: float | None, cancel: Cancellation) -> bytes:
        with self._channel.open(path, timeout=timeout) as call:
            cancel.on_cancel(call.cancel)
            call.send(message, end=True)
            reply = call.receive()
            if reply is not None:
                call.receive()      # the call's end, which may be an error
            return reply or b""


class _ModuleService:
    """Plain methods: a module's handlers may block."""

    def __init__(self, module: Module) -> None:
        self._module = module

    def __mapping__(self) -> dict[str, Method]:
        return {
            GET_MANIFEST_PATH: Method(self.get_manifest, Streams(), Empty, ModuleManifest),
            INVOKE_PATH: Method(self.invoke, Streams(), InvokeRequest, InvokeResponse),
        }

    def __files__(self) -> Iterable[bytes]:
        """For server reflection, when somebody asks."""
        from ._descriptors import FILES

        return FILES.values()

    def get_manifest(self, request: Empty, context: object) -> ModuleManifest:
        return self._module.manifest()

    def invoke(self, request: InvokeRequest, context: CallContext) -> InvokeResponse:
        return self._module.invoke(request, context)
