"""One HTTP/2 machine on one asyncio transport.

Rule 1: whoever makes the machine send something calls `flush` behind it.
Rule 2: a system call costs more than a frame. In each turn of the loop what is sent first is written at once, and the
rest together when the turn ends; all of it then, if the turn began with more than one event. For what is sent in answer
to a read by tasks that go on at once (`waiting.py`), the turn ends with the read.
Rule 3: while the transport is full nothing is taken from the machine, whose own limits hold then, and whoever has a
message to send waits with `writable`.

What the events mean is for the roles to know: `channel.py` and `server.py`.
"""
from __future__ import annotations

import asyncio
import contextlib
import logging
from abc import abstractmethod
from typing import ClassVar, Generic, TypeVar, cast

from grpclib.protocol import Peer

from ..core.errors import RemoteProtocolError
from ..core.http2 import ClientConnection, Event, ServerConnection
from .waiting import Wait, go_on

__all__ = ["Link"]

log = logging.getLogger("goplugin.aio")

_ENOUGH = 64 * 1024         # octets that are worth a write of their own
# Octets of one read, and of the reads behind one that was full. A plain asyncio.Protocol gets new bytes of 256 KiB for
# each read, which cost more than a call.
_READ_SIZE = 64 * 1024
_LARGE_READ_SIZE = 256 * 1024

Machine = TypeVar("Machine", ClientConnection, ServerConnection)


class Link(asyncio.BufferedProtocol, Generic[Machine]):
    """A connection, from `connection_made` to `connection_lost`; the loop calls both.

    `machine`: sends and receives for the calls of this connection.
    `peer`: the other end, as grpclib presents it.
    `full`: the transport takes no more messages now.
    `woken`: the waits that have ended while events are taken; their tasks go on behind the last of them.
    """

    peer: Peer
    _starts_tasks: ClassVar[bool]           # for what comes, which the loop will run in its next turn

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.full = False
        self.loop = asyncio.get_running_loop()
        self.woken: list[Wait] = []
        self._transport: asyncio.Transport | None = None
        self._reading = False
        self._gathering = False             # what is sent waits for the end of the turn,
        self._waiting = False               # and there is something that does:
        self._gathered = 0                  # so many octets of messages, about
        self._blocked: list[asyncio.Future[None]] = []
        self._buffer = memoryview(bytearray(_READ_SIZE))
        self._lingering: tuple[asyncio.Transport, asyncio.TimerHandle] | None = None

    # --- sending ---

    def flush(self, size: int = 0) -> None:
        """See to it that what the machine wants to send is written; `size` is that of the message in it, if any."""
        if self._gathering:
            self._waiting = True
            self._gathered += size
            if self._gathered >= _ENOUGH:
                self._write()
        elif self._write():
            self._gather()

    async def writable(self) -> None:
        """Wait until the transport takes more, or the connection is over."""
        while self.full:
            future = self.loop.create_future()
            self._blocked.append(future)
            await future

    def hang_up(self) -> None:
        """End the connection behind what there is to send. Idempotent."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.write(self.machine.data_to_send())
            transport.close()

    def send_eof(self, seconds: float) -> None:
        """End our direction behind what there is to send; the peer has so long to read it and to hang up. Idempotent.

        Whoever hangs up at once may take away what the peer has not read: it finds that it cannot answer any more.
        """
        transport, self._transport = self._transport, None
        if transport is None:
            return
        transport.write(self.machine.data_to_send())
        if not transport.can_write_eof():
            transport.close()
            return
        self._lingering = transport, self.loop.call_later(seconds, transport.abort)
        with contextlib.suppress(OSError):      # the peer was faster
            transport.write_eof()

    def abort(self) -> None:
        """End the connection at once. Idempotent."""
        transport, self._transport = self._transport, None
        if self._lingering is not None:
            transport = self._lingering[0]
        if transport is not None:
            transport.abort()

    def _gather(self) -> None:
        """What is sent from now on is written when the read ends, or else when the loop has run what is ready."""
        self._gathering = True
        if not self._reading:
            self.loop.call_soon(self._end_turn)

    def _end_turn(self) -> None:
        self._gathering = False
        if self._waiting:
            self._write()

    def _end_read(self) -> None:
        # Behind a write in the read only what has been announced by `flush` can be there to send.
        unwritten = self._waiting or not self._gathering
        self._gathering = False
        if unwritten:
            self._write()

    def _write(self) -> bool:
        """Write what the machine has, if the transport takes it; returns whether something was written."""
        if self.full or self._transport is None:
            return False
        self._waiting = False
        self._gathered = 0
        data = self.machine.data_to_send()
        if data:
            self._transport.write(data)
        return bool(data)

    # --- what the loop calls ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.peer = Peer(self._transport)
        self._write()

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        buffer = self._buffer
        data = bytes(buffer[:nbytes])
        if nbytes == len(buffer) < _LARGE_READ_SIZE:
            self._buffer = memoryview(bytearray(_LARGE_READ_SIZE))
        in_a_turn = self._gathering
        count = 0
        self._reading = True
        try:
            self.machine.receive_data(data)
            count = self._take_events()
            if self.woken:
                self._gathering = in_a_turn or count > 1
                self._waiting = self._waiting or self._gathering    # what came may have made the machine send
                woken, self.woken = self.woken, []
                go_on(woken, self.loop)
        finally:
            self._reading = False
            if in_a_turn:
                self._waiting = True
            elif count > 1 and self._starts_tasks:
                self._waiting = True
                self._gather()
            else:
                self._end_read()

    def eof_received(self) -> None:
        """The peer sends no more. There are no half-open connections in HTTP/2: the loop closes the transport now."""
        self.machine.receive_eof()
        self._take_events()
        self._let_go_on()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._lingering is not None:
            self._lingering[1].cancel()
            self._lingering = None
        self.machine.receive_eof()
        self._take_events()
        self._let_go_on()
        self.resume_writing()

    def pause_writing(self) -> None:
        self.full = True

    def resume_writing(self) -> None:
        self.full = False
        self._write()
        blocked, self._blocked = self._blocked, []
        for future in blocked:
            if not future.done():
                future.set_result(None)

    def _let_go_on(self) -> None:
        """Let those who have been woken go on, but not in the middle of whatever makes the connection end."""
        woken, self.woken = self.woken, []
        for wait in woken:
            wait.step_later()

    def _take_events(self) -> int:
        """Pass on what has come; returns how many events there were."""
        next_event = self.machine.next_event
        count = 0
        try:
            while (event := next_event()) is not None:
                count += 1
                self._receive(event)
        except RemoteProtocolError as error:
            # The machine has ended all calls, and its last octets tell the peer why.
            log.debug("connection given up: %s", error)
            if self.full:
                self.abort()
            else:
                self.hang_up()
        return count

    @abstractmethod
    def _receive(self, event: Event) -> None:
        """Something has come."""
