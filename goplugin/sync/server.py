"""A gRPC server on blocking sockets, for plain methods."""
from __future__ import annotations

import os
import select
import socket
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING

from .connection import Connection
from .methods import Methods
from .relief import Relief
from .stream import SocketStream
from .workers import Workers

if TYPE_CHECKING:
    from ..plugin import Servicer

__all__ = ["Server", "serve_on"]

_BACK_OFF_SECONDS = 0.1


def serve_on(sock: socket.socket, servicers: Iterable[Servicer]) -> Server:
    """A running server of `servicers` on a listening socket; the caller ends it, and closes the socket then.

    Raises ConfigError for a method that is a coroutine function.
    """
    server = Server(servicers)
    server.start(sock)
    return server


class Server:
    """Serves any number of connections, each with threads of its own; `connection.py` says how."""

    def __init__(self, servicers: Iterable[Servicer]) -> None:
        self._methods = Methods(servicers)
        self._workers = Workers("goplugin-call")
        self._relief = Relief(lambda: self._connections)
        self._changed = threading.Condition()
        self._connections: tuple[Connection, ...] = ()      # made anew at every change, so that readers need no lock
        self._stopping = False
        self._stopped = False

    def start(self, sock: socket.socket) -> None:
        """Accept connections on `sock`, on another thread. Once."""
        sock.setblocking(False)
        self._stop_read, self._stop_write = os.pipe()
        self._acceptor = threading.Thread(target=self._accept, args=(sock,), name="goplugin-accept", daemon=True)
        self._acceptor.start()

    def stop(self, timeout: float) -> None:
        """End: accept nothing more, cancel the calls, see their answers out and hang up.

        Takes twice `timeout` seconds at most. Idempotent; from any thread but one that runs a method.
        """
        with self._changed:
            first, self._stopping = not self._stopping, True
            if not first:
                self._changed.wait_for(lambda: self._stopped, 2 * timeout)
                return
        os.close(self._stop_write)
        self._acceptor.join()
        connections = self._connections
        for connection in connections:
            connection.leave()
        with self._changed:
            self._changed.wait_for(lambda: all(connection.idle for connection in connections), timeout)
        for connection in connections:
            connection.shut_down()
        with self._changed:
            self._changed.wait_for(lambda: not self._connections, timeout)
            self._stopped = True
            self._changed.notify_all()
        self._relief.stop()
        self._workers.close()

    def _accept(self, sock: socket.socket) -> None:
        poll = select.poll()
        poll.register(sock, select.POLLIN)
        poll.register(self._stop_read, select.POLLIN)
        try:
            while all(descriptor != self._stop_read for descriptor, _ in poll.poll()):
                try:
                    client, _ = sock.accept()
                except BlockingIOError:
                    continue            # it has gone already
                except OSError:         # no descriptors left, most probably
                    select.select([self._stop_read], [], [], _BACK_OFF_SECONDS)
                    continue
                self._welcome(client)
        finally:
            os.close(self._stop_read)

    def _welcome(self, client: socket.socket) -> None:
        stream = SocketStream(client, ticks=False)
        connection = Connection(stream, self._methods, self._workers, self._relief, self._on_change)
        with self._changed:
            self._connections += (connection,)
        connection.start()

    def _on_change(self, connection: Connection) -> None:
        with self._changed:
            if connection.closed:
                self._connections = tuple(other for other in self._connections if other is not connection)
            self._changed.notify_all()
