"""A gRPC server on blocking sockets, for plain methods."""
from __future__ import annotations

import os
import select
import socket
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..workers import Workers
from .connection import Connection
from .methods import Methods
from .relief import Relief
from .stream import SocketStream

if TYPE_CHECKING:
    import ssl

    from ..plugin import Servicer
    from .stream import Stream

__all__ = ["Server", "serve_on"]

_BACK_OFF_SECONDS = 0.1


def serve_on(sock: socket.socket, servicers: Iterable[Servicer], *, tls: ssl.SSLContext | None = None) -> Server:
    """A running server of `servicers` on a listening socket; the caller ends it, and closes the socket then.

    With `tls` it serves those whom the context trusts.
    Raises ConfigError for a method that is a coroutine function.
    """
    server = Server(servicers, tls=tls)
    server.start(sock)
    return server


class Server:
    """Serves any number of connections, each with threads of its own; `connection.py` says how."""

    def __init__(self, servicers: Iterable[Servicer], *, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._methods = Methods(servicers)
        self._workers = Workers("goplugin-call")
        self._relief = Relief(lambda: self._connections)
        self._changed = threading.Condition()
        self._connections: tuple[Connection, ...] = ()      # made anew at every change, so that readers need no lock
        self._acceptor: threading.Thread | None = None
        self._stopping = False
        self._stopped = False

    def start(self, sock: socket.socket) -> None:
        """Accept connections on `sock`, on another thread. Once, or not at all if somebody else welcomes them."""
        sock.setblocking(False)
        self._stop_read, self._stop_write = os.pipe()
        self._acceptor = threading.Thread(target=self._accept, args=(sock,), name="goplugin-accept", daemon=True)
        self._acceptor.start()

    def welcome(self, stream: Stream) -> None:
        """Serve a connection, which has no ticks and belongs to the server now; a server that stops hangs up."""
        if self._tls is not None:
            from .tls import TLSStream  # not before somebody needs it: it imports ssl

            stream = TLSStream(stream, self._tls, server_side=True)
        connection = Connection(stream, self._methods, self._workers, self._relief, self._on_change)
        with self._changed:
            if self._stopping:
                stream.shut_down()
                stream.close()
                return
            self._connections += (connection,)
        connection.start()

    def stop(self, timeout: float) -> None:
        """End: accept nothing more, cancel the calls, see their answers out and hang up.

        Takes twice `timeout` seconds at most. Idempotent; from any thread but one that runs a method.
        """
        with self._changed:
            first, self._stopping = not self._stopping, True
            if not first:
                self._changed.wait_for(lambda: self._stopped, 2 * timeout)
                return
        if self._acceptor is not None:
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
                self.welcome(SocketStream(client, ticks=False))
        finally:
            os.close(self._stop_read)

    def _on_change(self, connection: Connection) -> None:
        with self._changed:
            if connection.closed:
                self._connections = tuple(other for other in self._connections if other is not connection)
            self._changed.notify_all()
