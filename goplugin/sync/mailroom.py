"""Who reads, and who waits: how threads share the reading end of a client's connection.

One of the threads that wait for something reads for all, the leader; it puts what is not its own into the mailboxes of
the others, and hands the lead on when its own has come. So a program with one thread makes a call with one write and
one read, and no thread of ours takes part in it.

Rule 1: a waiter goes by its key. That of a call is its stream's number, and its negative for the thread that sends the
call's messages while another one receives; who waits for room for one more call has a key above all streams.
Rule 2: whoever leads has its key in `leader`, and gives the lead away on every way out.
Rule 3: the lead is given only to a thread that is parked, the youngest: its own answer will probably come last, so
that it reads all the others' instead of each of them relieving the one before.
"""
from __future__ import annotations

import itertools
import threading
from collections import deque
from time import monotonic

from ..core.errors import PluginLostError, RemoteError
from ..core.http2 import (
    ClientConnection,
    ConnectionEnded,
    Event,
    GoingAway,
    PingAcknowledged,
    ResponseEnded,
    SettingsChanged,
    Status,
    StreamReset,
    StreamWritable,
    UnaryResponse,
)
from ..core.http2.faults import CANCEL
from ..core.status import Code
from .link import Link

__all__ = ["FOREVER", "Mailbox", "Mailroom"]

FOREVER = float("inf")
"""The deadline of what has none."""

_ROOM_KEYS = 2**32
_LOOKS = 64         # reads for which a look may hold the lock: enough for all that fits into a window
_CONNECTION_EVENTS = (SettingsChanged, PingAcknowledged, GoingAway, ConnectionEnded)
_LAST_EVENTS = (UnaryResponse, ResponseEnded, StreamReset)


class Mailbox:
    """What has come for one waiter, and a bell that keeps ringing until it is heard.

    `parked`: the waiter waits for the bell, and could lead instead.
    """

    __slots__ = ("_bell", "events", "parked")

    def __init__(self) -> None:
        self.events: deque[Event] = deque()
        self.parked = False
        self._bell = threading.Lock()
        self._bell.acquire()

    def ring(self) -> None:
        """There is news. With the mailroom's lock held."""
        self.parked = False
        if self._bell.locked():
            self._bell.release()

    def hear(self, timeout: float = 0) -> bool:
        """Whether there has been news since the last time, or is within `timeout` seconds."""
        return self._bell.acquire(timeout=min(timeout, threading.TIMEOUT_MAX))


