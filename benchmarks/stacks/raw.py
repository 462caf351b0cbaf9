"""Two sockets and nothing else: what a call costs that carries as many bytes as one of ours, and does nothing."""
from __future__ import annotations

import socket
from collections.abc import Iterable, Sequence

from goplugin.core.http2 import ClientConnection, ServerConnection, UnaryRequest

from ..bench_pb2 import Burst, Payload
from ..hosts import BlockingHost, Host
from ..launch import LaunchedPlugin, announce, socket_path
from ..service import ECHO_PATH, SMALL

__all__ = ["host", "serve"]


def _wire_sizes() -> tuple[int, int]:
    """The bytes of a small call and of its reply, once the connection is warm."""
    client, server = ClientConnection(), ServerConnection(unary_paths={ECHO_PATH})
    message = Payload(data=SMALL).SerializeToString()
    request = reply = b""
    for _ in range(3):
        client.send_unary_request(ECHO_PATH, message)
        request = client.data_to_send()
        server.receive_data(request)
        while (event := server.next_event()) is not None:
            if isinstance(event, UnaryRequest):
                server.send_unary_reply(event.stream_id, event.message)
        reply = server.data_to_send()
        client.receive_data(reply)
        while client.next_event() is not None:
            pass
    return len(request), len(reply)


def serve() -> None:
    request_size, reply_size = _wire_sizes()
    reply = bytes(reply_size)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(socket_path())
        listener.listen()
        announce(socket_path())
        connection, _ = listener.accept()
    while _receive(connection, request_size):
        connection.sendall(reply)


def _receive(connection: socket.socket, size: int) -> bool:
    """Whether `size` bytes came; False at the end of the connection."""
    data = connection.recv(65536)
    while data and len(data) < size:
        data += connection.recv(65536)
    return bool(data)


class _Client:
    def __init__(self, command: Sequence[str]) -> None:
        request_size, self._reply_size = _wire_sizes()
        self._request = bytes(request_size)
        self._plugin = LaunchedPlugin(command)
        self.plugin_pid = self._plugin.pid
        self._connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._connection.connect(self._plugin.address)

    def echo(self, request: Payload) -> Payload:
        self._connection.sendall(self._request)
        _receive(self._connection, self._reply_size)
        return request

    def repeat(self, request: Burst) -> Iterable[Payload]:
        raise NotImplementedError

    def close(self) -> None:
        self._connection.close()
        self._plugin.kill()


def host(command: Sequence[str]) -> Host:
    return BlockingHost(lambda: _Client(command))
