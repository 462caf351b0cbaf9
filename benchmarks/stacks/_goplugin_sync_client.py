"""The host's half of goplugin_sync.py, apart from it so that the plugin does not import it."""
from __future__ import annotations

from collections.abc import Iterator, Sequence

from goplugin.sync.channel import channel_to

from ..bench_pb2 import Burst, Payload
from ..launch import LaunchedPlugin
from ..service import ECHO_PATH, REPEAT_PATH

__all__ = ["Client"]


class Client:
    def __init__(self, command: Sequence[str]) -> None:
        self._plugin = LaunchedPlugin(command)
        self.plugin_pid = self._plugin.pid
        self._channel = channel_to("unix", self._plugin.address)
        self._unary = self._channel.unary

    def echo(self, request: Payload) -> Payload:
        reply = self._unary(ECHO_PATH, request.SerializeToString())
        return Payload.FromString(reply.message or b"")

    def repeat(self, request: Burst) -> Iterator[Payload]:
        with self._channel.open(REPEAT_PATH) as call:
            call.send(request.SerializeToString(), end=True)
            for message in call:
                yield Payload.FromString(message)

    def close(self) -> None:
        self._channel.close()
        self._plugin.kill()
