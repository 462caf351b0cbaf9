"""A connection's bytes, as the blocking runtime reads and writes them.

Reading blocks, but never for longer than a tick, so that whoever reads can watch a clock without a second system call
for each read. Writing never blocks: a thread that waits for the peer to read, and holds the connection meanwhile, is
half of a deadlock. Whoever has something left to write waits with `wait`, which can wait for both at once.
"""
from __future__ import annotations

import contextlib
import select
import socket
import struct
from typing import Protocol

__all__ = ["NOW", "READ_SIZE", "TICK", "SocketStream", "Stream", "connect"]

TICK = 0.1
"""Seconds that one `recv` blocks at the most, if the stream has ticks."""

READ_SIZE = 64 * 1024

# Without MSG_NOSIGNAL a program that restored SIGPIPE's default action would die of a peer that is gone.
NOW = socket.MSG_DONTWAIT | getattr(socket, "MSG_NOSIGNAL", 0)
"""The flags of a `recv` or `send` that does not wait."""


class Stream(Protocol):
    """What a link asks of the connection below it: a socket's methods, and three more.

    `recv` and `send` are a socket's own where there is one, because a call of Python's between the link and the system
    would cost as much as the system's part of it. Both raise BlockingIOError if nothing can be done within a tick, or,
    with NOW as flags, at once; any other OSError says that the connection is over. One thread at a time reads, and one,
    which may be another, writes.
    """

    def recv(self, size: int, flags: int = ..., /) -> bytes:
        """Up to `size` bytes; b"" at the end of the connection."""
        ...

    def send(self, data: bytes | memoryview, flags: int, /) -> int:
        """Write what fits now, and return how much that was."""
        ...

    def wait(self, *, reading: bool, writing: bool, timeout: float) -> None:
        """Wait until `recv` would not block, or `send` would write something, or `timeout` seconds have passed."""
        ...

    def shut_down(self) -> None:
        """End both directions: a thread that reads returns, the peer sees the end. The descriptor stays."""
        ...

    def close(self) -> None:
        """Give the descriptor back. For the thread that reads, or when there is none; not while one writes."""
        ...


class SocketStream:
    """A connected socket; with `ticks` false, `recv` waits for as long as it takes."""

    def __init__(self, sock: socket.socket, *, ticks: bool = True) -> None:
        sock.setblocking(True)
        tick = int(TICK * 1_000_000) if ticks else 0
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, tick))
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = sock
        self.recv = sock.recv
        self.send = sock.send

    def wait(self, *, reading: bool, writing: bool, timeout: float) -> None:
        descriptor = self._socket.fileno()
        if descriptor >= 0:
            poll = select.poll()
            poll.register(descriptor, select.POLLIN * reading | select.POLLOUT * writing)
            poll.poll(max(0.0, timeout) * 1000)

    def shut_down(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._socket.close()


def connect(network: str, address: str) -> SocketStream:
    """A connection to the address of a handshake line. Raises OSError if nobody listens there."""
    if network == "unix":
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.connect(address)
        except OSError:
            sock.close()
            raise
        return SocketStream(sock)
    host, _, port = address.rpartition(":")
    return SocketStream(socket.create_connection((host.strip("[]"), int(port))))
