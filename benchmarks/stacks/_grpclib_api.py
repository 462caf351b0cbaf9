"""Code written for grpclib, as its generator and its users write it: for grpclib's own transport, or this project's."""
from __future__ import annotations

from collections.abc import Callable, Sequence

from grpclib.client import Channel
from grpclib.server import Server

from ..async_calls import Calls
from ..async_service import AsyncService
from ..bench_grpc import BenchStub
from ..hosts import AsyncHost, Host
from ..launch import LaunchedPlugin, announce, socket_path

__all__ = ["host_with", "serve_with"]


async def serve_with(make_server: Callable[[Sequence[AsyncService]], Server]) -> None:
    """Be a plugin of such a server."""
    server = make_server([AsyncService()])
    await server.start(path=socket_path())
    announce(socket_path())
    await server.wait_closed()


class _Client(Calls):
    def __init__(self, plugin: LaunchedPlugin, channel: Channel) -> None:
        super().__init__(BenchStub(channel))
        self.plugin_pid = plugin.pid
        self._plugin = plugin
        self._channel = channel

    async def close(self) -> None:
        self._channel.close()
        self._plugin.kill()


def host_with(make_channel: Callable[[str], Channel], command: Sequence[str]) -> Host:
    """A host whose channels are such ones, to the paths that its plugins announce."""

    async def connect() -> _Client:
        plugin = LaunchedPlugin(command)
        return _Client(plugin, make_channel(plugin.address))

    return AsyncHost(connect)
