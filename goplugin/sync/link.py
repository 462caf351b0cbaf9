"""One HTTP/2 machine on one connection, shared by threads.

Rule 1: `lock` guards the machine and the order of what is written. Nobody waits for the peer while holding it.
Rule 2: one thread at a time reads (who that is, is the business of mailroom.py and connection.py).
Rule 3: what could not be written at once is seen out by the thread that left it: with `drain`, or, if that thread
reads, by waiting for both directions.
Rule 4: nothing is taken from the machine until all that was taken before is written, so that the machine's own limits
on what a peer can make it write hold.
Rule 5: what a signal handler raises, such as KeyboardInterrupt, may come from the middle of the machine's work, and
then nobody knows what the machine has done and the peer has seen. `busy` tells: whoever gets the lock and finds it set
has to end the connection.
"""
from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar, TypeVarTuple

from ..core.errors import LocalProtocolError, RemoteProtocolError
from ..core.http2 import ClientConnection, Event, ServerConnection
from .stream import NOW, READ_SIZE, TICK, Stream

__all__ = ["Link"]

MachineT = TypeVar("MachineT", ClientConnection, ServerConnection)
T = TypeVar("T")
# The arguments of `recv`, each as a sequence.
_SIZE = (READ_SIZE,)
_NOW = (NOW,)
Ts = TypeVarTuple("Ts")


class Link(Generic[MachineT]):
    """`machine` on `stream`.

    `busy`: somebody is, or was, in the middle of it.
    `unsent`: what waits for the peer to read.
    `failure`: how the peer broke the protocol; empty as long as it did not.
    `ending`: what reading came to, if the stream has words of its own for that.
    """

    __slots__ = ("_inbox", "_recv", "_send", "busy", "ending", "failure", "lock", "machine", "stream", "unsent")

    def __init__(self, machine: MachineT, stream: Stream) -> None:
        self.machine = machine
        self.stream = stream
        self.lock = threading.Lock()
        self.busy = False
        self.failure = ""
        self.ending = "EOF"
        self.unsent: bytes | memoryview = b""
        self._inbox: deque[bytes] = deque()
        self._recv = stream.recv
        self._send = stream.send

    # --- with the lock held ---

    def do(self, step: Callable[[*Ts], T], *args: *Ts) -> T:
        """Let the machine take a step, `machine.send_...(...)`, and write what comes of it, as far as that goes now.

        Raises LocalProtocolError if the machine does, and then nothing has happened.
        """
        self.busy = True
        try:
            result = step(*args)
        except LocalProtocolError:
            self.busy = False
            raise
        self.flush()
        return result

    def take(self) -> list[Event]:
        """What the machine makes of all that has been received. The link is busy until `flush` writes the answers.

        A peer that breaks the protocol is told so, and its connection ends; `failure` says why.
        """
        self.busy = True
        machine = self.machine
        inbox = self._inbox
        events: list[Event] = []
        try:
            while inbox:
                data = inbox.popleft()
                if data:
                    machine.receive_data(data)
                else:
                    machine.receive_eof()
                while (event := machine.next_event()) is not None:
                    events.append(event)
        except RemoteProtocolError as error:
            self.failure = f"the peer broke the protocol: {error}"
            self.flush()
            self.stream.shut_down()
        return events

    def flush(self) -> None:
        """Write what the machine wants written, as far as that goes now."""
        self.busy = True
        data = self.unsent or self.machine.data_to_send()
        try:
            while data:
                written = self._send(data, NOW)
                if written < len(data):
                    self.unsent = memoryview(data)[written:]
                    break
                if not self.unsent:
                    break
                self.unsent = b""
                data = self.machine.data_to_send()
        except BlockingIOError:
            self.unsent = data
        except OSError:
            self.unsent = b""           # the connection is over, and reading will tell
        self.busy = False

    # --- without the lock ---

    def receive(self, timeout: float = TICK) -> bool:
        """Whether something has come that `take` would take; writes what waits.

        Waits `timeout` seconds, but no longer than the stream's tick. For the one thread that reads.
        """
        inbox = self._inbox
        if inbox:
            return True             # an exception came between the last `receive` and `take`
        if self.unsent or timeout < TICK:
            self.stream.wait(reading=True, writing=bool(self.unsent), timeout=min(timeout, TICK))
            with self.lock:
                self.flush()
            return self.look()
        try:
            # From the system call into the inbox without a step of the interpreter, which would be handling signals.
            inbox.extend(map(self._recv, _SIZE))
        except BlockingIOError:
            return False
        except OSError as error:
            self._end(error)
        return True

    def look(self) -> bool:
        """Whether something is there now that `take` would take. For when nobody else reads."""
        try:
            self._inbox.extend(map(self._recv, _SIZE, _NOW))
        except BlockingIOError:
            pass
        except OSError as error:
            self._end(error)
        return bool(self._inbox)

    def drain(self, timeout: float = TICK) -> None:
        """Write more of what waits, if the peer reads within `timeout` seconds. For a thread that does not read."""
        self.stream.wait(reading=False, writing=True, timeout=min(timeout, TICK))
        with self.lock:
            self.flush()

    def see_out(self) -> None:
        """Wait until all is written, or the connection is over. For a thread that does not read."""
        while self.unsent:
            self.drain()

    def _end(self, error: OSError) -> None:
        if error.errno is None:
            self.ending = str(error)
        self._inbox.append(b"")