class Mailroom:
    """The waiters of one connection.

    `refusal` says why no call will begin any more; it is empty as long as one may.
    `leader` is the key of the waiter that reads, 0 if there is none. Whoever takes it, with the lock held, has to
    `lead` or to `give_up`.
    """

    def __init__(self, link: Link[ClientConnection]) -> None:
        self._link = link
        self._lock = link.lock
        self._mailboxes: dict[int, Mailbox] = {}
        self._room_waiters: dict[int, Mailbox] = {}
        self._room_keys = itertools.count(_ROOM_KEYS)
        self.leader = 0
        self._lost = ""                 # why nothing will be read any more
        self.refusal = ""

    # --- with the lock held ---

    def open(self, key: int) -> Mailbox:
        """A mailbox for the key of a call, which is under way; it goes with the call's last event."""
        mailbox = self._mailboxes[key] = Mailbox()
        return mailbox

    def end(self, reason: str) -> None:
        """Nothing will be read any more, and everybody hears why. Idempotent."""
        if self._lost:
            return
        self._lost = reason
        self.refusal = self.refusal or f"connection error: {reason}"
        self._link.stream.shut_down()
        for key in [key for key in self._mailboxes if key > 0]:
            self._put(key, self._ending(key))
        self._ring_for_room()
        if not self.leader:
            self._link.stream.close()

    # --- waiting, without the lock ---

    def lead(self, stream_id: int, deadline: float) -> Event:
        """Read for everybody until something comes for this call, which has no mailbox; then hand the lead on.

        Raises RemoteError if the deadline passes first. Whatever it raises, the caller has to `give_up`.
        """
        while True:
            if self._link.receive(_remaining(deadline)):
                with self._lock:
                    event = self._take(stream_id)
                    if event is not None:
                        if self._mailboxes or self._room_waiters or self._lost:
                            self._pass_lead()
                        else:
                            self.leader = 0
                        return event

    def wait(self, key: int, mailbox: Mailbox, deadline: float) -> Event:
        """The next event in the mailbox. Raises as `lead` does."""
        while True:
            lost = self._lost           # looked at first: what came before the end counts
            if mailbox.events or lost:
                break
            self._turn(key, mailbox, deadline)
        self._leave(key, mailbox)
        return mailbox.events.popleft() if mailbox.events else self._ending(key)

    def see_out(self, key: int, mailbox: Mailbox, deadline: float) -> None:
        """Wait until everything is written, or the connection is over. Raises as `lead` does."""
        while self._link.unsent and not self._lost:
            remaining = _remaining(deadline)
            with self._lock:
                leads = self._take_lead(key)
            if leads:
                self._read(mailbox, remaining)
            else:
                self._link.drain(remaining)
        self._leave(key, mailbox)

    def wait_for_room(self, deadline: float) -> float | None:
        """Wait until a call may begin, and return the time that is left for it; None if there is no deadline.

        The caller has to look again, because others may be faster.
        Raises PluginLostError if there will never be room, and RemoteError if the deadline passes first.
        """
        key = next(self._room_keys)
        mailbox = Mailbox()
        with self._lock:
            self._room_waiters[key] = mailbox
            self._check()
        try:
            while not (self.refusal or self._link.machine.can_call):
                self._turn(key, mailbox, deadline)
        finally:
            with self._lock:
                del self._room_waiters[key]
                if self.leader == key:
                    self._pass_lead()
        if self.refusal:
            raise PluginLostError(self.refusal)
        return None if deadline == FOREVER else deadline - monotonic()

    def give_up(self, key: int) -> None:
        """The waiter gets an exception instead of what it waited for; the call, if it has one, is cancelled."""
        with self._lock:
            self._check()
            if key:
                self._mailboxes.pop(key, None)
                self._cancel(abs(key))
                if self.leader == key:
                    self._pass_lead()

    def cancel(self, stream_id: int) -> None:
        """End a call if it is still going on; whoever waits for it hears of it."""
        with self._lock:
            self._cancel(stream_id)

    def look(self) -> bool:
        """Read what came while nobody waited; returns whether more may come. Never waits."""
        if self._lock.acquire(blocking=False):
            try:
                for _ in range(_LOOKS):
                    if self.leader or self._lost:
                        break
                    self._link.flush()
                    if not self._link.look():
                        break
                    self._take()
            finally:
                self._lock.release()
        return not self._lost

    # --- inside ---

    def _turn(self, key: int, mailbox: Mailbox, deadline: float) -> None:
        """Read once for everybody, or wait for who does; what this waiter waits for may have come then, or not.

        Whatever has come behind the caller's back before this call has rung, and so is not slept through.
        """
        remaining = _remaining(deadline)
        with self._lock:
            leads = self._take_lead(key)
            mailbox.parked = not leads
        if leads:
            self._read(mailbox, remaining)
        elif self._link.unsent:
            self._link.drain(remaining)
        else:
            mailbox.hear(remaining)

    def _take_lead(self, key: int) -> bool:
        """Whether this waiter leads now, because nobody else does. With the lock held."""
        if not self.leader:
            self.leader = key
        return self.leader == key

    def _read(self, mailbox: Mailbox, timeout: float) -> None:
        """Read once for everybody, unless there has been news for this waiter already."""
        if not mailbox.hear() and self._link.receive(timeout):
            with self._lock:
                self._take()

    def _leave(self, key: int, mailbox: Mailbox) -> None:
        """Stop waiting for now. The lead, if it has been handed over meanwhile, goes to the next."""
        if mailbox.parked or self.leader == key:
            with self._lock:
                mailbox.parked = False
                if self.leader == key:
                    self._pass_lead()

    def _pass_lead(self) -> None:
        for waiters in (self._mailboxes, self._room_waiters):
            for key, mailbox in reversed(waiters.items()):
                if mailbox.parked:
                    self.leader = key
                    mailbox.ring()
                    return
        self.leader = 0
        if self._lost:
            self._link.stream.close()

    def _take(self, stream_id: int = 0) -> Event | None:
        """Put what the peer sent into the mailboxes; returns what is for `stream_id`, which has none."""
        own = None
        link = self._link
        for event in link.take():
            if isinstance(event, UnaryResponse) and event.stream_id == stream_id:
                own = event
            elif isinstance(event, _CONNECTION_EVENTS):
                self._note(event)
            elif isinstance(event, StreamReset) and event.error_code is None:
                pass    # the connection is over, and `end` has better words for it
            elif event.stream_id == stream_id:
                own = event
            elif isinstance(event, StreamWritable):
                self._put(-event.stream_id, event)
            else:
                self._put(event.stream_id, event)
        link.flush()
        if link.failure:
            self.end(link.failure)
        if self._room_waiters:
            self._ring_for_room()
        return self._ending(stream_id) if own is None and stream_id and self._lost else own

    def _check(self) -> None:
        """End the connection if somebody was interrupted in the middle of the machine's work."""
        if self._link.busy:
            self.end("interrupted in the middle of a call")

    def _put(self, key: int, event: Event) -> None:
        """Deliver an event, and a last one to both waiters of its call; a call that was given up has none."""
        mailbox = self._mailboxes.get(key)
        if mailbox is not None:
            mailbox.events.append(event)
            mailbox.ring()
        if isinstance(event, _LAST_EVENTS):
            self._mailboxes.pop(key, None)
            sender = self._mailboxes.pop(-key, None)
            if sender is not None:
                sender.events.append(event)
                sender.ring()

    def _note(self, event: Event) -> None:
        if isinstance(event, GoingAway):
            self.refusal = self.refusal or "connection error: the plugin takes no more calls"
        elif isinstance(event, ConnectionEnded):
            self.end(f"error reading from server: {self._link.ending}")

    def _cancel(self, stream_id: int) -> None:
        if not self._lost:
            self._link.do(self._link.machine.send_reset, stream_id)
            self._ring_for_room()
        self._put(stream_id, StreamReset(stream_id, Status(Code.CANCELLED, "context canceled"), CANCEL))

    def _ring_for_room(self) -> None:
        for mailbox in self._room_waiters.values():
            mailbox.ring()

    def _ending(self, key: int) -> StreamReset:
        return StreamReset(abs(key), Status(Code.UNAVAILABLE, self._lost), None)


def _remaining(deadline: float) -> float:
    """The time until then. Raises RemoteError if it has passed."""
    remaining = deadline - monotonic()
    if remaining <= 0:
        raise RemoteError(Code.DEADLINE_EXCEEDED, "context deadline exceeded")
    return remaining
