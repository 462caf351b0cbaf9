"""Two sessions that are connected, and a session whose peer is played by hand."""
from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

from goplugin.core import yamux
from goplugin.sync.lead import Lead
from goplugin.sync.mux import Session
from goplugin.sync.mux_stream import MuxStream
from goplugin.sync.stream import NOW, SocketStream

from .support import SECONDS, Background, is_in, wait_until

__all__ = [
    "WINDOW", "YamuxByHand",
    "by_hand", "connected", "follows", "leads", "read_exactly", "stands_by", "streams", "write_all",
]

WINDOW = yamux.INITIAL_WINDOW


@contextlib.contextmanager
def connected() -> Iterator[tuple[Session, Session]]:
    """A client's session and a server's; afterwards they have ended, threads and all."""
    near, far = socket.socketpair()
    client, server = Session(SocketStream(near), client=True), Session(SocketStream(far), client=False)
    try:
        yield client, server
    finally:
        client.close()
        server.close()
    wait_until(lambda: not [thread for thread in threading.enumerate() if thread.name.startswith("goplugin-mux")])
    assert near.fileno() == far.fileno() == -1


@contextlib.contextmanager
def streams(*, ticks: bool = True) -> Iterator[tuple[MuxStream, MuxStream]]:
    """Both ends of a stream."""
    with connected() as (client, server):
        yield client.open(ticks=ticks), server.accept(SECONDS, ticks=ticks)


class YamuxByHand:
    """A peer played by hand: a machine on a blocking socket."""

    def __init__(self, sock: socket.socket) -> None:
        self.machine = yamux.Session(client=False)
        self.socket = sock
        sock.settimeout(SECONDS)

    def send(self, data: bytes = b"") -> None:
        """What the machine has to send, or these octets."""
        self.socket.sendall(data or self.machine.data_to_send())

    def receive(self) -> yamux.Event:
        """The next event."""
        while (event := self.machine.next_event()) is None:
            data = self.socket.recv(65536)
            if data:
                self.machine.receive_data(data)
            else:
                self.machine.receive_eof()
        return event


@contextlib.contextmanager
def by_hand() -> Iterator[tuple[Session, YamuxByHand]]:
    """A client's session, and the server at its other end."""
    near, far = socket.socketpair()
    session = Session(SocketStream(near), client=True)
    with far:
        try:
            yield session, YamuxByHand(far)
        finally:
            session.close()


def write_all(stream: MuxStream, data: bytes) -> None:
    view = memoryview(data)
    while view:
        try:
            view = view[stream.send(view, NOW) :]
        except BlockingIOError:
            stream.wait(reading=False, writing=True, timeout=SECONDS)


def read_exactly(stream: MuxStream, size: int) -> bytes:
    pieces: list[bytes] = []
    while size:
        try:
            piece = stream.recv(size)
        except BlockingIOError:
            continue
        assert piece
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def leads(thread: Background) -> bool:
    """Whether a thread reads for all."""
    return is_in(thread.ident, "Lead._receive")


def follows(thread: Background) -> bool:
    """Whether a thread waits for another one that reads."""
    return is_in(thread.ident, "Condition.wait")


def stands_by(lead: Lead) -> bool:
    """Whether the session's own thread reads for all."""
    return is_in(lead._stand_by.ident or 0, "SocketStream.wait")
